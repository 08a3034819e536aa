"""Draws docs/src/images/cost.svg from benches/results.json, and renews the tables of the book's page on performance and
the size of the library in the README.

`make docs` runs it; tests/docs/test_cost.py fails when one of the two is stale. After a new `make bench`, write its
numbers, the machine and the date into benches/results.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benches/results.json"
PICTURE = ROOT / "docs/src/images/cost.svg"
PAGE = ROOT / "docs/src/reference/performance.md"
README = ROOT / "README.md"
SIZE = re.compile(r"(shared library (?:of|\|) )[\d.]+(?= MB)")
MARKED = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->\n)", re.DOTALL)

WIDTH, HEIGHT = 860, 300
# The left part has the bars of processes, the right part those of calls.
LEFT, MIDDLE, RIGHT = 24, 400, 836
TOP, BOTTOM = 74, 236

# Colours that differ in lightness too; each has enough contrast to its background.
STYLE = """
    text { font-family: system-ui, "Segoe UI", Roboto, Ubuntu, sans-serif; font-size: 13px; fill: #1f2328 }
    .title { font-weight: 600; font-size: 15px }
    .note { font-size: 12px; fill: #59636e }
    .end { text-anchor: end }
    .middle { text-anchor: middle }
    .small { font-size: 11px }
    .background { fill: #ffffff }
    .line { stroke: #d1d9e0 }
    .series0 { fill: #0969da }
    .series1 { fill: #bc4c00 }
    .series2 { fill: #8c959f }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .note { fill: #9198a1 }
      .background { fill: #0d1117 }
      .line { stroke: #3d444d }
      .series0 { fill: #58a6ff }
      .series1 { fill: #f0883e }
      .series2 { fill: #7d8590 }
    }
"""


def text(x: float, y: float, words: str, kind: str = "") -> str:
    marked = f' class="{kind}"' if kind else ""
    return f'  <text x="{x:g}" y="{y:g}"{marked}>{escape(words)}</text>'


def bar(x: float, y: float, width: float, height: float, series: int) -> str:
    # A bar that stands for something is seen.
    sizes = f'width="{max(width, 2):.1f}" height="{max(height, 2):.1f}"'
    return f'  <rect x="{x:.1f}" y="{y:.1f}" {sizes} rx="2" class="series{series}"/>'


def process_bars(results: dict[str, Any]) -> Iterator[str]:
    """A pair of horizontal bars for the time, one for the memory."""
    yield text(LEFT, 34, "First response of a new process", "title")
    longest = MIDDLE - LEFT - 120
    y = TOP
    for unit, what in (("ms", "time"), ("MiB", "memory")):
        yield text(LEFT, y, what, "note")
        values = results[unit]
        for series, (name, value) in enumerate(zip(results["rows"], values)):
            width = longest * value / max(values)
            yield text(LEFT, y + 19, name)
            yield bar(LEFT, y + 25, width, 11, series)
            yield text(LEFT + max(width, 2) + 8, y + 35, f"{value:g} {unit}")
            y += 36
        y += 20


def call_bars(results: dict[str, Any]) -> Iterator[str]:
    """Groups of upright bars, one for each number of threads."""
    yield text(MIDDLE, 34, "CPU time of a call, in microseconds", "title")
    highest = max(max(row) for row in results["us"])
    step = (RIGHT - MIDDLE) / len(results["threads"])
    wide = step / (len(results["rows"]) + 1)
    for group, threads in enumerate(results["threads"]):
        x = MIDDLE + group * step
        for series, row in enumerate(results["us"]):
            height = (BOTTOM - TOP - 36) * row[group] / highest
            left = x + series * wide
            yield bar(left, BOTTOM - height, wide - 3, height, series)
            yield text(left + (wide - 3) / 2, BOTTOM - height - 5, f"{row[group]:g}", "small middle")
        words = f"{threads} thread" + ("s" if threads > 1 else "")
        yield text(x + 1.5 * wide, BOTTOM + 18, words, "note middle")
    yield f'  <line x1="{MIDDLE}" y1="{BOTTOM}" x2="{RIGHT}" y2="{BOTTOM}" class="line"/>'
    x = float(MIDDLE)
    for series, name in enumerate(results["rows"]):
        shown = name.split(",")[0]
        yield f'  <rect x="{x:.1f}" y="47" width="11" height="11" rx="2" class="series{series}"/>'
        yield text(x + 17, 57, shown)
        x += 34 + 7.2 * len(shown)


def described(results: dict[str, Any]) -> str:
    process, call = results["first_response_of_a_new_process"], results["cpu_us_per_call_by_calling_threads"]
    rows = [f"{name}: {ms:g} ms, {mib:g} MiB" for name, ms, mib in zip(process["rows"], process["ms"], process["MiB"])]
    rows += [f"{name}: {', '.join(f'{us:g}' for us in row)} us" for name, row in zip(call["rows"], call["us"])]
    return f"First response of a new process, and CPU time of a call with {call['threads']} threads. " + "; ".join(rows)


def origin(results: dict[str, Any]) -> str:
    return f"From one run of {results['run']} on {results['date']}: {results['machine']}; servers {results['servers']}."


def picture(results: dict[str, Any]) -> str:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="title description">',
        '  <title id="title">What it costs</title>',
        f'  <desc id="description">{escape(described(results))}</desc>',
        f"  <style>{STYLE}  </style>",
        f'  <rect width="{WIDTH}" height="{HEIGHT}" rx="6" class="background"/>',
        *process_bars(results["first_response_of_a_new_process"]),
        *call_bars(results["cpu_us_per_call_by_calling_threads"]),
        text(LEFT, HEIGHT - 14, origin(results), "note"),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def tables(results: dict[str, Any]) -> str:
    process, call = results["first_response_of_a_new_process"], results["cpu_us_per_call_by_calling_threads"]
    lines = ["", "| first response of a new process | ms | MiB |", "|---|---|---|"]
    lines += [f"| {name} | {ms:g} | {mib:g} |" for name, ms, mib in zip(process["rows"], process["ms"], process["MiB"])]
    threads = " | ".join(map(str, call["threads"]))
    lines += ["", f"| CPU microseconds a call, by calling threads | {threads} |"]
    lines.append("|---" * (len(call["threads"]) + 1) + "|")
    lines += [f"| {name} | {' | '.join(f'{us:g}' for us in row)} |" for name, row in zip(call["rows"], call["us"])]
    return "\n".join([*lines, "", origin(results).replace(results["run"], f"`{results['run']}`"), "", ""])


def generate() -> dict[Path, str]:
    """By path, the text that each file should have."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))

    def sized(path: Path) -> str:
        return SIZE.sub(rf"\g<1>{results['shared_library_MB']:g}", path.read_text(encoding="utf-8"))

    page = MARKED.sub(lambda match: match[1] + tables(results) + match[2], sized(PAGE))
    return {PICTURE: picture(results), PAGE: page, README: sized(README)}


def main() -> None:
    for path, made in generate().items():
        path.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
