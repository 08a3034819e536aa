"""The pages that are generated from the header are fresh, complete, and read without a warning."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT

sys.path.insert(0, str(ROOT / "tools"))

import c_header  # noqa: E402
import generate_pages  # noqa: E402
from generate_bindings import OF_STREAMS  # noqa: E402
from generate_pages import Block, blocks, book_text, man_text  # noqa: E402

HEADER = c_header.read()
MAN = [ROOT / name for name in generate_pages.GENERATED if name.startswith("man/")]


@pytest.mark.parametrize("name", generate_pages.GENERATED)
def test_a_page_is_fresh(name: str) -> None:
    path = ROOT / name
    assert path.read_text(encoding="utf-8") == generate_pages.generate(HEADER)[path], f"{name}: run make header"


@pytest.mark.parametrize("name", ["man/lambda_invoke.3", "docs/src/reference/functions.md"])
def test_everything_has_its_place(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    fields = [one.name for struct in HEADER.structs for one in struct.fields]
    declared = [*HEADER.functions, *HEADER.callbacks]
    missing = [one.name for one in declared if not re.search(rf"\b{one.name}\b\)?\(", text)]
    missing += [one for one in fields if not re.search(rf"\b{one}\b", text)]
    assert (missing, [one for one in HEADER.opaque if one not in text]) == ([], [])


@pytest.mark.parametrize("name", ["man/lambda_invoke.7", "docs/src/reference/numbers.md"])
def test_every_number_has_its_place(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\-", "-")
    missing = [
        one.name
        for one in HEADER.numbers
        if one.name not in OF_STREAMS and not re.search(rf"{one.name}\b[`|\\fR (]+{one.value}\b", text)
    ]
    assert missing == []


def test_the_conventions_are_in_the_concepts() -> None:
    text = (ROOT / "man/lambda_invoke.7").read_text(encoding="utf-8")
    labels = [block.label for block in blocks(HEADER.conventions) if block.label]
    assert len(labels) > 5 and [label for label in labels if f"\\fB{label}\\fR" not in text] == []


def complaints(page: Path) -> list[str]:
    """What the tools of this machine have against a page."""
    found = []
    for command in (["mandoc", "-T", "lint", "-W", "style"], ["groff", "-man", "-ww", "-z", "-K", "utf8"]):
        if shutil.which(command[0]):
            done = subprocess.run([*command, str(page)], capture_output=True, text=True, check=False)
            found += (done.stdout + done.stderr).splitlines()
    # The pages have none: see generate_pages.py.
    return [line for line in found if "missing date" not in line]


needs_a_tool = pytest.mark.skipif(
    os.environ.get("CI") != "true" and not (shutil.which("mandoc") or shutil.which("groff")),
    reason="no mandoc, no groff",
)


@needs_a_tool
@pytest.mark.parametrize("page", MAN, ids=lambda page: page.name)
def test_a_man_page_has_no_fault(page: Path) -> None:
    assert complaints(page) == []


@needs_a_tool
def test_a_fault_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.3"
    page.write_text(MAN[0].read_text(encoding="utf-8") + ".XX no such macro\n", encoding="utf-8")
    assert complaints(page)


def test_blocks() -> None:
    comment = (
        "Does it.\nMore.\n\nNames    first\n         second\nABI      third\n\n@param it  the\n  thing\n@return 0\n"
        "```c\ncode();\n\nmore();\n```\nAfter."
    )
    assert list(blocks(comment)) == [
        Block("Does it. More."),
        Block("first second", label="Names"),
        Block("third", label="ABI"),
        Block("the thing", label="it"),
        Block("0", label="Return value"),
        Block("code();\n\nmore();\n", is_code=True),
        Block("After."),
    ]


@pytest.mark.parametrize(
    ("text", "man", "book"),
    [
        ("a lambda_x", "a \\fBlambda_x\\fR", "a `lambda_x`"),
        ("LAMBDA_RETRY_*; `a_b`", "\\fBLAMBDA_RETRY_\\fR*; \\fBa_b\\fR", "`LAMBDA_RETRY_*`; `a_b`"),
        (".a 'b' -1 \\", "\\&.a \\(aqb\\(aq \\-1 \\e", ".a 'b' -1 \\\\"),
        ("<a> *b_c* `", "<a> *b_c* \\(ga", "\\<a\\> \\*b\\_c\\* \\`"),
        ("One. Two.", "One.\nTwo.", "One. Two."),
    ],
)
def test_text(text: str, man: str, book: str) -> None:
    assert (man_text(text), book_text(text)) == (man, book)
