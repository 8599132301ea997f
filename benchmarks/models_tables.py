# SPDX-License-Identifier: Apache-2.0
"""What was measured of real models, for people."""

from collections.abc import Callable, Sequence

from benchmarks.rounds import Rounds, Spread
from benchmarks.sizes import BATCHES, CLIENTS, PROGRAMS, STREAMS
from benchmarks.table import TIMES, TO, print_table

WAYS = {
    "served": f"{PROGRAMS} programs and two workers",
    "private": f"control: {PROGRAMS} programs with copies of their own",
    "mapped": f"control: {PROGRAMS} programs, weights of Silero VAD mapped",
    "forked": f"control: {PROGRAMS} programs, forked from one with Silero VAD",
    "threads": f"control: one program with {PROGRAMS} threads",
}

Told = Callable[[float], str]


def show_batches_of_vad(measured: Rounds) -> None:
    _show_batches(measured, "vad", BATCHES, "Steps of Silero VAD in a worker, by clients and `max_batch_size`")


def show_embeddings(measured: Rounds) -> None:
    print_table(
        "Sentences through MiniLM in this process, one after the other",
        ["", "a second", "range", "p99 of one, ms", "rounds"],
        [["control: OpenVINO", *_rate(measured, "embeddings/openvino")]],
    )
    title = "Sentences through MiniLM in a worker, by clients and `max_batch_size`"
    _show_batches(measured, "embeddings", (min(BATCHES), max(BATCHES)), title)


def _show_batches(measured: Rounds, part: str, batches: Sequence[int], title: str) -> None:
    rows = [
        [
            f"{clients} client{'s'[: clients - 1]}, {size}",
            *_rate(measured, f"{part}/{clients}/{size}"),
            _median(measured.spread(f"{part}/{clients}/{size}", "batch"), lambda rows: f"{rows:.1f}"),
            _times(measured.ratio(f"{part}/{clients}/{size}", f"{part}/{clients}/{min(batches)}", "ns")),
        ]
        for clients in CLIENTS
        for size in batches
    ]
    print_table(title, ["", "a second", "range", "p99 of one, ms", "rounds", "rows of a batch", "batches of one"], rows)


def _rate(measured: Rounds, arm: str) -> list[str]:
    time = measured.spread(arm, "ns")
    p99 = _median(measured.spread(arm, "p99_ns"), lambda ns: f"{ns / 1e6:.3g}")
    per_second = None if time is None else Spread(1e9 / time.median, 1e9 / time.most, 1e9 / time.least, time.rounds)
    return [_median(per_second, _whole), _range(per_second, _whole), p99, _rounds(measured, arm)]


def show_start_up(measured: Rounds) -> None:
    rows = [
        [
            words,
            _with_range(measured.spread(f"start_up/{way}", "start_up_seconds"), _seconds),
            _with_range(measured.spread(f"start_up/{way}", "listening_seconds"), _seconds),
            _rounds(measured, f"start_up/{way}"),
        ]
        for way, words in WAYS.items()
    ]
    print_table(
        "Silero VAD and Whisper in four programs, seconds", ["", "until ready", "recording heard in", "rounds"], rows
    )
    rows = [
        [
            words,
            _median(measured.spread(f"memory/{way}", "processes"), _whole),
            _with_range(measured.spread(f"memory/{way}", "loaded_bytes"), _mib),
            _with_range(measured.spread(f"memory/{way}", "pss_bytes"), _mib),
            _times(measured.ratio(f"memory/{way}", "memory/private", "pss_bytes")),
            _rounds(measured, f"memory/{way}"),
        ]
        for way, words in WAYS.items()
    ]
    header = ["", "processes", "loaded", "used", "copies of their own", "rounds"]
    print_table("The same: PSS of all processes that take part, MiB", header, rows)


def show_most_streams(measured: Rounds) -> None:
    rows = [["up to", *_streams(measured, "live/most")]]
    title = "Live streams of which 99 of 100 frames are answered before the next is due"
    print_table(title, ["", "streams", "range", "rounds"], rows)
    title = "What the streams above take, in CPUs"
    arms = [f"live/{streams}" for streams in STREAMS]
    rows = [
        [
            arm.removeprefix("live/"),
            *(
                _median(measured.spread(arm, counter), lambda cpus: f"{cpus:.2f}")
                for counter in ("worker_cpus", "client_cpus")
            ),
            _median(measured.spread(arm, "frames"), _whole),
        ]
        for arm in arms
    ]
    print_table(title, ["streams", "worker", "clients", "frames in a round"], rows)


def _streams(measured: Rounds, arm: str) -> list[str]:
    streams = measured.spread(arm, "streams")
    return [_median(streams, _whole), _range(streams, _whole), _rounds(measured, arm)]


def _rounds(measured: Rounds, arm: str) -> str:
    clean = measured.count(arm)
    return f"{clean} of {clean + measured.thrown_away.get(arm, 0)}"


def _median(spread: Spread | None, told: Told) -> str:
    return "disturbed" if spread is None else told(spread.median)


def _range(spread: Spread | None, told: Told) -> str:
    return "" if spread is None else f"{told(spread.least)}{TO}{told(spread.most)}"


def _with_range(spread: Spread | None, told: Told) -> str:
    return "disturbed" if spread is None else f"{told(spread.median)} [{_range(spread, told)}]"


def _times(ratio: Spread | None) -> str:
    return "disturbed" if ratio is None else f"{ratio.median:.2f}{TIMES} [{ratio.least:.2f}{TO}{ratio.most:.2f}]"


def _whole(number: float) -> str:
    return f"{number:,.0f}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}"


def _mib(size: float) -> str:
    return f"{size / (1 << 20):.0f}"
