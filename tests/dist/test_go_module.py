"""The Go module of `make dist`, as its users get it: from a module proxy, with an empty cache, without the library."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging"))

import dist  # noqa: E402
import go_module  # noqa: E402

PROXY = dist.DIST / "goproxy"
ZIP = PROXY / go_module.MODULE / "@v" / f"{go_module.go_version()}.zip"

pytestmark = [
    pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed"),
    pytest.mark.skipif(not ZIP.exists(), reason="dist/goproxy was not built: run `make dist` first"),
]


class Project:
    """A program with the first Go program of README.md, and the caches of a new machine."""

    def __init__(self, folder: Path, build_cache: Path) -> None:
        self.folder = folder / "out side"
        self.folder.mkdir()
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        found = re.search(r"^```go\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
        assert found
        (self.folder / "main.go").write_text(found[1], encoding="utf-8")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("CGO_", "GO", "PKG_CONFIG"))},
            "GOPATH": str(folder / "gopath"),
            "GOCACHE": str(build_cache),
            "GOFLAGS": "-mod=mod -modcacherw",
            "GOPROXY": PROXY.as_uri(),
            "GONOSUMDB": "*",
            "GOSUMDB": "off",
            "GOTOOLCHAIN": "local",
            # Nothing is installed.
            "PKG_CONFIG": "false",
        }

    def go(self, *arguments: str, fails: bool = False, **variables: str) -> str:
        done = subprocess.run(
            ["go", *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"go {shlex.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def build_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Go's own packages need to be compiled once only; modules come anew for each test."""
    return tmp_path_factory.mktemp("gocache")


@pytest.fixture
def project(tmp_path: Path, build_cache: Path) -> Project:
    result = Project(tmp_path, build_cache)
    result.go("mod", "init", "program")
    result.go("get", f"{go_module.MODULE}@{go_module.go_version()}")
    return result


def check(program: Path, *emulator: str) -> None:
    needed = subprocess.run(["readelf", "-d", str(program)], capture_output=True, text=True, check=True).stdout
    assert "liblambda_invoke" not in needed
    endpoint = [str(ROOT / "local/lambda-local"), str(ROOT / "examples/functions"), "--"]
    done = subprocess.run([*endpoint, *emulator, str(program)], capture_output=True, text=True, check=False)
    assert "Hello, Ada!" in done.stdout, done.stdout + done.stderr


MUSL_GCC = {"GOARCH": "amd64", "CC": "musl-gcc"}
ROWS = {
    "linux_amd64": ("", {}, []),
    "linux_amd64_musl": ("musl", MUSL_GCC, []),
    "linux_arm64": (
        "",
        {"GOARCH": "arm64", "CC": "aarch64-linux-gnu-gcc"},
        ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"],
    ),
    "linux_arm64_musl": (
        "musl",
        {"GOARCH": "arm64", "CC": f"'{dist.TOOLS / 'python'}' -m ziglang cc -target aarch64-linux-musl -static"},
        ["qemu-aarch64-static"],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_program_is_built_with_nothing_installed(name: str, project: Project) -> None:
    tags, variables, emulator = ROWS[name]
    if not (dist.DIST / "go/internal" / name).is_dir():
        pytest.skip(f"the module was built without {name}")
    for command in (shlex.split(variables.get("CC", "cc")), emulator):
        if command and shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
    project.go("build", "-tags", tags, "-o", "program", ".", CGO_ENABLED="1", **variables)
    check(project.folder / "program", *emulator)


def test_vendoring_keeps_the_archives(project: Project) -> None:
    project.go("mod", "vendor")
    vendored = project.folder / "vendor" / go_module.MODULE / "internal"
    kept = {path.relative_to(vendored).parent.as_posix() for path in vendored.rglob("*.a")}
    assert kept == {path.name for path in (dist.DIST / "go/internal").iterdir()}
    project.go("build", "-mod=vendor", "-o", "program", ".", GOFLAGS="", GOPROXY="off")
    check(project.folder / "program")


REFUSALS = {
    "no cgo": (
        {"CGO_ENABLED": "0"},
        "lambdainvoke needs cgo: build with CGO_ENABLED=1 and a C compiler for the target",
    ),
    "another system": (
        {"CGO_ENABLED": "1", "GOOS": "freebsd", "CC": "cc"},
        "lambdainvoke contains the library for",
    ),
    # Go turns cgo off by itself, which is not what is wrong.
    "another system, without a compiler for it": (
        {"GOOS": "darwin", "GOARCH": "arm64"},
        "install liblambda_invoke for this system, and build with -tags lambda_invoke_shared",
    ),
    "another system, with an installed library, without cgo": (
        {"CGO_ENABLED": "0", "GOOS": "darwin", "GOFLAGS": "-mod=mod -modcacherw -tags=lambda_invoke_shared"},
        "lambdainvoke needs cgo: build with CGO_ENABLED=1 and a C compiler for the target",
    ),
    "another processor": (
        {"CGO_ENABLED": "1", "GOARCH": "s390x", "CC": "cc"},
        "install liblambda_invoke for this system, and build with -tags lambda_invoke_shared",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_where_it_cannot_work_one_sentence_says_so(name: str, project: Project) -> None:
    variables, sentence = REFUSALS[name]
    said = project.go("vet", "./...", fails=True, **variables)
    lines = [line for line in said.splitlines() if line and not line.startswith("#")]
    assert len(lines) == 1 and sentence in lines[0], said


def test_an_installed_library_is_taken_if_the_user_says_so(project: Project, tmp_path: Path) -> None:
    installed = dist.DIST / "x86_64-unknown-linux-gnu/lib"
    variables = {"PKG_CONFIG": "pkg-config", "PKG_CONFIG_PATH": str(installed / "pkgconfig")}
    project.go("build", "-tags", "lambda_invoke_shared", "-o", "program", ".", **variables)
    needed = subprocess.run(
        ["readelf", "-d", str(project.folder / "program")], capture_output=True, text=True, check=True
    ).stdout
    assert "liblambda_invoke.so.0" in needed


def test_nothing_in_the_module_needs_the_repository() -> None:
    tree = dist.DIST / "go"
    programs = {path for path in tree.rglob("*.go") if "\npackage main\n" in f"\n{path.read_text(encoding='utf-8')}"}
    assert not programs
    assert not [path for path in tree.rglob("*") if path.name.endswith("_test.go")]


def test_the_download_is_small() -> None:
    assert ZIP.stat().st_size <= go_module.LARGEST_DOWNLOAD
