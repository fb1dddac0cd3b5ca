"""scikit-learn beside our forest, one question a line, one JSON answer a line (test/benchmarks/forest.ts, parity.ts).

Usage: sklearn_worker.py ROWS.f64 FEATURES
  fit SEED                 fits, keeps the forest
  batch                    scores all rows
  single N                 scores the first N rows, one call each
  scores SEED ROWS2.f64 OUT.f64   fits on ROWS.f64, writes score_samples of ROWS2.f64
Times are seconds: {"wall": ..., "cpu": ...}.
"""
import json
import sys
import time

import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest

features = int(sys.argv[2])
load = lambda path: np.fromfile(path).reshape(-1, features)
rows = load(sys.argv[1])
forest = None


def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def fit(seed):
    return IsolationForest(n_estimators=100, max_samples=256, random_state=seed, n_jobs=1).fit(rows)


print(json.dumps({"sklearn": sklearn.__version__, "numpy": np.__version__, "python": sys.version.split()[0]}), flush=True)
for line in sys.stdin:
    words = line.split()
    if words[0] == "fit":
        def work():
            global forest
            forest = fit(int(words[1]))
        answer = timed(work)
    elif words[0] == "batch":
        answer = timed(lambda: forest.score_samples(rows))
    elif words[0] == "single":
        answer = timed(lambda: [forest.score_samples(rows[i:i + 1]) for i in range(int(words[1]))])
    else:
        (-fit(int(words[1])).score_samples(load(words[2]))).tofile(words[3])
        answer = {}
    print(json.dumps(answer), flush=True)
