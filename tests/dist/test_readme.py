"""The section Install of README.md: each line, by somebody who has the files of dist/ and nothing else."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging"))

import dist  # noqa: E402

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.split("\n## Install\n")[1].split("\n## ")[0]
# Lets packages be built without compiling the crate once more.
ARCHIVE = ROOT / "build/dist" / dist.TARGETS[0].name / "rust.a"
ENDPOINT = [str(ROOT / "local/lambda-local"), str(ROOT / "examples/functions"), "--"]

pytestmark = pytest.mark.skipif(not dist.TARGETS[0].tree.is_dir(), reason=f"dist/{dist.TARGETS[0].name} was not built")


def blocks(language: str, text: str = SECTION) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


LINES = [re.sub(r"\s+#.*", "", line) for block in blocks("sh") for line in block.splitlines()]
# Lines that other tests try, since they compile the crate.
ELSEWHERE = {
    "pip install lambda_invoke-0.1.0.tar.gz": "tests/packaging/test_python.py",
    "make install PREFIX=/usr/local": "tests/install/test_install.py",
    "cargo cinstall --locked --release --prefix=/usr/local": "tests/packaging/test_packages.py",
    "pip install ./bindings/python": "bindings/python/tests/test_wheel.py",
}


def line(beginning: str) -> str:
    (found,) = [line for line in LINES if line.startswith(beginning)]
    return found


def run(command: str | list[str], folder: Path, **variables: str) -> str:
    """Runs a line of a shell, or a command, in a folder; returns what it prints."""
    words = ["bash", "-euc", command] if isinstance(command, str) else command
    environment = {**os.environ, "MAKEFLAGS": "", **variables}
    done = subprocess.run(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout[-20_000:]}"
    return done.stdout


def greets(*program: str | Path, folder: Path, **variables: str) -> None:
    assert "Hello, Ada!" in run([*ENDPOINT, *map(str, program)], folder, **variables)


def needs(*tools: str) -> pytest.MarkDecorator:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder with the files of a release, and the first C program of README.md."""
    folder = tmp_path / "release"
    folder.mkdir()
    for path in dist.DIST.iterdir():
        if path.is_file() or path.name == "goproxy":
            (folder / path.name).symlink_to(path)
    (folder / "program.c").write_text(blocks("c", README)[0], encoding="utf-8")
    return folder


@pytest.fixture
def prefix(release: Path, tmp_path: Path) -> Path:
    """An installation in another folder than /usr/local."""
    folder = tmp_path / "local"
    folder.mkdir()
    run(line("tar ").replace("/usr/local", f"'{folder}'"), release)
    return folder


def archive() -> str:
    if not ARCHIVE.exists():
        pytest.skip(f"{ARCHIVE} does not exist, without which this test would compile the crate")
    return str(ARCHIVE)


def test_every_line_is_tried() -> None:
    beginnings = tuple(re.findall(r'\bline\("([^"]+)"\)', Path(__file__).read_text(encoding="utf-8")))
    for command in LINES:
        if command in ELSEWHERE:
            assert (ROOT / ELSEWHERE[command]).exists()
        else:
            assert command.startswith(beginnings), command
    assert not ELSEWHERE.keys() - set(LINES)
    # Every other one in the section is named above.
    assert set(re.findall(r"^```(\w+)$", SECTION, re.MULTILINE)) == {"sh", "cmake"}


@needs("cc", "pkg-config")
def test_c_by_pkg_config(prefix: Path, release: Path) -> None:
    run(line("cc program.c $("), release, PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig"))
    greets("./program", folder=release, LD_LIBRARY_PATH=str(prefix / "lib"))


@needs("cc")
def test_c_static(prefix: Path, release: Path) -> None:
    run(line("cc program.c -I").replace("/usr/local", f"'{prefix}'"), release)
    greets("./program", folder=release)


@needs("cmake", "cc")
@pytest.mark.parametrize("number", [0, 1], ids=["find_package", "FetchContent"])
def test_cmake(number: int, prefix: Path, release: Path) -> None:
    project = "cmake_minimum_required(VERSION 3.16)\nproject(outside C)\nadd_executable(program program.c)\n"
    (release / "CMakeLists.txt").write_text(project + blocks("cmake")[number], encoding="utf-8")
    variables = {"RUST_ARCHIVE": archive()} if number else {"CMAKE_PREFIX_PATH": str(prefix)}
    run(["cmake", "-S", ".", "-B", "b"], release, **variables)
    run(["cmake", "--build", "b"], release, **variables)
    greets("b/program", folder=release)


def test_python_wheel(release: Path, tmp_path: Path) -> None:
    run([sys.executable, "-m", "venv", str(tmp_path / "venv")], release)
    path = f"{tmp_path}/venv/bin{os.pathsep}{os.environ['PATH']}"
    run(line("pip install lambda_invoke-0.1.0-py3"), release, PATH=path, PIP_NO_INDEX="1")
    (release / "program.py").write_text(blocks("python", README)[0], encoding="utf-8")
    (release / "functions").symlink_to(ROOT / "examples/functions")
    printed = run("python -m lambda_invoke.local functions -- python program.py", release, PATH=path)
    assert "Hello, Ada!" in printed


@needs("go", "cc")
def test_go(release: Path, tmp_path: Path) -> None:
    if not (dist.DIST / "goproxy").is_dir():
        pytest.skip("dist/goproxy was not built")
    (release / "main.go").write_text(blocks("go", README)[0], encoding="utf-8")
    variables = {
        "GOPATH": str(tmp_path / "gopath"),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-modcacherw",
        "CGO_ENABLED": "1",
        # Nothing is installed.
        "PKG_CONFIG": "false",
    }
    run("go mod init program", release, **variables)
    run(line("GOPROXY="), release, **variables)
    # Without program.c, which go would compile too.
    (release / "program.c").unlink()
    run("go build -o program .", release, **variables)
    greets("./program", folder=release)


@needs("cargo")
@pytest.mark.timeout(1_800)
def test_rust(release: Path, tmp_path: Path) -> None:
    """With the compiled dependencies of the repository, where there are any."""
    run("tar -xf lambda_invoke-0.1.0.tar.xz", release)
    run("cargo init --vcs none --name program", release)
    (release / "src/main.rs").write_text(blocks("rust,no_run", README)[0], encoding="utf-8")
    # The versions that are there already.
    shutil.copy(ROOT / "Cargo.lock", release)
    variables = {"CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))}
    run(line("cargo add "), release, **variables)
    run("cargo check", release, **variables)


@needs("dpkg-source", "dpkg-buildpackage", "dh")
@pytest.mark.timeout(1_800)
def test_debian(release: Path) -> None:
    # -d: Rust need not come from a package.
    run(line("dpkg-source ").replace("-b -uc", "-b -uc -d"), release, RUST_ARCHIVE=archive())
    assert {path.name.split("_")[0] for path in release.glob("*.deb")} >= {"liblambda-invoke0", "liblambda-invoke-dev"}
    for package in release.glob("liblambda-invoke*.deb"):
        run(["dpkg-deb", "--extract", package.name, "root"], release)
    (library,) = (release / "root/usr/lib").glob("*/liblambda_invoke.so.0")
    run(f"cc program.c -Iroot/usr/include -L{library.parent} -llambda_invoke -o program", release)
    greets("./program", folder=release, LD_LIBRARY_PATH=str(library.parent))


@needs("rpmbuild")
@pytest.mark.timeout(1_800)
def test_rpm(release: Path, tmp_path: Path) -> None:
    top = tmp_path / "rpm"
    # --nodeps: this machine's Rust and C compiler need not come from packages of this kind.
    added = f"rpmbuild --nodeps --define '_topdir {top}' --dbpath '{top}/db' "
    run(line("rpmbuild ").replace("rpmbuild ", added, 1), release, RUST_ARCHIVE=archive())
    built = {path.name.rsplit("-", 2)[0] for path in top.rglob("RPMS/*/*.rpm")}
    assert {"lambda_invoke", "lambda_invoke-devel", "lambda_invoke-static"} <= built


def test_the_sources_contain_the_crates(release: Path) -> None:
    """So that packages are built without a network."""
    with tarfile.open(release / f"lambda_invoke-{dist.version()}.tar.xz") as packed:
        names = packed.getnames()
    top = f"lambda_invoke-{dist.version()}"
    locked = re.findall(r'^name = "(.+)"\nversion = "(.+)"\nsource', (ROOT / "Cargo.lock").read_text(), re.MULTILINE)
    assert {f"{top}/vendor/{name}-{version}/Cargo.toml" for name, version in locked} <= set(names)
    assert f"{top}/.cargo/config.toml" in names
