"""The picture of what a call costs, and the tables beside it, show benches/results.json."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pages import ROOT, markdown

sys.path.insert(0, str(ROOT / "tools"))

import draw_cost  # noqa: E402

RESULTS = json.loads(draw_cost.RESULTS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", draw_cost.generate(), ids=lambda path: path.name)
def test_a_file_is_fresh(path: Path) -> None:
    made = draw_cost.generate()[path]
    assert path.read_text(encoding="utf-8") == made, "run tools/draw_cost.py"


def test_the_results_tell_where_they_come_from() -> None:
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", RESULTS["date"])
    assert all(RESULTS[key] for key in ("run", "machine", "servers"))


def test_the_size_is_that_of_the_library() -> None:
    megabytes = (ROOT / "build/lib/liblambda_invoke.so.0").stat().st_size / 1e6
    assert RESULTS["shared_library_MB"] == pytest.approx(megabytes, rel=0.1), "renew shared_library_MB in results.json"
    for path in (draw_cost.PAGE, draw_cost.README):
        assert len(draw_cost.SIZE.findall(path.read_text(encoding="utf-8"))) == 1


def test_every_row_has_every_number() -> None:
    process, call = RESULTS["first_response_of_a_new_process"], RESULTS["cpu_us_per_call_by_calling_threads"]
    assert len(process["rows"]) == len(process["ms"]) == len(process["MiB"])
    assert len(call["rows"]) == len(call["us"])
    assert {len(row) for row in call["us"]} == {len(call["threads"])}


def test_the_picture_is_readable_in_light_and_dark_and_stays_inside() -> None:
    picture = ElementTree.parse(draw_cost.PICTURE).getroot()
    width, height = (float(picture.attrib[side]) for side in ("width", "height"))
    style = picture.findtext("{*}style") or ""
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    # Every colour has one for the other scheme.
    coloured = re.compile(r"^\s*(\S+) \{[^}]*(?:fill|stroke): #", re.MULTILINE)
    assert coloured.findall(light) and set(coloured.findall(light)) == set(coloured.findall(dark))
    for bar in picture.iterfind("{*}rect[@x]"):
        left, top, wide, high = (float(bar.attrib[side]) for side in ("x", "y", "width", "height"))
        assert left >= 0 and top >= 0 and left + wide <= width and top + high <= height


def test_no_other_page_repeats_the_numbers() -> None:
    rows = [" | ".join(f"{us:g}" for us in row) for row in RESULTS["cpu_us_per_call_by_calling_threads"]["us"]]
    page = str(draw_cost.PAGE.relative_to(ROOT))
    repeated = [
        (name, row)
        for name in markdown()
        if name != page
        for row in rows
        if row in (ROOT / name).read_text(encoding="utf-8")
    ]
    assert repeated == []
