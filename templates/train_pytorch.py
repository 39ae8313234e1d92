"""A small PyTorch network as an external trainer. Copy it and make it yours.

    trainer: command({ run: ["python3", "train_pytorch.py"], input: "prepared", params: { epochs: 20 } })

Needs: torch, onnx, pyarrow, numpy.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
from pyarrow import ipc
from torch import nn

folder = Path(sys.argv[-1])
job = json.loads((folder / "job.json").read_text())
torch.manual_seed(job["seed"] % 2**31)
torch.set_num_threads(1)
task, classes = job["task"], len(job["classes"])


def read(part):
    table = ipc.open_file(folder / job["files"][part]).read_all()
    columns = [table[name].to_numpy() for name in job["columns"]]
    return torch.tensor(np.stack(columns, axis=1).astype("float32")), torch.tensor(table[job["label"]].to_numpy())


x, y = read("train")
xv, yv = read("validation")
width = 1 if task == "regression" else classes
network = nn.Sequential(nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Linear(64, width))
center, scale = (y.mean(), y.std()) if task == "regression" else (torch.tensor(0.0), torch.tensor(1.0))


def loss_of(output, target):
    if task == "regression":
        return nn.functional.mse_loss(output[:, 0], ((target - center) / scale).float())
    return nn.functional.cross_entropy(output, target.long())


optimizer = torch.optim.Adam(network.parameters(), lr=job["params"].get("learningRate", 1e-3))
epochs = job["params"].get("epochs", 20)
for epoch in range(1, epochs + 1):
    for rows in torch.randperm(len(x)).split(128):
        optimizer.zero_grad()
        loss_of(network(x[rows]), y[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        metric = loss_of(network(xv), yv).item()
    with open(folder / "out" / "trace.ndjson", "a") as trace:
        trace.write(json.dumps({"epoch": epoch, "metrics": {"validationLoss": metric}, "share": epoch / epochs}) + "\n")


class Answer(nn.Module):
    def forward(self, rows):
        output = network(rows)
        return output * scale.float() + center.float() if task == "regression" else torch.softmax(output, dim=1)


name = "value" if task == "regression" else "probabilities"
torch.onnx.export(
    Answer().eval(),
    (x[:1],),
    str(folder / "out" / "model.onnx"),
    input_names=["input"],
    output_names=[name],
    dynamic_axes={"input": {0: "rows"}, name: {0: "rows"}},
    opset_version=17,
    dynamo=False,
)
