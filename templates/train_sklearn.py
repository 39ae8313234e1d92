"""A scikit-learn pipeline as an external trainer. Copy it and make it yours.

    trainer: command({ run: ["python3", "train_sklearn.py"], input: "raw" })

Needs: scikit-learn, skl2onnx, pandas, pyarrow.
"""
import json
import sys
from pathlib import Path

import pandas as pd
from pyarrow import ipc
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

folder = Path(sys.argv[-1])
job = json.loads((folder / "job.json").read_text())
numbers = [f["name"] for f in job["features"] if f["kind"] != "category"]
texts = [f["name"] for f in job["features"] if f["kind"] == "category"]


def read(part):
    table = ipc.open_file(folder / job["files"][part]).read_all().to_pandas()
    # Missing categories arrive as "" when the model is served; training sees them the same way.
    features = {name: table[name].astype("float32") for name in numbers}
    features |= {name: table[name].astype("object").where(table[name].notna(), "") for name in texts}
    return pd.DataFrame(features), table.get(job["label"])


x, y = read("train")
prepare = ColumnTransformer(
    [
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("texts", OneHotEncoder(handle_unknown="ignore"), texts),
    ]
)
is_regression = job["task"] == "regression"
model = Ridge() if is_regression else LogisticRegression(max_iter=1000, random_state=job["seed"] % 2**31)
pipeline = make_pipeline(prepare, model).fit(x, y)

xv, yv = read("validation")
if is_regression:
    loss = mean_squared_error(yv, pipeline.predict(xv))
else:
    loss = log_loss(yv, pipeline.predict_proba(xv), labels=range(len(job["classes"])))
with open(folder / "out" / "trace.ndjson", "w") as trace:
    trace.write(json.dumps({"epoch": 1, "metrics": {"validationLoss": loss}, "share": 1}) + "\n")

inputs = [
    (f["name"], StringTensorType([None, 1]) if f["kind"] == "category" else FloatTensorType([None, 1]))
    for f in job["features"]
]
options = {} if is_regression else {"zipmap": False}
onnx = convert_sklearn(pipeline, initial_types=inputs, options=options)
(folder / "out" / "model.onnx").write_bytes(onnx.SerializeToString())
