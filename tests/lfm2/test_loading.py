# SPDX-License-Identifier: Apache-2.0
"""The weights are loaded once, under a key that names what makes another model, and go when nobody holds them."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import weakref
from pathlib import Path

import pytest
import torch

from remotemedia import LoadFailed, ModelRegistry, OutOfMemory, RegistryConfig, RegistryEvent
from remotemedia.nodes import RuntimeData, get_node_class
from remotemedia.nodes.ml.lfm2_audio import LFM2AudioNode
from remotemedia.nodes.ml.lfm2_checkpoint import Lfm2Checkpoint, canonical_device, canonical_dtype
from tests.lfm2.conftest import NodeMaker
from tests.lfm2.conversation import ask, sound_of, speech


async def test_two_nodes_that_initialise_together_share_one_load(
    checkpoint: Path, registry: ModelRegistry, make_node: NodeMaker
) -> None:
    one, other = await asyncio.gather(
        make_node(name="one", max_new_tokens=5), make_node(name="other", system_prompt="Perform ASR.")
    )
    metrics = registry.metrics()
    assert (metrics.loads, metrics.cache_misses, metrics.cache_hits) == (3, 3, 3)
    assert one._parts is not None
    assert other._parts is not None
    for mine, yours in zip(vars(one._parts).values(), vars(other._parts).values(), strict=True):
        assert mine is yours


async def test_a_node_that_only_writes_shares_the_model_and_loads_no_vocoder(
    checkpoint: Path, registry: ModelRegistry, make_node: NodeMaker
) -> None:
    await make_node(text_only=True)
    assert registry.metrics().loads == 2
    assert Lfm2Checkpoint.find(checkpoint).vocoder_key not in registry
    await make_node()
    assert registry.metrics().loads == 3


async def test_a_dtype_of_its_own_is_a_model_of_its_own_and_the_rest_stays_shared(
    registry: ModelRegistry, make_node: NodeMaker
) -> None:
    await make_node(dtype="float32")
    node = await make_node(dtype=torch.bfloat16)
    assert registry.metrics().loads == 4
    assert sound_of(await ask(node, node.open_session("a"), speech(0.5))).size


def test_the_key_names_the_folder_however_it_is_written(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link"
    link.symlink_to(checkpoint)
    monkeypatch.chdir(checkpoint.parent)
    spellings: list[str | Path] = [
        checkpoint,
        str(checkpoint),
        link,
        f"./{checkpoint.name}",
        checkpoint.name,
        f"{checkpoint}/",
    ]
    assert len({Lfm2Checkpoint.find(repo) for repo in spellings}) == 1


def test_the_key_names_device_and_dtype_in_one_way(checkpoint: Path) -> None:
    assert canonical_device("cuda") == canonical_device("cuda:0") == canonical_device(torch.device("cuda")) == "cuda:0"
    assert canonical_device("cuda:1") == "cuda:1"
    assert canonical_device("cpu") == canonical_device(torch.device("cpu")) == canonical_device("cpu:0") == "cpu"
    assert canonical_dtype("float32", "cpu") == canonical_dtype(torch.float, "cpu") == canonical_dtype(None, "cpu")
    assert canonical_dtype("torch.bfloat16", "cpu") == canonical_dtype(None, "cuda:0") == "bfloat16"
    assert canonical_dtype("half", "cpu") == "float16"
    keys = {
        key
        for device in ("cpu", "cuda", "cuda:1")
        for dtype in ("float32", "bfloat16")
        for key in [Lfm2Checkpoint.find(checkpoint, device=device, dtype=dtype).model_key]
    }
    assert len(keys) == 6


@pytest.mark.parametrize(
    "options",
    [{"device": "gpu"}, {"dtype": "int8"}, {"dtype": "float31"}, {"dtype": "nn"}, {"revision": "main"}],
    ids=str,
)
async def test_an_option_that_does_not_fit_is_refused_twice_before_anything_loads(
    registry: ModelRegistry, make_node: NodeMaker, options: dict[str, str]
) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match=next(iter(options))):
            await make_node(**options)
    assert registry.metrics().cache_misses == 0


@pytest.mark.parametrize(
    "options",
    [{"max_new_tokens": 0}, {"audio_top_k": 0}, {"text_temperature": -1.0}, {"audio_frames_per_item": 0}],
    ids=str,
)
def test_a_number_that_makes_no_sense_is_refused_by_name(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        LFM2AudioNode(**options)  # type: ignore[arg-type]


async def test_the_memory_of_the_weights_is_declared_before_they_load(checkpoint: Path) -> None:
    registry = ModelRegistry(RegistryConfig(max_memory_bytes=1_000_000))
    node = LFM2AudioNode(repo=checkpoint, registry=registry)
    for _ in range(2):
        with pytest.raises(OutOfMemory) as refusal:
            await node.initialize()
        assert refusal.value.needed == Lfm2Checkpoint.find(checkpoint).model_bytes > 1_000_000
    await node.cleanup()
    half = Lfm2Checkpoint.find(checkpoint, dtype="bfloat16")
    assert 2 * half.model_bytes == refusal.value.needed


async def test_a_missing_folder_or_repository_is_reported_twice_by_name(tmp_path: Path, make_node: NodeMaker) -> None:
    for repo in (tmp_path / "nowhere", "./nowhere", "/nowhere/at/all", "nowhere", tmp_path, "nobody/nothing"):
        for _ in range(2):
            with pytest.raises(LoadFailed, match=str(repo)):
                await make_node(repo=repo)


async def test_a_damaged_checkpoint_fails_twice_with_its_cause_and_holds_nothing(
    checkpoint: Path, tmp_path: Path, registry: ModelRegistry, make_node: NodeMaker
) -> None:
    for part in checkpoint.iterdir():
        if part.name != "audio_detokenizer":
            (tmp_path / part.name).symlink_to(part)
    for attempt in (1, 2):
        with pytest.raises(LoadFailed, match="vocoder") as failure:
            await make_node(repo=tmp_path)
        assert isinstance(failure.value.__cause__, LoadFailed)
        assert "text_only=True" in str(failure.value.__cause__)
        assert registry.metrics().failed_loads == attempt
        assert all(model.reference_count == 0 for model in registry.list_models())
    node = await make_node(repo=tmp_path, text_only=True)
    assert await ask(node, node.open_session("a"), "hello")


async def test_after_the_last_cleanup_the_weights_are_freed(checkpoint: Path, registry: ModelRegistry) -> None:
    destroyed: dict[str, threading.Event] = {}

    def listen(event: RegistryEvent) -> None:
        if event.kind == "destroyed":
            destroyed[event.key].set()

    keys = Lfm2Checkpoint.find(checkpoint)
    destroyed.update({key: threading.Event() for key in (keys.model_key, keys.processor_key, keys.vocoder_key)})
    stop = registry.subscribe(listen)
    nodes = [LFM2AudioNode(repo=checkpoint, registry=registry, keep_alive=0) for _ in range(2)]
    for node in nodes:
        await node.initialize()
    parts = nodes[0]._parts
    assert parts is not None
    weights = [weakref.ref(next(parts.model.network.parameters())), weakref.ref(parts.processor)]
    del parts
    session = nodes[0].open_session("a")
    stream = nodes[0].process(RuntimeData.text("hello"), session)
    await anext(stream)

    await nodes[1].cleanup()
    assert not any(event.is_set() for event in destroyed.values()), "the other node holds them"
    assert [model.reference_count for model in registry.list_models()] == [1, 1, 1]
    await nodes[0].cleanup()
    for key, event in destroyed.items():
        assert await asyncio.to_thread(event.wait, 30), key
    stop()
    gc.collect()
    assert [reference() for reference in weights] == [None, None]
    assert [item async for item in stream] == []
    assert registry.list_models() == []


async def test_a_node_can_be_initialised_again_after_cleanup(registry: ModelRegistry, make_node: NodeMaker) -> None:
    node = await make_node()
    before = await ask(node, node.open_session("a"), "hello")
    await node.cleanup()
    with pytest.raises(RuntimeError, match="initialize"):
        await ask(node, node.open_session("b"), "hello")
    await node.initialize()
    await node.initialize()
    after = await ask(node, node.open_session("c"), "hello")
    assert [item.kind for item in before] == [item.kind for item in after]
    assert registry.metrics().loads == 3


def test_an_older_python_is_told_which_one_it_takes(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(sys, "version_info", (3, 11, 9))
        with pytest.raises(LoadFailed, match=r"3\.12 or later.*3\.11"):
            Lfm2Checkpoint.find(checkpoint)


def test_the_module_imports_without_the_library_and_says_what_to_install() -> None:
    program = """
        import asyncio, sys
        sys.modules["liquid_audio"] = sys.modules["torch"] = sys.modules["transformers"] = None
        from remotemedia import LoadFailed
        from remotemedia.nodes.ml.lfm2_audio import LFM2AudioNode
        for _ in range(2):
            try:
                asyncio.run(LFM2AudioNode().initialize())
            except LoadFailed as error:
                assert "remotemedia[lfm2]" in str(error), error
                assert isinstance(error.__cause__, ModuleNotFoundError)
            else:
                raise AssertionError("nothing was missed")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_manifests_know_the_node_by_its_name() -> None:
    assert get_node_class("LFM2AudioNode") is LFM2AudioNode
