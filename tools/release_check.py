"""Checks that everything is consistent before a release (`make release-check`; RELEASING.md has the steps).

Cargo.toml alone states the version. `make header` and the Makefile derive everything else from it, and CHECKS compare
the files that repeat it; tests/abi/test_release.py runs these with every test run. RELEASE_CHECKS only hold for a
release.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import c_header
import generate_bindings
from c_header import ROOT

Check = Callable[[Path], Iterator[str]]


def text(root: Path, name: str) -> str:
    return (root / name).read_text(encoding="utf-8")


def found(root: Path, name: str, pattern: str) -> str:
    match = re.search(pattern, text(root, name), re.MULTILINE)
    return match[1] if match else f"nothing that matches {pattern}"


def package_version(root: Path) -> str:
    return found(root, "Cargo.toml", r'^version = "(\d+\.\d+\.\d+)"$')


def version_number(version: str) -> int:
    major, minor, patch = map(int, version.split("."))
    return major * 1_000_000 + minor * 1_000 + patch


def check_lock_file(root: Path) -> Iterator[str]:
    locked = found(root, "Cargo.lock", r'^name = "lambda_invoke"\nversion = "(.+)"$')
    if locked != package_version(root):
        yield f"Cargo.lock has version {locked}; renew it with: cargo update --workspace"


def check_header(root: Path) -> Iterator[str]:
    header = c_header.read(root / "include" / "lambda_invoke.h")
    if header.dotted_version != package_version(root):
        yield f"include/lambda_invoke.h has version {header.dotted_version}; renew it with: make header"
        return
    try:
        for path, wanted in generate_bindings.generate(header, root).items():
            if path.read_text(encoding="utf-8") != wanted:
                yield f"{path.relative_to(root)} is stale; renew it with: make header"
    except generate_bindings.AbiError as error:
        yield str(error)


def check_cpp_header(root: Path) -> Iterator[str]:
    version = package_version(root)
    wanted = f"LAMBDA_VERSION_MAJOR == {version.split('.')[0]} && LAMBDA_VERSION_NUMBER >= {version_number(version)}"
    guard = found(root, "include/lambda_invoke.hpp", r"^static_assert\((.*),$")
    if guard != wanted:
        yield f"include/lambda_invoke.hpp asserts {guard}; the C header needs {wanted}"


def check_records(root: Path) -> Iterator[str]:
    newest = version_number(package_version(root))
    for name in ("tests/abi/symbols.txt", "tests/abi/numbers.txt"):
        for line in text(root, name).splitlines():
            if version_number(line.split()[-1]) > newest:
                yield f"{name}: {line}: has a version later than that of Cargo.toml"


def check_packages(root: Path) -> Iterator[str]:
    """Compares what packagers and users read, which states the version itself."""
    version = re.escape(package_version(root))
    wanted = {
        "packaging/lambda_invoke.spec": rf"^Version: +({version})$",
        "packaging/debian/changelog": rf"\Alambda-invoke \(({version})-\d+\) ",
        "packaging/lambda_invoke.wrap": rf"^revision = v({version})$",
    }
    for name, pattern in wanted.items():
        if found(root, name, pattern) != package_version(root):
            yield f"{name} does not begin with version {package_version(root)}"
    for file, other in re.findall(r"(lambda[_-]invoke[_-](\d+\.\d+\.\d+)[^\s`]*)", text(root, "README.md")):
        if other != package_version(root):
            yield f"README.md names {file}, which is not of version {package_version(root)}"


def check_abi_number(root: Path) -> Iterator[str]:
    """Compares the numbers of the ABI, which is not the version, in the files of each language."""
    number = found(root, "Makefile", r"^ABI := (\d+)$")
    for name in ("build.rs", "bindings/python/lambda_invoke/_abi.py", "bindings/python/backend.py"):
        other = found(root, name, r'= "liblambda_invoke\.so\.(.+)"')
        if other != number:
            yield f"{name} names liblambda_invoke.so.{other}; the Makefile has ABI {number}"


def check_rust_version(root: Path) -> Iterator[str]:
    """Checks that the minimum supported Rust version is the greatest that a dependency requires."""
    stated = found(root, "Cargo.toml", r'^rust-version = "(.+)"$')
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    metadata = json.loads(subprocess.run(command, cwd=root, stdout=subprocess.PIPE, check=True).stdout)
    required: dict[tuple[int, ...], str] = {}
    for package in metadata["packages"]:
        if package["rust_version"] and package["name"] != "lambda_invoke":
            required[tuple(map(int, package["rust_version"].split(".")))] = package["name"]
    if tuple(map(int, stated.split("."))) != max(required):
        wanted = ".".join(map(str, max(required)))
        yield f"Cargo.toml: rust-version is {stated}, but {required[max(required)]} requires {wanted}"


def check_changelog(root: Path) -> Iterator[str]:
    sections = re.findall(r"^## \[(.+?)\](.*)$", text(root, "CHANGELOG.md"), re.MULTILINE)
    if not sections or sections[0] != ("Unreleased", ""):
        yield 'CHANGELOG.md does not begin with the section "## [Unreleased]"'
    for name, rest in sections[1:]:
        if not re.fullmatch(r"\d+\.\d+\.\d+", name) or not re.fullmatch(r" - \d{4}-\d\d-\d\d", rest):
            yield f'CHANGELOG.md: the heading "## [{name}]{rest}" is not of the form "## [1.2.3] - 2026-01-31"'


CHECKS: list[Check] = [
    check_lock_file,
    check_header,
    check_cpp_header,
    check_records,
    check_packages,
    check_abi_number,
    check_rust_version,
    check_changelog,
]


def check_changelog_of_release(root: Path) -> Iterator[str]:
    version = package_version(root)
    parts = re.split(r"^## \[(.+?)\].*$", text(root, "CHANGELOG.md"), flags=re.MULTILINE)
    contents = dict(zip(parts[1::2], parts[2::2]))
    if contents.get("Unreleased", "").strip():
        yield f"CHANGELOG.md: [Unreleased] is not empty; move its entries to [{version}]"
    if not contents.get(version, "").strip():
        yield f"CHANGELOG.md has no entries for [{version}]"


def check_repository(root: Path) -> Iterator[str]:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, stdout=subprocess.PIPE, check=True, text=True).stdout

    if git("status", "--porcelain"):
        yield "the work tree has changes that are not committed"
    # Go requires the folder of a module before the version.
    for tag in (f"v{package_version(root)}", f"bindings/go/v{package_version(root)}"):
        if git("tag", "--list", tag):
            yield f"the tag {tag} exists already; raise the version in Cargo.toml"


RELEASE_CHECKS: list[Check] = [check_changelog_of_release, check_repository]


def main() -> None:
    problems = [problem for check in (*CHECKS, *RELEASE_CHECKS) for problem in check(ROOT)]
    if problems:
        sys.exit("\n".join([f"{package_version(ROOT)} cannot be released:", *(f"- {problem}" for problem in problems)]))
    print(f"{package_version(ROOT)} can be released")


if __name__ == "__main__":
    main()
