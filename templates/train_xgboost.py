"""XGBoost as an external trainer. Copy it and make it yours.

    trainer: command({ run: ["python3", "train_xgboost.py"], input: "codes", params: { rounds: 200 } })

Needs: xgboost, onnxmltools, onnx, pyarrow, numpy, scikit-learn.
"""
import json
import sys
from pathlib import Path

import numpy as np
import xgboost as xgb
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from pyarrow import ipc

folder = Path(sys.argv[-1])
job = json.loads((folder / "job.json").read_text())


def read(part):
    table = ipc.open_file(folder / job["files"][part]).read_all().to_pandas()
    # Missing cells become NaN, which XGBoost sends the way it learned.
    return table[job["columns"]].to_numpy(dtype=np.float32, na_value=np.nan), table.get(job["label"]).to_numpy()


class Trace(xgb.callback.TrainingCallback):
    def after_iteration(self, model, epoch, evals_log):
        metric = next(iter(evals_log["validation_0"].values()))[-1]
        with open(folder / "out" / "trace.ndjson", "a") as trace:
            point = {"epoch": epoch + 1, "metrics": {"validationLoss": metric}, "share": (epoch + 1) / rounds}
            trace.write(json.dumps(point) + "\n")
        return False


rounds = job["params"].get("rounds", 200)
settings = {
    "n_estimators": rounds,
    "learning_rate": job["params"].get("learningRate", 0.1),
    "max_depth": job["params"].get("maxDepth", 6),
    "tree_method": "hist",
    "random_state": job["seed"] % 2**31,
    "early_stopping_rounds": 20,
    "callbacks": [Trace()],
}
model = (xgb.XGBRegressor if job["task"] == "regression" else xgb.XGBClassifier)(**settings)
x, y = read("train")
model.fit(x, y, eval_set=[read("validation")], verbose=False)
if model.best_iteration + 1 < model.get_booster().num_boosted_rounds():
    model._Booster = model.get_booster()[: model.best_iteration + 1]

onnx = convert_xgboost(model, initial_types=[("input", FloatTensorType([None, x.shape[1]]))])
(folder / "out" / "model.onnx").write_bytes(onnx.SerializeToString())
