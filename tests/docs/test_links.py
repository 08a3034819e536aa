"""Links in the Markdown files lead somewhere: to files and headings that exist. Nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import BOOK, ROOT, book, markdown

# The repository's own pages on the web are its files.
REPOSITORY = "https://github.com/lambda-invoke/liblambda_invoke/"
INLINE = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^\s)>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]^]+\]:\s+<?(\S+?)>?(?:\s|$)", re.MULTILINE)
HTML = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=\"([^\"]+)\"")
INCLUDE = re.compile(r"^\{\{#include ([^}:]+)\}\}$", re.MULTILINE)


def without_code(text: str) -> str:
    """The text with the code of its blocks and spans taken out."""
    text = re.sub(r"^(```+).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "``", text)


def links(text: str) -> list[str]:
    return [link for form in (INLINE, REFERENCE, HTML) for link in form.findall(without_code(text))]


def anchors(text: str) -> set[str]:
    """The ids that a page's headings get, on GitHub and in the book alike."""
    found: set[str] = set()
    prose = re.sub(r"^(```+).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#{1,6} +(.+?)(?: +#+)?$", prose, re.MULTILINE):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        plain = re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")
        anchor, number = plain, 0
        while anchor in found:
            number += 1
            anchor = f"{plain}-{number}"
        found.add(anchor)
    return found


def fault(link: str, page: Path, root: Path) -> str | None:
    """What is wrong with a link of a page; `None`: nothing that can be seen from here."""
    if link.startswith(REPOSITORY):
        match = re.fullmatch(r"(?:blob|tree)/main/(.*)", link[len(REPOSITORY) :])
        if match is None:
            return None
        target, _, anchor = match[1].partition("#")
        path = root / target
    elif re.match(r"[a-z][a-z+.-]*:", link):
        return None if re.match(r"https://\w|mailto:\w", link) else "is neither https nor a path"
    else:
        target, _, anchor = link.partition("#")
        path = page.parent / target if target else page
    if not path.exists():
        return f"{target} does not exist"
    if not path.resolve().is_relative_to(root):
        return f"{target} is not in the repository"
    if path.suffix == ".md" and anchor and anchor not in anchors(whole(path)):
        return f"{target or page.name} has no heading #{anchor}"
    return None


def whole(page: Path) -> str:
    """A page with the files that it includes."""
    text = page.read_text(encoding="utf-8")
    return INCLUDE.sub(lambda match: whole((page.parent / match[1]).resolve()), text)


def faults(page: Path, root: Path) -> list[str]:
    found = ((link, fault(link, page, root)) for link in links(page.read_text(encoding="utf-8")))
    return [f"{page.relative_to(root)}: {link}: {wrong}" for link, wrong in found if wrong]


@pytest.mark.parametrize("name", markdown())
def test_links_lead_somewhere(name: str) -> None:
    assert faults(ROOT / name, ROOT) == []


def test_there_are_links() -> None:
    assert sum(len(links((ROOT / name).read_text(encoding="utf-8"))) for name in markdown()) > 50


def test_the_summary_has_every_page_once() -> None:
    summary = (BOOK / "SUMMARY.md").read_text(encoding="utf-8")
    listed = [f"docs/src/{link}" for link in links(summary)]
    assert sorted(listed) == sorted(set(book()) - {"docs/src/SUMMARY.md"})


def included() -> Iterator[tuple[Path, Path]]:
    """The files that the book's pages include, each with the page."""
    for name in book():
        for target in INCLUDE.findall((ROOT / name).read_text(encoding="utf-8")):
            yield ROOT / name, (ROOT / name).parent / target


def test_included_files_exist_and_work_in_the_book() -> None:
    # A relative link would be one from the page that includes.
    wrong = [
        (str(page.relative_to(ROOT)), link)
        for page, file in included()
        for link in links(file.read_text(encoding="utf-8"))
        if fault(link, page, ROOT) or not re.match(r"https://|#", link)
    ]
    assert list(included()) and wrong == []


def test_pages_of_the_book_link_within_the_book() -> None:
    # What stands outside is not there when the book is read.
    outside = [
        (name, link)
        for name in book()
        for link in links((ROOT / name).read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:|#", link)
        and not ((ROOT / name).parent / link.partition("#")[0]).resolve().is_relative_to(BOOK)
    ]
    assert outside == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[a](there.md) [b](there.md#a-heading) [c](#here) ![d](picture.svg)\n\n# Here", []),
        ("[a](there.md#a-heading-1)", []),
        (f"[a]({REPOSITORY}blob/main/folder/page.md) [b]({REPOSITORY}issues)", []),
        ("`[a](nowhere.md)` ``[a](`nowhere.md)``\n\n```md\n[a](nowhere.md)\n```", []),
        ("[a](nowhere.md)", ["nowhere.md"]),
        ("[`a` b](nowhere.md)", ["nowhere.md"]),
        ("[![a](picture.svg)](nowhere.md)", ["nowhere.md"]),
        ("[a](there.md#no-heading)", ["there.md#no-heading"]),
        ("[a](#nothing)", ["#nothing"]),
        ("[a][b]\n\n[b]: nowhere.md", ["nowhere.md"]),
        ('<img alt="a" src="nowhere.svg">', ["nowhere.svg"]),
        ("[a](http://example.com)", ["http://example.com"]),
        ("[a](../../outside.md)", ["../../outside.md"]),
        (f"[a]({REPOSITORY}blob/main/nowhere.md)", [f"{REPOSITORY}blob/main/nowhere.md"]),
    ],
)
def test_faults_are_found(text: str, wrong: list[str], tmp_path: Path) -> None:
    root, page = tmp_path / "root", tmp_path / "root/folder/page.md"
    page.parent.mkdir(parents=True)
    page.write_text(text, encoding="utf-8")
    (root / "folder/picture.svg").touch()
    (root / "folder/there.md").write_text(
        "# A heading\n\n```sh\n# no heading\n```\n\n## `A` [heading](x)\n", encoding="utf-8"
    )
    (tmp_path / "outside.md").touch()
    assert [found.split(": ")[1] for found in faults(page, root)] == wrong
