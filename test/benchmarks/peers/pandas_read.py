"""Reads a CSV file as pandas does by itself, and says how long that took (test/benchmarks/csv.ts)."""
import json
import sys
import time

import pandas

wall, cpu = time.perf_counter(), time.process_time()
frame = pandas.read_csv(sys.argv[1])
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({"rows": len(frame), "wall": wall, "cpu": cpu, "pandas": pandas.__version__}))
