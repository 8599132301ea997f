# SPDX-License-Identifier: Apache-2.0
"""EmbeddingNode, in this process and with a worker that serves the file of its network."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from remotemedia import InvalidTensor, ModelRegistry, ModelWorkerClient, WorkerUnavailable
from remotemedia.nodes import EmbeddingNode, RuntimeData
from remotemedia.nodes.ml.minilm_file import write_minilm
from remotemedia.nodes.ml.minilm_network import MiniLMNetwork
from remotemedia.nodes.ml.minilm_tokenizer import MiniLMTokenizer, Tokens
from remotemedia.pipeline import Pipeline
from tests.python.programs.model_worker_program import LINEAR_PLUGIN, ModelWorkerProgram, started_programs

Vector = npt.NDArray[np.float32]
Start = Callable[..., ModelWorkerProgram]

TEXTS = ["a dog", "a puppy", "a car", "The quick brown fox jumps over the lazy dog, and then " * 4, ""]


@pytest.fixture(scope="module")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_minilm(tmp_path_factory.mktemp("minilm"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with started_programs(tmp_path) as start:
        yield start


@pytest.fixture
def minilm(start: Start, network_file: Path) -> ModelWorkerProgram:
    return start("--model-path", network_file, "--max-batch-size", "16", "--option", "threads=1")


@pytest.fixture(scope="module")
def registry() -> ModelRegistry:
    return ModelRegistry()


def embeddings(node: EmbeddingNode, texts: list[str]) -> list[Vector]:
    return [item.payload.to_numpy() for item in Pipeline([node]).run([RuntimeData.text(text) for text in texts])]


def test_texts_that_mean_alike_are_near(registry: ModelRegistry) -> None:
    dog, puppy, car = embeddings(EmbeddingNode(registry=registry), TEXTS[:3])
    assert dog.shape == (384,)
    assert np.linalg.norm(dog) == pytest.approx(1, abs=1e-6)
    assert dog @ puppy == pytest.approx(0.769, abs=0.001)
    assert dog @ car == pytest.approx(0.333, abs=0.001)


def test_padding_and_neighbours_change_nothing_but_the_last_digits() -> None:
    tokenizer, network = MiniLMTokenizer(), MiniLMNetwork()
    short = tokenizer.tokens("a dog")
    padded = Tokens(np.pad(short.ids, [(0, 0), (0, 48)]), np.pad(short.mask, [(0, 0), (0, 48)]), False)
    np.testing.assert_allclose(network.embedding(padded), network.embedding(short), atol=1e-6)


def test_the_file_is_written_from_the_command_line(tmp_path: Path, network_file: Path) -> None:
    folder = tmp_path / "new" / "folder"
    (tmp_path / "taken").touch()
    command = [sys.executable, "-W", "error", "-m", "remotemedia.nodes.ml.minilm_file"]
    for _ in range(2):
        done = subprocess.run([*command, folder], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{folder}/minilm.xml\n", "")
        assert {file.name for file in folder.iterdir()} == {"minilm.bin", "minilm.xml"}
        assert (folder / "minilm.bin").read_bytes() == network_file.with_suffix(".bin").read_bytes()
        done = subprocess.run([*command, tmp_path / "taken"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert str(tmp_path / "taken") in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_text_of_more_tokens_is_cut_and_says_so(registry: ModelRegistry) -> None:
    long = RuntimeData.text("word " * 300, session_id="s", metadata={"page": 3})
    (item,) = Pipeline([EmbeddingNode(registry=registry)]).run([long])
    assert item.metadata == {"page": 3, "truncated": True}
    assert item.session_id == "s"
    (whole,) = Pipeline([EmbeddingNode(registry=registry)]).run([RuntimeData.text("word " * 254)])
    assert whole.metadata == {}
    np.testing.assert_allclose(item.payload.to_numpy(), whole.payload.to_numpy(), atol=1e-6)


def test_other_items_are_refused(registry: ModelRegistry) -> None:
    with pytest.raises(InvalidTensor, match="takes text, not tensor"):
        Pipeline([EmbeddingNode(registry=registry)]).run([RuntimeData.tensor(np.zeros(3))])


def test_a_worker_gives_what_this_process_gives(minilm: ModelWorkerProgram, registry: ModelRegistry) -> None:
    there = embeddings(EmbeddingNode(worker=minilm.endpoint, registry=ModelRegistry()), TEXTS)
    here = embeddings(EmbeddingNode(registry=registry), TEXTS)
    np.testing.assert_allclose(there, here, atol=1e-5)


def test_texts_of_several_programs_run_as_one_batch(minilm: ModelWorkerProgram) -> None:
    script = """
import sys
from remotemedia import ModelWorkerClient
from remotemedia.nodes.ml.minilm_tokenizer import MiniLMTokenizer
tokens = MiniLMTokenizer().tokens("a dog")
with ModelWorkerClient.connect(sys.argv[1]) as client:
    inputs = {"input_ids": tokens.ids, "attention_mask": tokens.mask}
    calls = [client.infer_future(inputs) for _ in range(40)]
    print(min(float(call.result().to_numpy()[0] @ calls[0].result().to_numpy()[0]) for call in calls))
"""
    programs = [
        subprocess.Popen([sys.executable, "-c", script, minilm.endpoint], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for program in programs:
        assert float(program.communicate(timeout=60)[0]) == pytest.approx(1, abs=1e-5)
    with ModelWorkerClient.connect(minilm.endpoint) as client:
        status = client.status()
    assert status.total_requests == 80
    assert status.average_batch_size > 2


def test_a_worker_that_dies_ends_the_stream_and_with_reconnect_the_next_one_goes_on(
    start: Start, network_file: Path, minilm: ModelWorkerProgram
) -> None:
    def items() -> Iterator[RuntimeData]:
        yield RuntimeData.text("a dog")
        minilm.process.kill()
        minilm.process.wait()
        start("--model-path", network_file, "--max-batch-size", "16", "--endpoint", minilm.endpoint)
        yield RuntimeData.text("a dog")

    node = EmbeddingNode(worker=minilm.endpoint, reconnect=True, registry=ModelRegistry())
    first, second = (item.payload.to_numpy() for item in Pipeline([node]).run(items()))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_a_worker_that_is_not_there_or_serves_something_else_is_named(start: Start, tmp_path: Path) -> None:
    with pytest.raises(WorkerUnavailable, match="nobody"):
        Pipeline([EmbeddingNode(worker=f"unix:{tmp_path}/nobody", registry=ModelRegistry())]).run([])
    (tmp_path / "a.linear").write_text("1 1 1")
    other = start("--model-path", tmp_path / "a.linear", "--backend", LINEAR_PLUGIN)
    with pytest.raises(InvalidTensor, match="no MiniLM network"):
        Pipeline([EmbeddingNode(worker=other.endpoint, registry=ModelRegistry())]).run([])
