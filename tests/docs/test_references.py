"""The files and targets that the documents name exist, and the variables that the code reads are documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("ABI.md", "CONTRIBUTING.md", "README.md", "RELEASING.md", "SECURITY.md")
# Built, not kept.
BUILT = ("build/", "dist/")
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}


def code(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^ {4,}(\S.*)$", text, re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES)
def test_files_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    names = [name for name in code(page) if "/" in name and name.split("/")[0] in FOLDERS and " " not in name]
    names += [name for name in code(page) if re.fullmatch(r"[\w.-]+\.(md|toml|lock)|Makefile", name)]
    assert links or names
    missing = [name for name in (*links, *names) if not (ROOT / name).exists() and not name.startswith(BUILT)]
    assert [name for name in missing if "NOUN" not in name] == []


@pytest.mark.parametrize("page", PAGES)
def test_targets_exist(page: str) -> None:
    named = {
        target for text in code(page) for target in re.findall(r"\bmake ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)*)", text)
    }
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {target for targets_named in named for target in targets_named.split()} <= set(targets)


# By their form: AWS's, the proxies', the trust store's, and our own.
VARIABLE = re.compile(
    r'"(AWS_[A-Z0-9_]+|(?:HTTPS?|ALL|NO)_PROXY|SSL_CERT_[A-Z]+|LAMBDA_INVOKE_[A-Z]+|_X_AMZN_[A-Z_]+)"'
)
READERS = ("src/**/*.rs", "bindings/python/lambda_invoke/*.py", "bindings/go/*.go")


def test_every_variable_that_the_code_reads_is_documented() -> None:
    page = (ROOT / "docs/src/reference/environment.md").read_text(encoding="utf-8")
    read = {
        name
        for pattern in READERS
        for path in ROOT.glob(pattern)
        if not path.name.endswith("_test.go")
        for name in VARIABLE.findall(path.read_text(encoding="utf-8"))
    }
    assert len(read) > 30 and sorted(name for name in read if f"`{name}`" not in page) == []
