"""Programs whose build system builds the library from these sources: CMake and Meson, in folders with a space."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from compilers import require  # noqa: E402

# What meson.build asks for.
MESON_VERSION = "0.56"

ADD_SUBDIRECTORY = """cmake_minimum_required(VERSION 3.16)
project(outside C)
add_subdirectory("{root}" lambda_invoke)
"""
FETCH_CONTENT = """cmake_minimum_required(VERSION 3.16)
project(outside C)
include(FetchContent)
FetchContent_Declare(lambda_invoke SOURCE_DIR "{root}")
FetchContent_MakeAvailable(lambda_invoke)
"""
PROGRAMS = """
add_executable(shared program.c)
target_link_libraries(shared PRIVATE lambda_invoke::lambda_invoke)
add_executable(static program.c)
target_link_libraries(static PRIVATE lambda_invoke::static)
"""
MESON = """project('outside', 'c')
executable('program', 'program.c', dependencies: dependency('lambda_invoke'))
"""


def run(*command: object, **variables: str) -> str:
    words = list(map(str, command))
    environment = {**os.environ, **variables}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


def check(program: Path, needs_shared_library: bool) -> None:
    assert ("liblambda_invoke.so.0" in run("readelf", "-d", program)) == needs_shared_library
    endpoint = (ROOT / "local/lambda-local", ROOT / "examples/functions", "--")
    assert "Hello, Ada!" in run(*endpoint, program)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the first program of README.md."""
    folder = tmp_path / "out side"
    folder.mkdir()
    found = re.search(r"^```c\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    (folder / "program.c").write_text(found[1], encoding="utf-8")
    return folder


@pytest.mark.parametrize("how", [ADD_SUBDIRECTORY, FETCH_CONTENT], ids=["add_subdirectory", "FetchContent"])
@pytest.mark.parametrize("generator", ["Unix Makefiles", "Ninja"])
def test_cmake(project: Path, how: str, generator: str) -> None:
    require("cmake", "3.16")
    if generator == "Ninja":
        require("ninja", "1.5")
    (project / "CMakeLists.txt").write_text(how.format(root=ROOT) + PROGRAMS, encoding="utf-8")
    run("cmake", "-G", generator, "-S", project, "-B", project / "b")
    run("cmake", "--build", project / "b")
    check(project / "b/shared", True)
    check(project / "b/static", False)
    # Nothing to do is nothing done.
    program = project / "b/static"
    before = program.stat().st_mtime_ns
    run("cmake", "--build", project / "b")
    assert program.stat().st_mtime_ns == before


@pytest.mark.parametrize("how", ["shared", "static"])
def test_meson_builds_the_subproject(project: Path, how: str) -> None:
    require("meson", MESON_VERSION)
    subprojects = project / "subprojects"
    subprojects.mkdir()
    # What a download by the wrap file would leave here.
    shutil.copy(ROOT / "packaging/lambda_invoke.wrap", subprojects)
    (subprojects / "lambda_invoke").symlink_to(ROOT)
    (project / "meson.build").write_text(MESON, encoding="utf-8")
    run("meson", "setup", f"-Ddefault_library={how}", project / "b", project, PKG_CONFIG_LIBDIR="/nonexistent")
    run("meson", "compile", "-C", project / "b")
    check(project / "b/program", how == "shared")


# A target that is certainly another one, with a compiler that is here.
CROSS_CMAKE = ("-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=s390x")
CROSS_MESON = """[binaries]
c = 'cc'
[properties]
skip_sanity_check = true
[host_machine]
system = 'linux'
cpu_family = 's390x'
cpu = 's390x'
endian = 'big'
"""


def run_for_another_system(*command: object, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "CARGO_BUILD_TARGET"}
    environment.update(variables)
    words = list(map(str, command))
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def configure_with_cmake(project: Path, build: str, **variables: str) -> subprocess.CompletedProcess[str]:
    require("cmake", "3.16")
    (project / "CMakeLists.txt").write_text(ADD_SUBDIRECTORY.format(root=ROOT) + PROGRAMS, encoding="utf-8")
    return run_for_another_system("cmake", *CROSS_CMAKE, "-S", project, "-B", project / build, **variables)


def configure_with_meson(project: Path, build: str, **variables: str) -> subprocess.CompletedProcess[str]:
    require("meson", MESON_VERSION)
    subproject = project / "subprojects/lambda_invoke"
    if not subproject.exists():
        subproject.parent.mkdir()
        shutil.copy(ROOT / "packaging/lambda_invoke.wrap", subproject.parent)
        subproject.symlink_to(ROOT)
    (project / "meson.build").write_text(MESON, encoding="utf-8")
    (project / "cross.ini").write_text(CROSS_MESON, encoding="utf-8")
    setup = ("meson", "setup", "--cross-file", project / "cross.ini", "--wrap-mode=forcefallback")
    return run_for_another_system(*setup, project / build, project, **variables)


@pytest.mark.parametrize("configure", [configure_with_cmake, configure_with_meson])
def test_the_library_of_this_machine_is_not_built_for_another(
    configure: Callable[..., subprocess.CompletedProcess[str]], project: Path
) -> None:
    refused = configure(project, "a")
    assert refused.returncode != 0
    said = " ".join(refused.stdout.split())
    assert "set CARGO_BUILD_TARGET" in said and "s390x" in said, refused.stdout
    accepted = configure(project, "b", CARGO_BUILD_TARGET="s390x-unknown-linux-gnu")
    assert accepted.returncode == 0, accepted.stdout


def test_meson_finds_an_installation(project: Path, tmp_path: Path) -> None:
    require("meson", MESON_VERSION)
    prefix = tmp_path / "prefix"
    run("make", "-C", ROOT, "install", f"PREFIX={prefix}")
    (project / "meson.build").write_text(MESON, encoding="utf-8")
    run("meson", "setup", project / "b", project, PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig"))
    run("meson", "compile", "-C", project / "b")
    check(project / "b/program", True)


@pytest.mark.parametrize(
    ("prints", "reason"),
    [
        ("echo 0.55.3", "has version 0.55.3, and 0.56 is needed"),
        ("echo 'a tool, version 0.9 (of 2019)'", "has version 0.9, and 0.56 is needed"),
        ("echo none; exit 1", "does not tell its version"),
        (None, "is not installed"),
        ("echo 0.56.0", ""),
        ("echo version 1.10.2-dirty", ""),
    ],
)
def test_a_tool_is_asked_for_its_version(prints: str | None, reason: str, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    if prints is not None:
        tool.write_text(f"#!/bin/sh\n{prints}\n", encoding="utf-8")
        tool.chmod(0o755)
    if not reason:
        require(str(tool), "0.56")
        return
    with pytest.raises(pytest.skip.Exception, match=re.escape(reason)):
        require(str(tool), "0.56")
