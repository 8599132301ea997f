# SPDX-License-Identifier: Apache-2.0
"""What was counted of conversions, for people."""

from benchmarks.rounds import Round
from benchmarks.table import print_table

WORDS = {
    "from_numpy": "`TensorBuffer.from_numpy(array)`",
    "to_numpy": "`buffer.to_numpy()`",
    "asarray": "`np.asarray(buffer)`",
    "from_dlpack": "`TensorBuffer.from_dlpack(array)`",
    "numpy_from_dlpack": "`np.from_dlpack(buffer)`",
    "memoryview": "`memoryview(buffer)`",
    "from_bytes": "`TensorBuffer.from_bytes(data, shape, dtype)`",
    "slice": "`buffer[1:3]`",
    "allocate": "`allocator.allocate_tensor(shape, dtype)`",
    "from_torch": "`TensorBuffer.from_torch(tensor)`",
    "to_torch": "`buffer.to_torch()`",
    "torch_from_dlpack": "`torch.from_dlpack(buffer)`",
    "control/numpy_from_dlpack": "control: `np.from_dlpack(array)`",
    "control/memoryview": "control: `memoryview(array)`",
    "control/slice": "control: `array[1:3]`",
    "control/torch_from_numpy": "control: `torch.from_numpy(array)`",
    "control/torch_to_numpy": "control: `tensor.numpy()`",
}
"""What the arms of `benchmarks.python.tensor_conversions` do."""


def show_counts(counts: Round) -> None:
    rows = [
        [words, *_counted(name, counts[name])] if name in counts else [words, "not run: no torch", "", ""]
        for name, words in WORDS.items()
    ]
    print_table("Counts of 10 MiB", ["", "calls", "page faults of all", "shares memory"], rows)


def _counted(name: str, row: dict[str, float]) -> list[str]:
    target = not name.startswith("control/")
    shares = row.get("shares_memory")
    return [
        f"{row['calls']:,.0f}",
        f"{row['faults']:g}" + (_verdict(row["faults"] == 0) if target else ""),
        "" if shares is None else ("yes" if shares else "no") + (_verdict(bool(shares)) if target else ""),
    ]


def _verdict(met: bool) -> str:
    return ", met" if met else ", MISSED"
