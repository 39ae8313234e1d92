"""The scikit-learn peers of `linear` and `mlp`, asked line by line: {"name", "train", "rows", "columns", "epochs", ...}.

Answers {"cpu", "wall"} in seconds for the fit alone, and the log loss on the test file. Files hold float32: columns row by
row, then the label.
"""

import json
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
cache = {}


def load(path, columns):
    if path not in cache:
        table = np.fromfile(path, dtype=np.float32).reshape(-1, columns + 1)
        cache[path] = np.ascontiguousarray(table[:, :columns]), table[:, columns].astype(int)
    return cache[path]


def sgd(ask):
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(loss="log_loss", alpha=1e-4, average=True, max_iter=ask["epochs"], tol=None, random_state=1)


def network(ask):
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        hidden_layer_sizes=tuple(ask["hidden"]), batch_size=ask["batch"], learning_rate_init=ask["rate"],
        max_iter=ask["epochs"], tol=0, n_iter_no_change=10_000, random_state=1,
    )


try:
    import sklearn

    print(json.dumps({"version": sklearn.__version__}), flush=True)
except ImportError:
    print(json.dumps({}), flush=True)
    sys.exit()

for line in sys.stdin:
    ask = json.loads(line)
    x, y = load(ask["train"], ask["columns"])
    model = sgd(ask) if ask["name"] == "sgd" else network(ask)
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(x, y)
    answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    test, labels = load(ask["test"], ask["columns"])
    p = np.clip(model.predict_proba(test)[:, 1].astype(np.float64), 1e-12, 1 - 1e-12)
    answer["logLoss"] = float(-np.mean(np.where(labels == 1, np.log(p), np.log(1 - p))))
    print(json.dumps(answer), flush=True)
