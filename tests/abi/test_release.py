"""Everything that has a version agrees with Cargo.toml, and the checks of a release find what does not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import generate_bindings  # noqa: E402
import release_check  # noqa: E402

FILES = [
    "Cargo.toml",
    "Cargo.lock",
    "CHANGELOG.md",
    "Makefile",
    "README.md",
    "build.rs",
    "bindings/python/backend.py",
    "bindings/python/lambda_invoke/_abi.py",
    "include/lambda_invoke.h",
    "include/lambda_invoke.hpp",
    "packaging/debian/changelog",
    "packaging/lambda_invoke.spec",
    "packaging/lambda_invoke.wrap",
    *generate_bindings.GENERATED,
]
VERSION = release_check.package_version(ROOT)
NUMBER = release_check.version_number(VERSION)


@pytest.mark.parametrize("check", release_check.CHECKS, ids=lambda check: check.__name__)
def test_all_agree(check: release_check.Check) -> None:
    assert list(check(ROOT)) == []


# By what is wrong: the check that finds it, the file, what it has, what it has then, and what is said of that.
FAULTS = {
    "lock": (
        "check_lock_file",
        "Cargo.lock",
        f'lambda_invoke"\nversion = "{VERSION}',
        'lambda_invoke"\nversion = "9.9.9',
        "9.9.9",
    ),
    "header": ("check_header", "include/lambda_invoke.h", "VERSION_MAJOR 0", "VERSION_MAJOR 9", "make header"),
    "python": (
        "check_header",
        "bindings/python/lambda_invoke/_table.py",
        f'"{VERSION}"',
        '"9.9.9"',
        "_table.py is stale",
    ),
    "go": ("check_header", "bindings/go/numbers.go", f"from {VERSION}", "from 9.9.9", "numbers.go is stale"),
    "c++": ("check_cpp_header", "include/lambda_invoke.hpp", f">= {NUMBER},", ">= 9,", "asserts .* >= 9"),
    "spec": (
        "check_packages",
        "packaging/lambda_invoke.spec",
        f"Version:        {VERSION}",
        "Version:        9.9.9",
        "lambda_invoke.spec",
    ),
    "debian": ("check_packages", "packaging/debian/changelog", f"({VERSION}-", "(9.9.9-", "debian/changelog"),
    "wrap": ("check_packages", "packaging/lambda_invoke.wrap", f"v{VERSION}", "v9.9.9", "lambda_invoke.wrap"),
    "readme": (
        "check_packages",
        "README.md",
        f"invoke-{VERSION}.tar.gz",
        "invoke-9.9.9.tar.gz",
        "README.md names .*9.9.9",
    ),
    "symbol": (
        "check_records",
        "tests/abi/symbols.txt",
        "lambda_invoke 0.1.0",
        "lambda_invoke 9.9.9",
        "lambda_invoke 9.9.9",
    ),
    "number": (
        "check_records",
        "tests/abi/numbers.txt",
        "LAMBDA_OK 0 0.1.0",
        "LAMBDA_OK 0 9.9.9",
        "LAMBDA_OK 0 9.9.9",
    ),
    "soname": ("check_abi_number", "build.rs", "invoke.so.0", "invoke.so.9", "build.rs names liblambda_invoke.so.9"),
    "loaded": ("check_abi_number", "bindings/python/lambda_invoke/_abi.py", "so.0", "so.9", "_abi.py names"),
    "wheel": ("check_abi_number", "bindings/python/backend.py", "so.0", "so.9", "backend.py names"),
    "heading": ("check_changelog", "CHANGELOG.md", "## [Unreleased]", "## Unreleased", "does not begin"),
    "date": ("check_changelog", "CHANGELOG.md", "## [Unreleased]", "## [Unreleased]\n\n## [0.0.9]", "0.0.9"),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_agree_is_found(fault: str, copy: Path) -> None:
    check, name, old, new, message = FAULTS[fault]
    path = copy / name
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new), encoding="utf-8")
    problems = "\n".join(getattr(release_check, check)(copy))
    assert re.search(message, problems), problems


def test_a_release_is_of_a_commit_without_a_tag(copy: Path) -> None:
    def git(*arguments: str) -> None:
        settings = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgSign=false"]
        subprocess.run(["git", *settings, *arguments], cwd=copy, check=True, stdout=subprocess.DEVNULL)

    git("init", "--quiet")
    assert "not committed" in "\n".join(release_check.check_repository(copy))
    git("add", ".")
    git("commit", "--quiet", "--message", "all")
    assert list(release_check.check_repository(copy)) == []
    git("tag", f"v{VERSION}")
    assert f"v{VERSION} exists" in "\n".join(release_check.check_repository(copy))


CHANGELOGS = {
    f"## [Unreleased]\n\n## [{VERSION}] - 2026-01-31\n\n- All.\n": [],
    f"## [Unreleased]\n\n- More.\n\n## [{VERSION}] - 2026-01-31\n\n- All.\n": ["[Unreleased] is not empty"],
    "## [Unreleased]\n\n## [0.0.1] - 2026-01-31\n\n- All.\n": [f"has no entries for [{VERSION}]"],
    "## [Unreleased]\n\n- All.\n": ["[Unreleased] is not empty", f"has no entries for [{VERSION}]"],
}


@pytest.mark.parametrize("sections", CHANGELOGS)
def test_the_changelog_of_a_release(sections: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Cargo.toml", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{sections}", encoding="utf-8")
    assert list(release_check.check_changelog(tmp_path)) == []
    problems = list(release_check.check_changelog_of_release(tmp_path))
    assert len(problems) == len(CHANGELOGS[sections])
    for said, problem in zip(CHANGELOGS[sections], problems):
        assert said in problem
