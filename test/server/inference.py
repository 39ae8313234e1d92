# Asks a Retrain server with Triton's own HTTP client, unmodified, and prints what it got as one line of JSON.
import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

client = http.InferenceServerClient(sys.argv[1])
found = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "modelReady": client.is_model_ready("purchases"),
    "versionReady": client.is_model_ready("purchases", "v1"),
    "server": client.get_server_metadata(),
    "metadata": client.get_model_metadata("purchases", "1"),
    "index": client.get_model_repository_index(),
}
client.load_model("purchases")


def tensors(binary):
    age = http.InferInput("age", [2, 1], "FP32")
    age.set_data_from_numpy(np.array([[70], [25]], dtype=np.float32), binary_data=binary)
    balance = http.InferInput("balance", [2], "INT64")
    balance.set_data_from_numpy(np.array([10, 20], dtype=np.int64), binary_data=binary)
    job = http.InferInput("job", [2], "BYTES")
    job.set_data_from_numpy(np.array(["nurse", "clerk"], dtype=object), binary_data=binary)
    customer = http.InferInput("customer", [2], "BYTES")
    customer.set_data_from_numpy(np.array(["c-1", "c-2"], dtype=object), binary_data=binary)
    return [age, balance, job, customer]


for name, binary in [("binary", True), ("json", False)]:
    outputs = [http.InferRequestedOutput(one, binary_data=binary) for one in ["decision", "score", "prediction_id"]]
    result = client.infer("purchases", tensors(binary), outputs=outputs, request_id="r-1")
    response = result.get_response()
    found[name] = {
        "id": response["id"],
        "version": response["model_version"],
        "decision": result.as_numpy("decision").tolist(),
        "score": result.as_numpy("score").tolist(),
        "ids": [one.decode() if isinstance(one, bytes) else one for one in result.as_numpy("prediction_id").tolist()],
    }
pinned = client.infer("purchases", tensors(True), model_version="v1")
found["pinned"] = pinned.as_numpy("score").tolist()
for name, ask in {
    "unknownModel": lambda: client.get_model_metadata("absent"),
    "badInput": lambda: client.infer("purchases", tensors(True)[:1] + [http.InferInput("nothing", [2], "FP32").set_data_from_numpy(np.zeros(2, np.float32))]),
    "unload": lambda: client.unload_model("purchases"),
}.items():
    try:
        ask()
        found[name] = None
    except InferenceServerException as error:
        found[name] = error.message()
print(json.dumps(found))
