#!/usr/bin/env python3
"""Writes a fitted scikit-learn IsolationForest as JSON that `edgewood models import` reads.

    import joblib, importlib.util  # or copy this file beside your own
    dump(model, "forest.json", features=["cpu", "memory", "network"], X=X_train)

From a shell, for a model saved with joblib or pickle (only load files that you trust: they can run code):

    python3 scikit-learn-export.py model.joblib forest.json [cpu,memory,network]

X, the training rows, may be left out. With it, edgewood knows what is usual: it fills missing values with the median,
and alerts say by how much a metric is away from it.
"""
import json
import sys

import numpy
import sklearn

QUANTILES = numpy.linspace(0, 1, 33)


def dump(model, path, features=None, X=None):
    if features is None and hasattr(model, "feature_names_in_"):
        features = [str(name) for name in model.feature_names_in_]
    document = {
        "format": "isolation-forest",
        "formatVersion": 1,
        "source": "scikit-learn " + sklearn.__version__,
        "featureCount": int(model.n_features_in_),
        "features": features,
        # scikit-learn rounds rows to float32 before it compares them.
        "inputs": "float32",
        "maxSamples": int(model.max_samples_),
        "offset": float(model.offset_),
        "contamination": model.contamination if model.contamination == "auto" else float(model.contamination),
        "trees": [
            {
                "features": [int(feature) for feature in subset],
                "feature": tree.tree_.feature.tolist(),
                "threshold": tree.tree_.threshold.tolist(),
                "left": tree.tree_.children_left.tolist(),
                "right": tree.tree_.children_right.tolist(),
                "samples": tree.tree_.n_node_samples.tolist(),
            }
            for tree, subset in zip(model.estimators_, model.estimators_features_)
        ],
    }
    if X is not None:
        columns = numpy.asarray(X, dtype=float).T
        document["quantiles"] = [numpy.nanquantile(column, QUANTILES).tolist() for column in columns]
        document["scoreQuantiles"] = numpy.quantile(-model.score_samples(X), QUANTILES).tolist()
    with open(path, "w") as file:
        json.dump(document, file, allow_nan=False)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    import joblib

    dump(joblib.load(sys.argv[1]), sys.argv[2], sys.argv[3].split(",") if len(sys.argv) == 4 else None)
