"""The peer of `matrixFactorization`, asked line by line: {"starts", "indices", "values", "users", "items", "factors", "l2", "epochs", "out"}.

Answers {"cpu", "wall", "foldMicroseconds"} for one training, and writes user and item factors to "out".
Files hold int32 (starts, indices) and float32 (values); a value is 1 + the confidence of an observation.
"""

import json
import sys
import time

import numpy as np

try:
    import implicit
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
except ImportError as error:
    print(json.dumps({"missing": str(error)}), flush=True)
    sys.exit(0)

print(json.dumps({"implicit": implicit.__version__}), flush=True)
for line in sys.stdin:
    ask = json.loads(line)
    starts = np.fromfile(ask["starts"], dtype=np.int32)
    indices = np.fromfile(ask["indices"], dtype=np.int32)
    values = np.fromfile(ask["values"], dtype=np.float32)
    matrix = csr_matrix((values, indices, starts), shape=(ask["users"], ask["items"]))
    model = AlternatingLeastSquares(
        factors=ask["factors"], regularization=ask["l2"], alpha=1.0, iterations=ask["epochs"], use_cg=True,
        num_threads=1, dtype=np.float32, random_state=1,
    )
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(matrix, show_progress=False)
    answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    begun = time.perf_counter()
    for user in range(200):
        model.recalculate_user(user, matrix[user])
    answer["foldMicroseconds"] = (time.perf_counter() - begun) / 200 * 1e6
    np.concatenate([model.user_factors.ravel(), model.item_factors.ravel()]).astype(np.float32).tofile(ask["out"])
    print(json.dumps(answer), flush=True)
