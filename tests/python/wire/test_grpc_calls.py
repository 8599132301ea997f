# SPDX-License-Identifier: Apache-2.0
"""Calls over gRPC by Triton's own client, as its users write them."""

import re
from typing import Any

import grpc
import ml_dtypes
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as stubs
from tritonclient.utils import InferenceServerException

from tests.python.wire.triton_client import triton_client
from tests.python.wire.wire_server import wire_server

DTYPES = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}
NUMPY = {"BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64", "BF16": ml_dtypes.bfloat16}


def numpy_type(datatype: str) -> Any:
    return np.dtype(NUMPY.get(datatype, datatype.lower()))


def tensor(name: str, values: Any, datatype: str = "FP32") -> triton.InferInput:
    made = triton.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values)
    return made


def ones(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, dtype=np.float32)


def refused(client: triton.InferenceServerClient, *arguments: Any, **options: Any) -> tuple[str, str]:
    """Code and text of the error that a call ends with; the code twice."""
    told = []
    for _ in range(2):
        with pytest.raises(InferenceServerException) as raised:
            client.infer(*arguments, **options)
        told.append((raised.value.status(), raised.value.message()))
    assert told[0][0] == told[1][0]
    return told[0]


def test_a_call_is_answered_with_its_id_and_model() -> None:
    with triton_client("serve(Doubler())") as (_, client):
        result = client.infer("doubler", [tensor("x", ones(2, 3))], request_id="seven")
        assert result.as_numpy("y").tolist() == [[2, 2, 2], [2, 2, 2]]
        response = result.get_response()
        assert (response.model_name, response.model_version, response.id) == ("doubler", "1", "seven")
        assert not response.outputs[0].HasField("contents")


@pytest.mark.parametrize("datatype", [*DTYPES, "FP16", "BF16"])
def test_raw_elements_of_each_datatype_come_back_as_they_went(datatype: str) -> None:
    with triton_client("serve(Echo())") as (_, client):
        sent = np.arange(24).reshape(2, 3, 4).astype(numpy_type(datatype))
        for values in (sent, sent[:0], sent[:1, 0, 0].reshape(())):
            result = client.infer("echo", [tensor("x", values, datatype)])
            assert result.get_output("x").datatype == datatype
            assert result.as_numpy("x").astype(sent.dtype).tobytes() == values.tobytes()


def typed(datatype: str, shape: list[int], field: str, values: list[Any]) -> messages.ModelInferRequest:
    request = messages.ModelInferRequest(model_name="echo")
    given = request.inputs.add(name="x", datatype=datatype, shape=shape)
    getattr(given.contents, field).extend(values)
    return request


@pytest.mark.parametrize("datatype", DTYPES)
def test_typed_elements_of_each_datatype_come_back_raw(datatype: str) -> None:
    dtype = numpy_type(datatype)
    values = [False, True, True] if datatype == "BOOL" else [0, 1, 100]
    if datatype.startswith(("INT", "UINT")):
        values = [int(np.iinfo(dtype).min), 1, int(np.iinfo(dtype).max)]
    with wire_server("serve(Echo())") as server, grpc.insecure_channel(server.target) as channel:
        stub = stubs.GRPCInferenceServiceStub(channel)
        response = stub.ModelInfer(typed(datatype, [3], DTYPES[datatype], values))
        assert np.frombuffer(response.raw_output_contents[0], dtype).tolist() == values


def test_elements_that_do_not_fit_are_refused() -> None:
    cases = {
        "beyond its datatype": typed("INT8", [1], "int_contents", [128]),
        "instead of 2": typed("INT8", [2], "int_contents", [1]),
        "another datatype": typed("INT8", [1], "fp32_contents", [1]),
        "raw_input_contents": typed("FP16", [1], "fp32_contents", [1]),
        "extent of -1": typed("FP32", [-1], "fp32_contents", [1]),
        "no memory holds": typed("FP32", [2**62, 2**62], "fp32_contents", [1]),
        "65 dimensions": typed("FP32", [1] * 65, "fp32_contents", [1]),
        "no datatype": typed("FP31", [1], "fp32_contents", [1]),
    }
    with wire_server("serve(Echo())") as server, grpc.insecure_channel(server.target) as channel:
        stub = stubs.GRPCInferenceServiceStub(channel)
        for text, request in cases.items():
            for _ in range(2):
                with pytest.raises(grpc.RpcError, match=text) as raised:
                    stub.ModelInfer(request)
                assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert stub.ModelInfer(typed("FP32", [1], "fp32_contents", [1])).raw_output_contents


def test_what_cannot_be_called_is_said() -> None:
    with triton_client("serve(Doubler())") as (_, client):
        assert refused(client, "nobody", []) == (
            "StatusCode.NOT_FOUND",
            "no model 'nobody' is served at this endpoint",
        )
        code, text = refused(client, "doubler", [tensor("x", ones(1, 3))], model_version="2")
        assert code == "StatusCode.NOT_FOUND"
        assert "version '2'" in text
        code, text = refused(client, "doubler", [tensor("z", ones(1, 3))])
        assert code == "StatusCode.INVALID_ARGUMENT"
        assert "'z'" in text
        code, text = refused(client, "doubler", [tensor("x", ones(17, 3))])
        assert (code, "17" in text) == ("StatusCode.INVALID_ARGUMENT", True)
        code, text = refused(client, "doubler", [tensor("x", ones(1, 3)), tensor("x", ones(1, 3))])
        assert "twice" in text
        code, text = refused(client, "doubler", [tensor("x", ones(1, 3))], outputs=[triton.InferRequestedOutput("no")])
        assert "output 'no' of the model 'doubler'" in text
        region = triton.InferInput("x", [1, 3], "FP32")
        region.set_shared_memory("mine", 12)
        code, text = refused(client, "doubler", [region])
        assert (code, "shared memory" in text) == ("StatusCode.INVALID_ARGUMENT", True)
        assert client.infer("doubler", [tensor("x", ones(1, 3))]).as_numpy("y").tolist() == [[2, 2, 2]]


def test_only_requested_outputs_come_in_the_order_of_the_request() -> None:
    with triton_client("serve(Echo())") as (_, client):
        inputs = [tensor(name, ones(1)) for name in ("a", "b", "c")]
        outputs = [triton.InferRequestedOutput(name) for name in ("c", "a")]
        response = client.infer("echo", inputs, outputs=outputs).get_response()
        assert [output.name for output in response.outputs] == ["c", "a"]
        assert len(response.raw_output_contents) == len(outputs)


def test_a_model_that_raises_tells_its_text() -> None:
    raising = """
class Raising(Doubler):
    def infer(self, inputs):
        raise ValueError("not today")
serve(Raising())
"""
    with triton_client(raising) as (_, client):
        code, text = refused(client, "doubler", [tensor("x", ones(1, 3))])
        assert code == "StatusCode.INTERNAL"
        assert "not today" in text


def test_a_late_call_ends_at_its_deadline_and_never_runs() -> None:
    with triton_client("model = Gated()\nmodel.model_id = 'gated'\nserve(model)") as (server, client):
        first = client.async_infer("gated", [tensor("x", -ones(1, 3))], lambda result, error: None)
        server.program.wait_for("began")
        code, _ = refused(client, "gated", [tensor("x", ones(1, 3))], client_timeout=0.05)
        assert code == "StatusCode.DEADLINE_EXCEEDED"
        code, _ = refused(client, "gated", [tensor("x", ones(1, 3))], timeout=50_000)  # Triton's own, in µs
        assert code == "StatusCode.DEADLINE_EXCEEDED"
        server.program.tell("go")
        assert client.infer("gated", [tensor("x", 3 * ones(1, 3))]).as_numpy("y").tolist() == [[6, 6, 6]]
        del first
        ran = [line for line in server.program.lines if line.startswith("ran")]
    assert ran in ([], ["ran -1.0"])
    assert [line for line in server.program.lines if line.startswith("ran")] == ["ran -1.0", "ran 3.0"]


def wait_until_refused(client: triton.InferenceServerClient, model: str, code: str) -> None:
    while True:
        with pytest.raises(InferenceServerException) as raised:
            client.infer(model, [tensor("x", ones(1, 3))], client_timeout=0.1)
        if raised.value.status() == f"StatusCode.{code}":
            return


def test_a_cancelled_call_never_runs_or_its_model_is_told() -> None:
    patient = """
class Patient(Doubler):
    model_id = "patient"
    def infer(self, inputs, context):
        say(f"runs {inputs['x'].min()}")
        while inputs["x"].min() < 0 and not context.cancelled:
            time.sleep(0.001)
        return super().infer(inputs)
serve(Patient(), max_queue=1)
"""
    with triton_client(patient) as (server, client):
        running = client.async_infer("patient", [tensor("x", -ones(1, 3))], lambda result, error: None)
        server.program.wait_for("runs -1.0")
        waiting = client.async_infer("patient", [tensor("x", 5 * ones(1, 3))], lambda result, error: None)
        wait_until_refused(client, "patient", "RESOURCE_EXHAUSTED")  # it waits
        waiting.cancel()
        wait_until_refused(client, "patient", "DEADLINE_EXCEEDED")  # its place is free
        running.cancel()
        assert client.infer("patient", [tensor("x", 7 * ones(1, 3))]).as_numpy("y").tolist() == [[14, 14, 14]]
    assert server.program.lines[-2:] == ["runs -1.0", "runs 7.0"]


def test_more_calls_than_a_client_may_have_are_rejected() -> None:
    serve = "model = Gated()\nmodel.model_id = 'gated'\nserve(model, max_concurrent_requests=2)"
    with triton_client(serve) as (server, client):
        calls = [client.async_infer("gated", [tensor("x", -ones(1, 3))], lambda result, error: None)]
        server.program.wait_for("began")
        calls.append(client.async_infer("gated", [tensor("x", ones(1, 3))], lambda result, error: None))
        while True:  # until the second one has come
            code, text = refused(client, "gated", [tensor("x", ones(1, 3))], client_timeout=0.1)
            if code != "StatusCode.DEADLINE_EXCEEDED":
                break
        assert code == "StatusCode.RESOURCE_EXHAUSTED"
        assert "2" in text
        server.program.tell("go")


def test_models_tell_what_they_are() -> None:
    with triton_client("serve(Doubler(), Counts(), max_batch_size=4, batch_delay_us=100)") as (_, client):
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("doubler", "1")
        assert not client.is_model_ready("doubler", "2")
        assert not client.is_model_ready("nobody")
        server = client.get_server_metadata()
        assert (server.name, bool(re.fullmatch(r"\d+\.\d+\.\d+", server.version))) == ("remotemedia", True)
        metadata = client.get_model_metadata("doubler")
        assert (metadata.name, list(metadata.versions)) == ("doubler", ["1"])
        assert [(each.name, each.datatype, list(each.shape)) for each in metadata.inputs] == [("x", "FP32", [-1, -1])]
        metadata = client.get_model_metadata("counts")
        assert [(each.name, each.datatype, list(each.shape)) for each in metadata.outputs] == [("n", "INT32", [1])]
        config = client.get_model_config("doubler").config
        assert (config.max_batch_size, list(config.input[0].dims)) == (4, [-1])
        assert config.dynamic_batching.max_queue_delay_microseconds == 100
        assert not config.HasField("sequence_batching")
        index = client.get_model_repository_index().models
        assert [(each.name, each.version, each.state) for each in index] == [
            ("counts", "1", "READY"),
            ("doubler", "1", "READY"),
        ]
        with pytest.raises(InferenceServerException, match="nobody"):
            client.get_model_metadata("nobody")


def test_a_model_with_sessions_has_sequences() -> None:
    with triton_client("serve(Sums())") as (_, client):
        config = client.get_model_config("sums").config
        assert config.HasField("sequence_batching")
        assert not config.HasField("dynamic_batching")
        assert "parameters" in client.get_server_metadata().extensions


def test_regions_of_cuda_are_none() -> None:
    with triton_client("serve(Doubler())") as (_, client):
        for name in ("", "a"):
            client.unregister_cuda_shared_memory(name)
            assert not client.get_cuda_shared_memory_status(name).regions
            with pytest.raises(InferenceServerException, match="UNIMPLEMENTED"):
                client.register_cuda_shared_memory("a", b"aGFuZGxl", 0, 16)


def test_statistics_count_requests_rows_and_runs() -> None:
    with triton_client("serve(Doubler(), Echo())") as (_, client):
        for rows in (1, 3):
            client.infer("doubler", [tensor("x", ones(rows, 2))])
        refused(client, "doubler", [tensor("x", ones(1))])  # never accepted
        (statistics,) = client.get_inference_statistics("doubler").model_stats
        assert (statistics.inference_count, statistics.execution_count) == (4, 2)
        times = statistics.inference_stats
        assert (times.success.count, times.fail.count) == (2, 0)
        assert times.success.ns >= times.queue.ns + times.compute_infer.ns > 0
        assert statistics.last_inference > 0
        assert {each.name for each in client.get_inference_statistics().model_stats} == {"doubler", "echo"}


def test_a_large_tensor_goes_there_and_back() -> None:
    with triton_client("serve(Echo())") as (_, client):
        values = np.arange(16_000_000, dtype=np.float32)
        assert np.array_equal(client.infer("echo", [tensor("x", values)]).as_numpy("x"), values)


def test_two_models_of_one_name_do_not_share_an_endpoint() -> None:
    with wire_server("""
def two():
    worker = rm.ModelWorker(Doubler())
    (endpoint,) = worker.start("grpc://127.0.0.1:0")
    try:
        rm.ModelWorker(Doubler()).start(endpoint)
    except rm.InvalidArgument as error:
        say(str(error))
    worker.stop()
two()
serve(Doubler())
""") as server:
        assert server.program.lines[0] == "a model 'doubler' is served at this endpoint already"


def test_a_forked_child_is_told_that_it_cannot_and_the_parent_goes_on() -> None:
    with triton_client("""
def forking():
    worker = rm.ModelWorker(Doubler())
    (endpoint,) = worker.start("grpc://127.0.0.1:0")
    child = os.fork()
    if child == 0:
        for _ in range(2):
            try:
                rm.ModelWorker(Echo()).start("grpc://127.0.0.1:0")
            except rm.PlatformNotSupported as error:
                say("child: " + str(error)[-32:])
        echo = rm.ModelWorker(Echo())
        say("child: " + echo.start()[0][:5])
        echo.stop()
        return False
    say(f"child ended with {os.waitpid(child, 0)[1]}")
    say(endpoint)
    say("serves")
    gates["end"].wait()
    worker.stop()
    return True
if not forking():
    os._exit(0)
""") as (server, client):
        assert client.infer("doubler", [tensor("x", ones(1, 1))]).as_numpy("y").tolist() == [[2]]
        assert server.program.lines[:4] == [
            *["child: it with spawn, or use unix:/path"] * 2,
            *("child: unix:", "child ended with 0"),
        ]
