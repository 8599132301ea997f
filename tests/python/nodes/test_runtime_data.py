# SPDX-License-Identifier: Apache-2.0
"""RuntimeData: items, and what is refused."""

import pickle
from typing import Any

import numpy as np
import pytest

from remotemedia import InvalidTensor, SharedMemoryAllocator, TensorBuffer
from remotemedia.nodes import RuntimeData


def test_items_have_the_fields_they_were_given() -> None:
    item = RuntimeData.audio(np.zeros(4, np.float32), 16000, session_id="s", timestamp=1.5, metadata={"a": 1})
    assert (item.kind, item.sample_rate, item.session_id, item.timestamp) == ("audio", 16000, "s", 1.5)
    assert item.metadata == {"a": 1}
    text = RuntimeData.text("hello")
    assert (text.kind, text.payload, text.sample_rate, text.session_id, text.timestamp) == (
        "text",
        "hello",
        None,
        None,
        None,
    )
    assert text.metadata == {}


def test_items_have_metadata_of_their_own() -> None:
    first, second = RuntimeData.text("a"), RuntimeData.text("b")
    first.metadata["x"] = 1
    assert second.metadata == {}


@pytest.mark.parametrize("samples", [[0.0, 0.5], np.zeros(2), np.zeros(2, np.float16), np.zeros((2, 5)), np.zeros(0)])
def test_audio_is_float32_frames_or_channels_by_frames(samples: Any) -> None:
    payload = RuntimeData.audio(samples, 8000).payload
    assert isinstance(payload, TensorBuffer)
    assert payload.dtype == np.float32
    assert np.array_equal(payload.to_numpy(), np.asarray(samples))


@pytest.mark.parametrize("shape", [10, (2, 5)])
def test_float32_audio_is_not_copied(shape: Any) -> None:
    samples = np.zeros(shape, np.float32)
    views: list[Any] = [samples, samples[..., ::-2], np.asfortranarray(samples)]
    for view in views:
        for audio in (view, memoryview(view), TensorBuffer.from_numpy(view)):
            assert np.shares_memory(RuntimeData.audio(audio, 8000).payload.to_numpy(), view)


def test_a_tensor_is_the_payload_itself() -> None:
    shared = SharedMemoryAllocator().allocate_tensor((2, 4, 3), "float32")
    shared.to_numpy()[:] = 0
    assert RuntimeData.video(shared).payload is shared
    assert RuntimeData.tensor(shared).payload is shared
    assert RuntimeData.audio(sound := shared[0], 8000).payload is sound
    assert sound.storage == "shared_memory"


def test_audio_of_torch_is_not_copied() -> None:
    torch = pytest.importorskip("torch", reason="pip install torch for its tensors (a CPU build will do)")
    sound = torch.zeros(2, 100)
    payload = RuntimeData.audio(sound, 8000).payload
    assert (payload.data_ptr, payload.shape) == (sound.data_ptr(), (2, 100))
    for wrong, message in ((sound.bfloat16(), "float32.*not bfloat16"), (sound.requires_grad_(), r"detach\(\)")):
        for _ in range(2):
            with pytest.raises(InvalidTensor, match=f"^audio.*{message}"):
                RuntimeData.audio(wrong, 8000)


def test_audio_of_the_other_byte_order_is_audio() -> None:
    for dtype in (">f4", ">f8"):
        payload = RuntimeData.audio(np.array([0.5, -0.25], dtype), 8000).payload
        assert (payload.dtype.name, payload.to_numpy().tolist()) == ("float32", [0.5, -0.25])


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(4, np.int16), "floating point in -1…1, not int16; for 16-bit PCM divide by 32768"),
        (TensorBuffer.allocate(4, "bfloat16"), "float32, float64 or float16, not bfloat16: convert them first"),
        (b"samples", "not uint8; for 16-bit PCM"),
        (np.zeros((1, 2, 3), np.float32), r"\[frames\] or \[channels, frames\], not \[1, 2, 3\]"),
        (np.float32(1.0), r"not \[\]"),
        (np.zeros((16000, 2), np.float32), "16000 channels.*channels come first: transpose"),
        (np.zeros((0, 5), np.float32), "0 channels"),
        (np.array([0.0, np.nan], np.float32), "finite"),
        (np.array([np.inf], np.float32), "finite"),
        ("samples", "must be floating point in .*, not bytes"),
        (None, "must hold numbers"),
        ([[0.0], [0.0, 1.0]], "cannot be viewed as a tensor"),
    ],
)
def test_what_is_no_audio_is_refused_with_the_reason(samples: Any, message: str) -> None:
    with pytest.raises(InvalidTensor, match=message):
        RuntimeData.audio(samples, 16000)


@pytest.mark.parametrize("rate", [0, -8000, 16000.5, float("nan"), float("inf"), "16000", None, True])
def test_a_sample_rate_that_is_no_positive_whole_number_is_refused(rate: Any) -> None:
    with pytest.raises(InvalidTensor, match="sample_rate must be a positive whole number"):
        RuntimeData.audio([0.0], rate)


@pytest.mark.parametrize("rate", [16000, 16000.0, np.int32(16000), np.float64(16000)])
def test_a_whole_number_of_any_type_is_a_sample_rate(rate: Any) -> None:
    item = RuntimeData.audio([0.0], rate)
    assert type(item.sample_rate) is int
    assert item.sample_rate == 16000


def test_text_is_a_str() -> None:
    with pytest.raises(InvalidTensor, match="text must be a str, not bytes"):
        RuntimeData.text(b"a")  # type: ignore[arg-type]


def test_tensors_may_have_any_shape_and_dtype_of_numbers() -> None:
    for value in (3, [[1, 2]], np.zeros((2, 3), np.complex64), np.array(True)):
        payload = RuntimeData.tensor(value).payload
        assert isinstance(payload, TensorBuffer)
        assert np.array_equal(payload.to_numpy(), value)
    with pytest.raises(InvalidTensor, match="must hold numbers or text, not object"):
        RuntimeData.tensor({"a": 1})


def test_video_has_height_width_and_channels() -> None:
    assert RuntimeData.video(np.zeros((4, 6, 3), np.uint8)).kind == "video"
    assert RuntimeData.video(np.zeros((2, 4, 6, 3), np.uint8)).payload.shape == (2, 4, 6, 3)
    with pytest.raises(InvalidTensor, match=r"not \[4, 6\]"):
        RuntimeData.video(np.zeros((4, 6), np.uint8))


def test_an_unknown_field_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="sesion_id"):
        RuntimeData.text("a", sesion_id="s")


def test_replace_shares_the_payload() -> None:
    item = RuntimeData.audio(np.zeros(3, np.float32), 8000, session_id="a")
    other = item.replace(session_id="b")
    assert other.payload is item.payload
    assert (other.session_id, item.session_id) == ("b", "a")


def test_a_payload_that_is_replaced_is_checked_as_a_new_one() -> None:
    item = RuntimeData.audio([0.25], 8000, timestamp=1.0)
    louder = item.replace(payload=item.payload.to_numpy() * 2, sample_rate=16000.0)
    assert isinstance(louder.payload, TensorBuffer)
    assert (louder.payload.to_numpy().tolist(), louder.sample_rate, louder.timestamp) == ([0.5], 16000, 1.0)
    assert item.replace(kind="text", payload="a quarter", sample_rate=None).payload == "a quarter"
    for wrong, message in (
        ({"payload": np.zeros(3, np.int16)}, "not int16"),
        ({"payload": "a"}, "must be floating point in .*, not bytes"),
        ({"sample_rate": None}, "sample_rate"),
        ({"kind": "text"}, "text must be a str, not TensorBuffer"),
        ({"kind": "video"}, r"not \[1\]"),
    ):
        for _ in range(2):
            with pytest.raises(InvalidTensor, match=message):
                item.replace(**wrong)
    assert item.payload.to_numpy().tolist() == [0.25]


def test_items_are_compared_by_identity_and_hashable() -> None:
    first, second = RuntimeData.text("a"), RuntimeData.text("a")
    assert first != second
    assert len({first, second}) == 2


def test_items_travel_by_pickle() -> None:
    item = pickle.loads(pickle.dumps(RuntimeData.audio([0.25], 8000, metadata={"k": [1]})))
    assert (item.payload.to_numpy().tolist(), item.sample_rate, item.metadata) == ([0.25], 8000, {"k": [1]})


def test_the_repr_is_short() -> None:
    item = RuntimeData.audio(np.zeros((2, 16000), np.float32), 16000, session_id="s")
    assert repr(item) == "RuntimeData(audio, float32 [2, 16000], 16000 Hz, session 's')"
    assert len(repr(RuntimeData.text("x" * 10_000))) < 100
