"""The peers of the trainer `gbdt`, asked line by line: {"name", "train", "test", "rows", "testRows", "columns", "trees", "out"}.

Answers {"cpu", "wall"} in seconds for construction and training, and writes the scores of the test rows to "out".
Files hold float32: columns row by row, then the label.
"""

import json
import sys
import time

import numpy as np

cache = {}


def load(path, rows, columns):
    if path not in cache:
        table = np.fromfile(path, dtype=np.float32).reshape(rows, columns + 1)
        cache[path] = np.ascontiguousarray(table[:, :columns]), np.ascontiguousarray(table[:, columns])
    return cache[path]


def xgboost_fit(x, y, trees):
    import xgboost

    params = {
        "objective": "binary:logistic", "tree_method": "hist", "grow_policy": "lossguide", "max_leaves": 31,
        "max_depth": 0, "max_bin": 256, "eta": 0.1, "lambda": 1, "min_child_weight": 1, "nthread": 1, "verbosity": 0,
    }
    data = xgboost.QuantileDMatrix(x, label=y, max_bin=256, nthread=1)
    booster = xgboost.train(params, data, trees)
    return lambda rows: booster.inplace_predict(rows)


def sklearn_fit(x, y, trees):
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=trees, learning_rate=0.1, max_leaf_nodes=31, max_bins=255, l2_regularization=1.0,
        min_samples_leaf=1, early_stopping=False,
    )
    model.fit(x, y)
    return lambda rows: model.predict_proba(rows)[:, 1]


FITS = {"xgboost": xgboost_fit, "sklearn": sklearn_fit}


def versions():
    found = {}
    for name, module in (("xgboost", "xgboost"), ("sklearn", "sklearn")):
        try:
            found[name] = __import__(module).__version__
        except ImportError:
            pass
    return found


print(json.dumps(versions()), flush=True)
for line in sys.stdin:
    ask = json.loads(line)
    x, y = load(ask["train"], ask["rows"], ask["columns"])
    wall, cpu = time.perf_counter(), time.process_time()
    predict = FITS[ask["name"]](x, y, ask["trees"])
    answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    if "out" in ask:
        rows, _ = load(ask["test"], ask["testRows"], ask["columns"])
        np.asarray(predict(rows), dtype=np.float64).tofile(ask["out"])
    print(json.dumps(answer), flush=True)
