"""Writes the results of a benchmark as Markdown: ratios, beside those that are wanted, and medians."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cases import CASES, MOST_HANDSHAKES, PROGRAMS, TARGETS

METRICS = {
    "cpu_us": "CPU, us a call",
    "wall_us": "wall, us a call",
    "cpu_ms": "CPU, ms",
    "wall_ms": "wall, ms",
    "first_byte_us": "first byte, us",
    "process_ms": "ms",
    "rss_mib": "MiB",
    "handshakes": "new handshakes",
}


def table(heads: list[str], rows: list[list[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


def ratio_rows(results: dict[str, Any]) -> list[list[str]]:
    rows = []
    for target in TARGETS:
        ratio = results["ratios"].get(target.key)
        if ratio is None:
            continue
        at_most = "" if target.at_most is None else f"{target.at_most:g}"
        reached = "" if target.at_most is None else "yes" if ratio <= target.at_most else "no"
        what = f"{CASES[target.case].title}, {target.scheme}: {METRICS[target.metric].split(',')[0]}"
        rows.append([what, PROGRAMS[target.ours].title, PROGRAMS[target.other].title, f"{ratio:g}", at_most, reached])
    return rows


def handshake_rows(results: dict[str, Any]) -> list[list[str]]:
    """The same columns, with a count in the place of a ratio."""
    rows = []
    for name, most in MOST_HANDSHAKES.items():
        for scheme in CASES["burst"].schemes:
            if numbers := results["medians"].get(f"burst/{scheme}", {}).get(name):
                count = numbers["handshakes"]
                what = f"{CASES['burst'].title}, {scheme}: {METRICS['handshakes']}"
                reached = "yes" if count <= most else "no"
                rows.append([what, PROGRAMS[name].title, "", f"{count:g}", str(most), reached])
    return rows


def case_table(key: str, results: dict[str, Any]) -> list[str]:
    """A row for each program, a column for each number over http and over https."""
    case = CASES[key]
    schemes = [scheme for scheme in case.schemes if results["medians"].get(f"{key}/{scheme}")]
    heads = [case.title, *(f"{METRICS[metric]}, {scheme}" for scheme in schemes for metric in case.metrics)]
    rows = []
    for name in case.programs:
        measured = [results["medians"][f"{key}/{scheme}"].get(name) for scheme in schemes]
        if measured and all(measured):
            rows.append(
                [PROGRAMS[name].title, *(f"{found[metric]:g}" for found in measured for metric in case.metrics)]
            )
    return table(heads, rows) if rows else []


def shipped_table(results: dict[str, Any]) -> list[str]:
    rows = [[PROGRAMS[name].title, f"{size:g}"] for name, size in results["shipped_MB"].items()]
    return table(["what must be shipped", "MB"], rows)


def origin(results: dict[str, Any]) -> str:
    rounds = f"{results['rounds']} round{'s' if results['rounds'] > 1 else ''}"
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return (
        f"From one run of `{results['run']}` on {results['date']}: {results['machine']}; the endpoint is on the same "
        f"machine, on a core of its own. Medians of {rounds}. {versions}."
    )


def markdown(results: dict[str, Any], wanted: bool = True) -> str:
    """The whole report. wanted: with the ratios that are wanted."""
    heads = ["case", "of", "to", "ratio", "at most", "reached"]
    columns = len(heads) if wanted else heads.index("at most")
    rows = [row[:columns] for row in ratio_rows(results) + (handshake_rows(results) if wanted else [])]
    lines = ["## Ratios", "", *table(heads[:columns], rows), "## Medians", ""]
    for key in CASES:
        lines += case_table(key, results)
    lines += [*shipped_table(results), origin(results), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
