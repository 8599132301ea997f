# SPDX-License-Identifier: Apache-2.0
"""The backend for OpenVINO on small networks of our own, beside OpenVINO in this process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import pytest

import remotemedia as rm
from tests.python.programs.model_worker_program import ModelWorkerProgram, refused

Start = Callable[..., ModelWorkerProgram]


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """y = relu(x W) [rows, 3], and total = sum(x) [rows], of x [rows, 4]; rows may be any."""
    x = ops.parameter([-1, 4], np.float32, name="x")
    weights = ops.constant(np.arange(12, dtype=np.float32).reshape(4, 3) - 6)
    y = ops.relu(ops.matmul(x, weights, False, False))
    total = ops.reduce_sum(x, ops.constant([1]), False)
    for node, name in [(x, "x"), (y, "y"), (total, "total")]:
        node.output(0).get_tensor().set_names({name})
    path = tmp_path / "network.xml"
    ov.save_model(ov.Model([y, total], [x], "network"), path, compress_to_fp16=False)
    return path


def expected(network: Path, x: np.ndarray) -> dict[str, np.ndarray]:
    compiled = ov.Core().compile_model(network, "CPU", {"EXECUTION_MODE_HINT": "ACCURACY"})  # bfloat16 is quicker
    return {name: compiled({"x": x})[name] for name in ("y", "total")}


def test_it_answers_as_openvino_does_in_this_process(start: Start, network: Path) -> None:
    program = start("--model-path", network)
    x = np.random.default_rng(1).standard_normal((5, 4), np.float32)
    with rm.ModelWorkerClient.connect(program.endpoint) as client:
        answer = client.infer(x)
    for name, values in expected(network, x).items():
        np.testing.assert_allclose(answer[name].to_numpy(), values, rtol=1e-6, atol=1e-6)


def test_its_signature_is_the_files(start: Start, network: Path) -> None:
    program = start("--model-path", network, "--max-batch-size", "32")
    with rm.ModelWorkerClient.connect(program.endpoint) as client:
        signature = client.signature()
    assert [(spec.name, str(spec.dtype), list(spec.shape)) for spec in signature.inputs] == [("x", "float32", [4])]
    outputs = [(spec.name, str(spec.dtype), list(spec.shape)) for spec in signature.outputs]
    assert outputs == [("y", "float32", [3]), ("total", "float32", [])]
    assert signature.max_batch_size == 32


def test_without_a_batch_the_shapes_are_as_they_stand(start: Start, network: Path) -> None:
    program = start("--model-path", network, "--max-batch-size", "0")
    x = np.ones((7, 4), np.float32)
    with rm.ModelWorkerClient.connect(program.endpoint) as client:
        assert list(client.signature().inputs[0].shape) == [-1, 4]
        answer = client.infer(x)
    assert answer["y"].shape == (7, 3)
    np.testing.assert_array_equal(answer["total"].to_numpy(), np.full(7, 4, np.float32))


def test_calls_that_wait_run_as_one_batch(start: Start, network: Path) -> None:
    program = start("--model-path", network, "--batch-delay-us", "30000000", "--max-batch-size", "4")
    with rm.ModelWorkerClient.connect(program.endpoint) as client:
        calls = [client.infer_future(np.full((1, 4), row, np.float32)) for row in range(4)]
        for row, call in enumerate(calls):
            np.testing.assert_array_equal(call.result()["total"].to_numpy(), [4 * row])
        assert client.status().average_batch_size == 4


def test_batches_and_calls_alone_take_turns_where_the_batch_is_not_the_first_axis(start: Start, tmp_path: Path) -> None:
    x = ops.parameter([1, 4], np.float32, name="x")
    y = ops.transpose(x, ops.constant([1, 0]))
    y.output(0).get_tensor().set_names({"y"})
    ov.save_model(ov.Model([y], [x], "network"), tmp_path / "network.xml", compress_to_fp16=False)
    options = ["--max-batch-size", "7", "--option", "batch_axis.y=1", "--option", "fixed_batches=2"]
    program = start("--model-path", tmp_path / "network.xml", *options)
    with rm.ModelWorkerClient.connect(program.endpoint) as client:
        for rows in (1, 3, 1, 4, 2, 1, 7, 2):
            given = np.arange(4 * rows, dtype=np.float32).reshape(rows, 4) + rows
            np.testing.assert_array_equal(client.infer(given).to_numpy(), given)
        assert client.status().failed_requests == 0


@pytest.mark.parametrize("fixed", ["0", "1", "9"])
def test_large_tensors_lie_where_they_are_and_small_ones_are_copied(start: Start, tmp_path: Path, fixed: str) -> None:
    large = ops.parameter([-1, 2048], np.float32, name="large")
    small = ops.parameter([-1, 1], np.float32, name="small")
    outputs = [ops.multiply(large, small), ops.reduce_sum(large, ops.constant([1]), keep_dims=True)]
    for node, name in [(large, "large"), (small, "small"), (outputs[0], "scaled"), (outputs[1], "total")]:
        node.output(0).get_tensor().set_names({name})
    path = tmp_path / "two.xml"
    ov.save_model(ov.Model(outputs, [large, small], "two"), path, compress_to_fp16=False)
    program = start("--model-path", path, "--max-batch-size", "4", "--option", f"fixed_batches={fixed}")
    calls = (1, 2, 1, 3, 1)
    with rm.ModelWorkerClient.connect(program.endpoint) as client:
        for rows in calls:
            given = {
                "large": np.full((rows, 2048), rows, np.float32),
                "small": np.arange(rows, dtype=np.float32).reshape(rows, 1),
            }
            answer = client.infer(given)
            np.testing.assert_array_equal(answer["scaled"].to_numpy(), given["large"] * given["small"])
            np.testing.assert_array_equal(answer["total"].to_numpy(), np.full((rows, 1), 2048 * rows))
    code, log = program.end()
    assert code == 0
    copied = sum(calls) * (4 + 4)
    assert any(f"{copied} bytes of tensors copied" in line["message"] for line in log), log


def test_an_option_fixes_an_input(start: Start, tmp_path: Path) -> None:
    x = ops.parameter([-1, 2], np.float32, name="x")
    scale = ops.parameter([], np.float32, name="scale")
    y = ops.multiply(x, scale)
    for node, name in [(x, "x"), (scale, "scale"), (y, "y")]:
        node.output(0).get_tensor().set_names({name})
    path = tmp_path / "scaled.xml"
    ov.save_model(ov.Model([y], [x, scale], "scaled"), path, compress_to_fp16=False)
    program = start("--model-path", path, "--option", "fix.scale=2.5", "--option", "threads=1")
    with rm.ModelWorkerClient.connect(program.endpoint) as client:
        assert [spec.name for spec in client.signature().inputs] == ["x"]
        np.testing.assert_array_equal(client.infer(np.full((1, 2), 4, np.float32)).to_numpy(), [[10, 10]])


def test_what_a_model_cannot_be_is_said_with_what_to_ask_for(network: Path, tmp_path: Path) -> None:
    x = ops.parameter([3, 4], np.float32, name="x")
    fixed = tmp_path / "fixed.xml"
    ov.save_model(ov.Model([ops.relu(x)], [x], "fixed"), fixed, compress_to_fp16=False)
    cases: list[tuple[list[str | Path], str]] = [
        (["--model-path", fixed], "always has 3 in axis 0"),
        (["--model-path", network, "--option", "batch_axis.x=2"], "has no axis 2"),
        (["--model-path", network, "--option", "batch_axis.z=1"], "no such input or output"),
        (["--model-path", network, "--option", "fix.z=1"], "no such input"),
        (["--model-path", network, "--option", "fix.x=1"], "no fixed shape"),
        (["--model-path", network, "--option", "threads=few"], "'few' is no number"),
        (["--model-path", network, "--option", "fixed_batches=all"], "'all' is no number"),
        (["--model-path", network, "--option", "speed=1"], "no option 'speed'"),
        (["--model-path", network, "--device", "quantum"], "QUANTUM"),
    ]
    for arguments, reason in cases:
        code, log = refused(*arguments)
        assert code == 3
        assert reason in log


def test_a_cut_file_is_refused(tmp_path: Path, network: Path) -> None:
    whole = network.read_bytes()
    for length in (0, 10, len(whole) // 2):
        cut = tmp_path / "cut.xml"
        cut.write_bytes(whole[:length])
        code, log = refused("--model-path", cut)
        assert code == 3
        assert f"cannot load the model file '{cut}'" in log
