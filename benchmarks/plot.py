# SPDX-License-Identifier: Apache-2.0
"""Plots of what was measured, as SVG.

    python -m benchmarks.plot worker.json [FOLDER]

draws from the JSON of `scripts/bench worker --json worker.json` how long calls take with many clients, and throughput
by batch size.
"""

import json
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rounds import Round

Points = list[tuple[float, float]]

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 50
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44")
HISTOGRAM = "histogram_us/"


def share_by_time(rounds: Sequence[Round], arm: str) -> Points:
    """The part of all calls that took up to so many µs, over all rounds."""
    counts: dict[int, float] = {}
    for measured in rounds:
        for counter, count in measured.get(arm, {}).items():
            if counter.startswith(HISTOGRAM):
                most_us = int(counter.removeprefix(HISTOGRAM))
                counts[most_us] = counts.get(most_us, 0) + count
    every, so_far = sum(counts.values()), 0.0
    points = []
    for most_us, count in sorted(counts.items()):
        so_far += count
        points.append((float(most_us), 100 * so_far / every))
    return points


def rate_by_batch(rounds: Sequence[Round]) -> Points:
    """Thousands of calls a second, the median over rounds."""
    sizes = sorted({int(arm.removeprefix("batch/")) for measured in rounds for arm in measured if "batch/" in arm})
    return [
        (float(size), 1e6 / statistics.median(row[f"batch/{size}"]["ns"] for row in rounds if f"batch/{size}" in row))
        for size in sizes
    ]


def draw(title: str, x_label: str, y_label: str, lines: dict[str, Points]) -> str:
    """Lines over a logarithmic x and a linear y from 0."""
    known = {name: points for name, points in lines.items() if points}
    xs = [x for points in known.values() for x, _ in points]
    ys = [y for points in known.values() for _, y in points]
    least, most = math.log2(min(xs)), math.log2(max(xs))
    step = _step(max(ys))
    top = step * math.ceil(max(ys) / step)

    def across(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log2(x) - least) / ((most - least) or 1)

    def up(y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / top

    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, 22, title, "middle"),
        _text(WIDTH / 2, HEIGHT - 10, x_label, "middle"),
        _text(8, TOP - 8, y_label, "start"),
    ]
    for power in range(math.ceil(least), math.floor(most) + 1):
        svg.append(_line(across(2**power), TOP, across(2**power), HEIGHT - BOTTOM))
        svg.append(_text(across(2**power), HEIGHT - BOTTOM + 16, f"{2**power:,}", "middle"))
    for tick in range(round(top / step) + 1):
        svg.append(_line(LEFT, up(tick * step), WIDTH - RIGHT, up(tick * step)))
        svg.append(_text(LEFT - 6, up(tick * step) + 4, f"{tick * step:g}", "end"))
    for number, (name, points) in enumerate(known.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        svg.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        svg.append(_text(LEFT + 10, TOP + 18 + 16 * number, name, "start", colour))
    return "\n".join([*svg, "</svg>\n"])


def _step(most: float) -> float:
    """Between lines of y, so that there are up to ten: 1, 2 or 5 times a power of ten."""
    rough = most / 10
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough))


def _text(x: float, y: float, text: str, anchor: str, colour: str = "black") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def main() -> None:
    rounds = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["worker"]["timed"]["rounds"]
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else ".")
    plots = {
        "worker_clients": (
            "Calls of 100 clients",
            "µs",
            "% of calls that took up to",
            {"model worker": share_by_time(rounds, "clients/worker"), "gRPC": share_by_time(rounds, "clients/grpc")},
        ),
        "worker_batches": (
            "A model that takes 1 ms for a batch and 10 µs for a row",
            "max_batch_size",
            "thousands of calls a second",
            {"model worker": rate_by_batch(rounds)},
        ),
    }
    for name, (title, x_label, y_label, lines) in plots.items():
        if any(lines.values()):
            (folder / f"{name}.svg").write_text(draw(title, x_label, y_label, lines), encoding="utf-8")


if __name__ == "__main__":
    main()
