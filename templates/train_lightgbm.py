"""LightGBM as an external trainer. Copy it and make it yours.

    trainer: command({ run: ["python3", "train_lightgbm.py"], input: "codes", params: { rounds: 200 } })

Needs: lightgbm, onnxmltools, onnx, pyarrow, numpy, scikit-learn.
"""
import json
import sys
from pathlib import Path

import lightgbm as lgb
import numpy as np
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from pyarrow import ipc

folder = Path(sys.argv[-1])
job = json.loads((folder / "job.json").read_text())


def read(part):
    table = ipc.open_file(folder / job["files"][part]).read_all().to_pandas()
    return table[job["columns"]].to_numpy(dtype=np.float32, na_value=np.nan), table.get(job["label"]).to_numpy()


def trace(env):
    with open(folder / "out" / "trace.ndjson", "a") as file:
        point = {"epoch": env.iteration + 1, "metrics": {"validationLoss": env.evaluation_result_list[0][2]}}
        file.write(json.dumps(point | {"share": (env.iteration + 1) / rounds}) + "\n")


rounds = job["params"].get("rounds", 200)
settings = {
    "n_estimators": rounds,
    "learning_rate": job["params"].get("learningRate", 0.1),
    "num_leaves": job["params"].get("leaves", 31),
    "random_state": job["seed"] % 2**31,
    "deterministic": True,
    "verbose": -1,
}
model = (lgb.LGBMRegressor if job["task"] == "regression" else lgb.LGBMClassifier)(**settings)
x, y = read("train")
model.fit(x, y, eval_set=[read("validation")], callbacks=[trace, lgb.early_stopping(20, verbose=False)])

options = {} if job["task"] == "regression" else {"zipmap": False}
onnx = convert_lightgbm(model, initial_types=[("input", FloatTensorType([None, x.shape[1]]))], **options)
(folder / "out" / "model.onnx").write_bytes(onnx.SerializeToString())
