"""The picture of what a call costs, and the tables beside it, show benches/results.json; its own tables are whole."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pages import ROOT, markdown

sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "benches")]

import builds  # noqa: E402
import cases  # noqa: E402
import draw_cost  # noqa: E402
import report  # noqa: E402

RESULTS = json.loads(draw_cost.RESULTS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", draw_cost.generate(), ids=lambda path: path.name)
def test_a_file_is_fresh(path: Path) -> None:
    made = draw_cost.generate()[path]
    assert path.read_text(encoding="utf-8") == made, "run tools/draw_cost.py"


def test_the_results_tell_where_they_come_from() -> None:
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", RESULTS["date"])
    assert all(RESULTS[key] for key in ("run", "machine", "rounds", "versions"))


def test_the_size_is_that_of_the_library() -> None:
    megabytes = (ROOT / "build/lib/liblambda_invoke.so.0").stat().st_size / 1e6
    assert RESULTS["shipped_MB"]["c"] == pytest.approx(megabytes, rel=0.1), "run make bench"
    for path in (draw_cost.PAGE, draw_cost.README):
        assert len(draw_cost.SIZE.findall(path.read_text(encoding="utf-8"))) == 1


def test_the_results_have_every_case_and_every_number() -> None:
    for key, case in cases.CASES.items():
        for scheme in case.schemes:
            measured = RESULTS["medians"][f"{key}/{scheme}"]
            assert set(measured) == set(case.programs)
            assert all(set(numbers) == set(case.metrics) for numbers in measured.values())
    assert set(RESULTS["ratios"]) == {target.key for target in cases.TARGETS}


def test_every_ratio_is_of_programs_that_the_case_runs() -> None:
    for target in cases.TARGETS:
        case = cases.CASES[target.case]
        assert {target.ours, target.other} <= set(case.programs), target
        assert target.scheme in case.schemes and target.metric in case.metrics, target
    for metrics in (case.metrics for case in cases.CASES.values()):
        assert set(metrics) <= set(report.METRICS)
    assert {name for case in cases.CASES.values() for name in case.programs} == set(cases.PROGRAMS)
    assert set(cases.MOST_HANDSHAKES) <= set(cases.CASES["burst"].programs)


@pytest.mark.parametrize("name", cases.PROGRAMS)
def test_a_program_has_a_source(name: str) -> None:
    program = cases.PROGRAMS[name]
    assert program.made_by in builds.NEEDS
    command = Path(program.command[0])
    benches = ROOT / "benches"
    source = {
        "c": benches / f"programs/{command.name}.c",
        "curl": benches / f"programs/{command.name}.c",
        "rust": benches / f"peers/src/bin/{command.name}.rs",
        "go": benches / f"go/{command.name}/main.go",
        "python": benches / "programs/client.py",
    }[program.made_by]
    assert source.is_file()
    if program.made_by in ("c", "curl"):
        assert f'"{program.command[1]}"' in source.read_text(encoding="utf-8") or program.command[1] in (
            "blocking",
            "easy",
        )
    if program.made_by == "python":
        assert f'    "{program.command[-1]}": ' in source.read_text(encoding="utf-8")


def test_the_report_has_every_ratio_and_every_case() -> None:
    made = report.markdown(RESULTS)
    rows = report.ratio_rows(RESULTS)
    assert len(rows) == len(cases.TARGETS)
    # A ratio that is not reached is told to be so.
    for row, target in zip(rows, cases.TARGETS):
        if target.at_most is not None:
            assert row[-1] == ("yes" if RESULTS["ratios"][target.key] <= target.at_most else "no")
    assert all(f"| {case.title} |" in made for case in cases.CASES.values())


def test_a_run_of_some_cases_is_reported_too() -> None:
    part = {**RESULTS, "medians": {"one/http": RESULTS["medians"]["one/http"]}, "ratios": {}}
    made = report.markdown(part)
    assert cases.CASES["one"].title in made and cases.CASES["6MB"].title not in made


def test_the_picture_is_readable_in_light_and_dark_and_stays_inside() -> None:
    picture = ElementTree.parse(draw_cost.PICTURE).getroot()
    width, height = (float(picture.attrib[side]) for side in ("width", "height"))
    style = picture.findtext("{*}style") or ""
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    # Every colour has one for the other scheme.
    coloured = re.compile(r"^\s*(\S+) \{[^}]*(?:fill|stroke): #", re.MULTILINE)
    assert coloured.findall(light) and set(coloured.findall(light)) == set(coloured.findall(dark))
    bars = picture.findall("{*}rect[@x]")
    assert len(bars) == sum(len(rows) for _, _, rows in draw_cost.PANELS)
    for bar in bars:
        left, top, wide, high = (float(bar.attrib[side]) for side in ("x", "y", "width", "height"))
        assert left >= 0 and top >= 0 and left + wide <= width and top + high <= height


def test_no_other_page_repeats_the_numbers() -> None:
    tables = draw_cost.MARKED.search(draw_cost.PAGE.read_text(encoding="utf-8"))
    assert tables
    rows = [line for line in tables[0].splitlines() if line.startswith("| ") and re.search(r"\d", line)]
    page = str(draw_cost.PAGE.relative_to(ROOT))
    repeated = [
        (name, row)
        for name in markdown()
        if name != page
        for row in rows
        if row in (ROOT / name).read_text(encoding="utf-8")
    ]
    assert repeated == []
