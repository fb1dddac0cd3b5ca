#!/usr/bin/env python3
"""Writes a fitted scikit-learn IsolationForest as JSON that `edgewood models import` reads.

    from scikit_learn_export import dump  # this file, copied beside your own
    dump(model, "forest.json", features=["cpu", "memory", "network"], X=X_train)

From a shell, for a model saved with joblib or pickle (only load files that you trust: they can run code):

    python3 scikit_learn_export.py model.joblib forest.json [cpu,memory,network] [--rows train.csv]

train.csv holds the training rows: a line of names, then numbers; an empty cell is a missing value. Columns are picked
by the names of the features; without names, all are taken in their order.

X, the training rows, may be left out. With it, edgewood knows what is usual: it fills missing values with the median,
and alerts say by how much a metric is away from it.
"""
import argparse
import csv
import json

import numpy
import sklearn

QUANTILES = numpy.linspace(0, 1, 33)


def read_rows(path, features, count):
    """The training rows of a CSV file, as an array with a column for each feature."""
    with open(path, newline="") as file:
        reader = csv.reader(file)
        names = [name.strip() for name in next(reader, [])]
        if features is None and len(names) != count:
            raise SystemExit(f"{path}: expected {count} columns, as the forest has features, found {len(names)}")
        absent = [name for name in features or [] if name not in names]
        if absent:
            raise SystemExit(f"{path}: no column {', '.join(absent)}; it has {', '.join(names)}")
        columns = range(count) if features is None else [names.index(name) for name in features]
        rows = []
        for row in reader:
            try:
                rows.append([float(row[column].strip() or "nan") for column in columns])
            except (IndexError, ValueError) as error:
                raise SystemExit(f"{path}:{reader.line_num}: expected numbers: {error}")
    if not rows:
        raise SystemExit(f"{path}: no rows")
    return numpy.array(rows)


def names_of(model, features=None):
    """Those given, else those that the model was fitted with, else None."""
    if features is None and hasattr(model, "feature_names_in_"):
        return [str(name) for name in model.feature_names_in_]
    return features


def dump(model, path, features=None, X=None):
    features = names_of(model, features)
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
        # A row with a missing value has no score where scikit-learn does not know them (before 1.3).
        table = X if hasattr(X, "columns") else numpy.asarray(X, dtype=float)
        whole = table[~numpy.isnan(numpy.asarray(X, dtype=float)).any(axis=1)]
        if len(whole) > 0:
            document["scoreQuantiles"] = numpy.quantile(-model.score_samples(whole), QUANTILES).tolist()
    with open(path, "w") as file:
        json.dump(document, file, allow_nan=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="saved with joblib or pickle")
    parser.add_argument("forest", help="JSON file to write")
    parser.add_argument("features", nargs="?", help="their names, parted by commas")
    parser.add_argument("--rows", help="training rows (CSV), for what is usual")
    asked = parser.parse_args()
    import joblib

    fitted = joblib.load(asked.model)
    wanted = names_of(fitted, None if asked.features is None else asked.features.split(","))
    rows = None if asked.rows is None else read_rows(asked.rows, wanted, int(fitted.n_features_in_))
    dump(fitted, asked.forest, wanted, rows)
