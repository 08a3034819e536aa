"""The Markdown files of the repository, and the code that they show."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "docs/src"
# Built or installed, not kept.
BUILT = {"build", "dist", "target", "node_modules", ".git"}


def markdown() -> list[str]:
    """Every Markdown file, relative to the repository."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(str(path) for path in found if not BUILT & set(path.parts) and not path.name.startswith("."))


def book() -> list[str]:
    """The pages of the book."""
    return [name for name in markdown() if (ROOT / name).is_relative_to(BOOK)]


def snippets(file: str, language: str) -> list[str]:
    """The fenced blocks of a language, in a Markdown file or in the comments of a header."""
    text = re.sub(r"^ \* ?", "", (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def languages(file: str) -> set[str]:
    """The languages of a file's fenced blocks; "" is a block that names none."""
    fences = re.findall(r"^```(.*)$", (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {opening.split(",")[0].strip() for opening in fences[::2]}
