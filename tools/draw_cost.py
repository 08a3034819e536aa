"""Draws docs/src/images/cost.svg from benches/results.json, and renews the tables of the book's page on performance and
the size of the library in the README.

`make bench` and `make docs` run it; tests/docs/test_cost.py fails when one of the files is stale.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benches"))

import report  # noqa: E402
from cases import PROGRAMS  # noqa: E402

RESULTS = ROOT / "benches/results.json"
PICTURE = ROOT / "docs/src/images/cost.svg"
PAGE = ROOT / "docs/src/reference/performance.md"
README = ROOT / "README.md"
SIZE = re.compile(r"(shared library (?:of|\|) )[\d.]+(?= MB)")
MARKED = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->\n)", re.DOTALL)

# The bars of the picture: title, unit, and the rows, each a case, the number of it, and a program. Ours comes first.
Row = tuple[str, str, str]
PANELS: tuple[tuple[str, str, tuple[Row, ...]], ...] = (
    (
        "CPU of a call, one in flight, http",
        "µs",
        tuple(("one/http", "cpu_us", name) for name in ("c", "floor", "ureq", "reqwest", "curl", "sdk")),
    ),
    (
        "First response of a process, https",
        "ms",
        tuple(("first/https", "process_ms", name) for name in ("c", "floor", "curl", "sdk", "go", "go_sdk")),
    ),
    (
        "CPU of a call, 64 in flight from one thread, https",
        "µs",
        tuple(("64inflight/https", "cpu_us", name) for name in ("queue", "multi", "sdk")),
    ),
    (
        "CPU of a call, 64 goroutines, http",
        "µs",
        tuple(("64threads/http", "cpu_us", name) for name in ("go", "go_net", "go_sdk")),
    ),
    (
        "CPU of a call from Python, one in flight, http",
        "µs",
        tuple(("one/http", "cpu_us", name) for name in ("py", "awscrt", "boto3")),
    ),
    (
        "First response of a Python process, https",
        "ms",
        tuple(("first/https", "process_ms", name) for name in ("py", "awscrt", "boto3")),
    ),
)

WIDTH, MARGIN, GAP = 860, 24, 32
# The names of programs are beside their bars, the numbers behind them.
PANEL = (WIDTH - 2 * MARGIN - GAP) / 2
NAMES, NUMBERS = 212, 64
LINE, HEAD = 20, 40

# Colours that differ in lightness too; each has enough contrast to its background.
STYLE = """
    text { font-family: system-ui, "Segoe UI", Roboto, Ubuntu, sans-serif; font-size: 12px; fill: #1f2328 }
    .title { font-weight: 600; font-size: 14px }
    .note { font-size: 11px; fill: #59636e }
    .end { text-anchor: end }
    .background { fill: #ffffff }
    .ours { fill: #0969da }
    .other { fill: #8c959f }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .note { fill: #9198a1 }
      .background { fill: #0d1117 }
      .ours { fill: #58a6ff }
      .other { fill: #7d8590 }
    }
"""


def text(x: float, y: float, words: str, kind: str = "") -> str:
    marked = f' class="{kind}"' if kind else ""
    return f'  <text x="{x:g}" y="{y:g}"{marked}>{escape(words)}</text>'


def values(results: dict[str, Any], rows: tuple[Row, ...]) -> list[tuple[str, float]]:
    """The title and the number of each row; those that were skipped have none."""
    found = ((results["medians"].get(case, {}).get(name), metric, name) for case, metric, name in rows)
    return [(PROGRAMS[name].title, numbers[metric]) for numbers, metric, name in found if numbers]


def shown(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}"


def panel(x: float, y: float, title: str, unit: str, rows: list[tuple[str, float]]) -> Iterator[str]:
    yield text(x, y + 14, title, "title")
    longest = PANEL - NAMES - NUMBERS
    for number, (name, value) in enumerate(rows):
        top = y + HEAD - 12 + number * LINE
        # A bar that stands for something is seen.
        width = max(longest * value / max(value for _, value in rows), 2)
        series = "ours" if name.startswith("this library") else "other"
        yield text(x, top + 10, name)
        yield f'  <rect x="{x + NAMES:.1f}" y="{top:.1f}" width="{width:.1f}" height="12" rx="2" class="{series}"/>'
        yield text(x + NAMES + width + 6, top + 10, f"{shown(value)} {unit}")


def origin(results: dict[str, Any]) -> str:
    return f"{results['run']}, {results['date']}: {results['machine']}"


def picture(results: dict[str, Any]) -> str:
    drawn: list[str] = []
    described: list[str] = []
    y = float(MARGIN)
    for number in range(0, len(PANELS), 2):
        most = 0
        for column, (title, unit, rows) in enumerate(PANELS[number : number + 2]):
            found = values(results, rows)
            drawn += panel(MARGIN + column * (PANEL + GAP), y, title, unit, found)
            described.append(f"{title}: " + ", ".join(f"{name} {shown(value)} {unit}" for name, value in found))
            most = max(most, len(found))
        y += HEAD + most * LINE + 12
    height = y + 16
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" '
        'role="img" aria-labelledby="title description">',
        '  <title id="title">What it costs</title>',
        f'  <desc id="description">{escape(". ".join(described))}.</desc>',
        f"  <style>{STYLE}  </style>",
        f'  <rect width="{WIDTH}" height="{height:g}" rx="6" class="background"/>',
        *drawn,
        text(MARGIN, height - 14, origin(results), "note"),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def generate() -> dict[Path, str]:
    """By path, the text that each file should have."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))

    def sized(path: Path) -> str:
        return SIZE.sub(rf"\g<1>{results['shipped_MB']['c']:g}", path.read_text(encoding="utf-8"))

    tables = f"\n{report.markdown(results, wanted=False)}\n"
    page = MARKED.sub(lambda match: match[1] + tables + match[2], sized(PAGE))
    return {PICTURE: picture(results), PAGE: page, README: sized(README)}


def main() -> None:
    for path, made in generate().items():
        path.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
