"""The peers of the trainer `gbdt`, asked line by line in JSON; answers {"cpu", "wall"} in seconds for construction and training.

{"name", "train", "rows", "columns", "categories", "threads", "trees"} fits; "test", "testRows", "out": writes the scores of those
rows. "more", "moreRows", "moreTrees" (XGBoost): what is timed is so many trees more on the new rows, after a fit on "train".
Files hold float32: columns row by row, then the label. Categories are codes from 1.
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


def xgboost_params(ask):
    return {
        "objective": "binary:logistic", "tree_method": "hist", "grow_policy": "lossguide", "max_leaves": 31,
        "max_depth": 0, "max_bin": 256, "eta": 0.1, "lambda": 1, "min_child_weight": 1, "nthread": ask["threads"],
        "verbosity": 0,
    }


def xgboost_data(x, y, ask):
    import xgboost

    kinds = ["c" if c in ask["categories"] else "q" for c in range(x.shape[1])]
    return xgboost.QuantileDMatrix(
        x, label=y, max_bin=256, nthread=ask["threads"], feature_types=kinds, enable_categorical=True,
    )


def xgboost_fit(x, y, ask):
    import xgboost

    booster = xgboost.train(xgboost_params(ask), xgboost_data(x, y, ask), ask["trees"])
    if ask["categories"]:
        return lambda rows: booster.predict(xgboost.DMatrix(
            rows, feature_types=["c" if c in ask["categories"] else "q" for c in range(rows.shape[1])],
            enable_categorical=True,
        ))
    return lambda rows: booster.inplace_predict(rows)


def lightgbm_fit(x, y, ask):
    import lightgbm

    params = {
        "objective": "binary", "num_leaves": 31, "max_depth": -1, "max_bin": 255, "learning_rate": 0.1, "lambda_l2": 1,
        "min_sum_hessian_in_leaf": 1, "min_data_in_leaf": 1, "num_threads": ask["threads"], "verbosity": -1,
    }
    data = lightgbm.Dataset(x, y, params=params, categorical_feature=ask["categories"] or "auto")
    booster = lightgbm.train(params, data, ask["trees"])
    return booster.predict


def sklearn_fit(x, y, ask):
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=ask["trees"], learning_rate=0.1, max_leaf_nodes=31, max_bins=255, l2_regularization=1.0,
        min_samples_leaf=1, early_stopping=False, categorical_features=ask["categories"] or None,
    )
    model.fit(x, y)
    return lambda rows: model.predict_proba(rows)[:, 1]


FITS = {"xgboost": xgboost_fit, "lightgbm": lightgbm_fit, "sklearn": sklearn_fit}


def versions():
    found = {}
    for name in FITS:
        try:
            found[name] = __import__(name).__version__
        except ImportError:
            pass
    return found


def answer(ask):
    x, y = load(ask["train"], ask["rows"], ask["columns"])
    base = None
    if "more" in ask:
        import xgboost

        base = xgboost.train(xgboost_params(ask), xgboost_data(x, y, ask), ask["trees"])
        x, y = load(ask["more"], ask["moreRows"], ask["columns"])
    wall, cpu = time.perf_counter(), time.process_time()
    if base is None:
        predict = FITS[ask["name"]](x, y, ask)
    else:
        xgboost.train(xgboost_params(ask), xgboost_data(x, y, ask), ask["moreTrees"], xgb_model=base)
    times = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    if "out" in ask:
        rows, _ = load(ask["test"], ask["testRows"], ask["columns"])
        np.asarray(predict(rows), dtype=np.float64).tofile(ask["out"])
    return times


print(json.dumps(versions()), flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
