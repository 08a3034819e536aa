"""Programs outside the repository against an installation in a path with a space, linked both ways."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CC = shlex.split(os.environ.get("CC", "cc"))
CXX = shlex.split(os.environ.get("CXX", "c++"))
PREFIX = "/opt/lambda invoke"
GO_MODULE = "github.com/lambda-invoke/liblambda_invoke/bindings/go"


def readme(language: str) -> str:
    """The first program that README.md shows in a language."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None, language
    return found.group(1)


def run(command: list[str], **options: object) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
    return str(done.stdout)


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make install` puts under DESTDIR; both paths have a space."""
    destination = tmp_path_factory.mktemp("dest dir")
    # The umask is the strictest that administrators use.
    run(["make", "-C", str(ROOT), "install", f"DESTDIR={destination}", f"PREFIX={PREFIX}"], umask=0o077)
    return destination


@pytest.fixture(scope="session")
def installed(staged: Path) -> Path:
    """The installation, where the staged files lie."""
    return staged / PREFIX.lstrip("/")


def finds(staged: Path) -> dict[str, str]:
    """The environment in which pkg-config finds a staged installation."""
    return {
        **os.environ,
        "PKG_CONFIG_PATH": str(staged / PREFIX.lstrip("/") / "lib/pkgconfig"),
        "PKG_CONFIG_SYSROOT_DIR": str(staged),
    }


def pkg_config(staged: Path, *arguments: str) -> list[str]:
    """Flags as pkg-config gives them for a staged installation."""
    return shlex.split(run(["pkg-config", *arguments, "lambda_invoke"], env=finds(staged)))


def check_runs(program: Path, libraries: Path) -> None:
    """The program greets, through the local endpoint."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
    command = [str(ROOT / "local/lambda-local"), str(ROOT / "examples/functions"), "--", str(program)]
    assert "Hello, Ada!" in run(command, env=environment, timeout=60)


def needs_shared_library(program: Path) -> bool:
    return "liblambda_invoke.so.0" in run(["readelf", "-d", str(program)])


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("out side") / "program.c"
    file.write_text(readme("c"), encoding="utf-8")
    return file


@pytest.mark.parametrize("how", ["shared", "static"])
def test_cpp(staged: Path, installed: Path, tmp_path: Path, how: str) -> None:
    source, program = tmp_path / "program.cpp", tmp_path / "program"
    source.write_text(readme("cpp"), encoding="utf-8")
    flags = pkg_config(staged, "--static", "--cflags", "--libs")
    if how == "static":
        flags = ["-l:liblambda_invoke.a" if flag == "-llambda_invoke" else flag for flag in flags]
    run([*CXX, "-std=c++17", str(source), *flags, "-o", str(program)])
    assert needs_shared_library(program) == (how == "shared")
    check_runs(program, installed / "lib")


@pytest.fixture(scope="session")
def go_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of builds that knows no library of an earlier run: Go does not see that it is another."""
    return tmp_path_factory.mktemp("go-cache")


@pytest.mark.parametrize("how", ["shared", "static"])
def test_go(staged: Path, installed: Path, tmp_path: Path, go_cache: Path, how: str) -> None:
    folder, program = tmp_path / "out side", tmp_path / "program"
    folder.mkdir()
    (folder / "main.go").write_text(readme("go"), encoding="utf-8")
    (folder / "go.mod").write_text(
        f"module program\n\ngo 1.21\n\nrequire {GO_MODULE} v0.0.0\n\nreplace {GO_MODULE} => {ROOT / 'bindings/go'}\n",
        encoding="utf-8",
    )
    tags = ["-tags", "lambda_invoke_static"] if how == "static" else []
    environment = {**finds(staged), "GOCACHE": str(go_cache)}
    run(["go", "build", *tags, "-o", str(program), "."], cwd=folder, env=environment)
    assert needs_shared_library(program) == (how == "shared")
    check_runs(program, installed / "lib")


def test_c_shared(staged: Path, installed: Path, source: Path) -> None:
    program = source.with_name("c-shared")
    run([*CC, str(source), *pkg_config(staged, "--cflags", "--libs"), "-o", str(program)])
    assert needs_shared_library(program)
    check_runs(program, installed / "lib")


def test_c_static_library(staged: Path, installed: Path, source: Path) -> None:
    program = source.with_name("c-static")
    flags = pkg_config(staged, "--static", "--cflags", "--libs")
    flags = ["-l:liblambda_invoke.a" if flag == "-llambda_invoke" else flag for flag in flags]
    run([*CC, str(source), *flags, "-o", str(program)])
    assert not needs_shared_library(program)
    check_runs(program, installed / "nowhere")


def test_c_static_program(staged: Path, installed: Path, source: Path) -> None:
    program = source.with_name("c-all-static")
    run([*CC, "-static", str(source), *pkg_config(staged, "--static", "--cflags", "--libs"), "-o", str(program)])
    assert "INTERP" not in run(["readelf", "-l", str(program)])
    check_runs(program, installed / "nowhere")


@pytest.mark.parametrize("target", ["lambda_invoke", "static"])
def test_cmake(installed: Path, source: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "CMakeLists.txt").write_text(
        f"""cmake_minimum_required(VERSION 3.16)
project(outside C)
find_package(lambda_invoke 0.1 CONFIG REQUIRED)
add_executable(program "{source}")
target_link_libraries(program PRIVATE lambda_invoke::{target})
""",
        encoding="utf-8",
    )
    run(["cmake", "-S", str(tmp_path), "-B", str(tmp_path / "b"), f"-DCMAKE_PREFIX_PATH={installed}"])
    run(["cmake", "--build", str(tmp_path / "b")])
    assert needs_shared_library(tmp_path / "b/program") == (target == "lambda_invoke")
    check_runs(tmp_path / "b/program", installed / "nowhere")


def test_everybody_can_read_it(staged: Path) -> None:
    for path in staged.rglob("*"):
        mode = path.stat().st_mode & 0o777
        assert mode == (0o755 if path.is_dir() or ".so" in path.name else 0o644), f"{path} has {mode:o}"


def test_links_and_names(installed: Path) -> None:
    libraries = installed / "lib"
    assert os.readlink(libraries / "liblambda_invoke.so") == "liblambda_invoke.so.0"
    real = os.readlink(libraries / "liblambda_invoke.so.0")
    assert re.fullmatch(r"liblambda_invoke\.so\.\d+\.\d+\.\d+", real)
    assert (libraries / real).is_file()


def test_the_static_library_shows_nothing_else(installed: Path) -> None:
    listed = run(["nm", "--extern-only", "--defined-only", str(installed / "lib/liblambda_invoke.a")])
    names = {line.split()[-1] for line in listed.splitlines() if len(line.split()) == 3}
    symbols = (ROOT / "tests/abi/symbols.txt").read_text(encoding="utf-8")
    assert names == {line.split()[0] for line in symbols.splitlines()}


def test_notices_name_every_package_with_its_licence(installed: Path) -> None:
    notices = (installed / "share/doc/lambda_invoke/THIRD-PARTY-NOTICES").read_text(encoding="utf-8")
    for package in ("reqwest", "hyper", "rustls", "ring", "aws-sigv4", "tokio"):
        assert re.search(rf"^{package} \d+\.\d+\.\d+.* \(.+\)$", notices, re.MULTILINE), package
    assert "Permission is hereby granted" in notices and "Apache License" in notices
    assert str(ROOT) not in notices
