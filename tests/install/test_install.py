"""Programs outside the repository against an installation in a path with a space, linked both ways."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from compilers import require  # noqa: E402

CC = shlex.split(os.environ.get("CC", "cc"))
CXX = shlex.split(os.environ.get("CXX", "c++"))
C_FLAGS = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-pedantic", "-Werror", "-pthread"]
PREFIX = "/opt/lambda invoke"
IN_CI = os.environ.get("CI") == "true"
FOUND_BY_THREAD_SANITIZER = 66
FOUND_BY_VALGRIND = 99
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


def static(flags: list[str]) -> list[str]:
    """Flags that take the static library although the shared one is installed too."""
    return ["-l:liblambda_invoke.a" if flag == "-llambda_invoke" else flag for flag in flags]


def run_local(command: list[str], **environment: str) -> str:
    """Standard output of a command that succeeds and invokes functions of the local endpoint."""
    endpoint = [str(ROOT / "local/lambda-local"), str(ROOT / "examples/functions"), "--"]
    return run([*endpoint, *command], env={**os.environ, **environment}, timeout=120)


def check_runs(program: Path, libraries: Path) -> None:
    """The program greets, through the local endpoint."""
    assert "Hello, Ada!" in run_local([str(program)], LD_LIBRARY_PATH=str(libraries))


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
        flags = static(flags)
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
    flags = static(pkg_config(staged, "--static", "--cflags", "--libs"))
    run([*CC, str(source), *flags, "-o", str(program)])
    assert not needs_shared_library(program)
    check_runs(program, installed / "nowhere")


@pytest.fixture(scope="session")
def hosts(staged: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The program that loads plugins, by how it has its copy of the library."""
    folder = tmp_path_factory.mktemp("hosts")
    cflags = pkg_config(staged, "--cflags")
    libraries = {
        "shared": pkg_config(staged, "--libs"),
        # All that it has is there for plugins.
        "static": ["-rdynamic", *static(pkg_config(staged, "--static", "--libs"))],
    }
    for how, flags in libraries.items():
        run([*CC, *C_FLAGS, *cflags, str(HERE / "host.c"), *flags, "-o", str(folder / how)])
    return {how: folder / how for how in libraries}


@pytest.fixture(scope="session")
def plugins(staged: Path, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The plugin with a copy of the library inside, by what it was built with."""
    folder = tmp_path_factory.mktemp("plugins")
    flags = static(pkg_config(staged, "--static", "--cflags", "--libs"))
    options = ["-fPIC", "-fvisibility=hidden", "-shared", "-Wl,-z,nodelete"]
    run([*CC, *C_FLAGS, *options, str(HERE / "plugin.c"), *flags, "-o", str(folder / "plugin.so")])
    (folder / "CMakeLists.txt").write_text(
        f"""cmake_minimum_required(VERSION 3.16)
project(plugin C)
find_package(lambda_invoke 0.1 CONFIG REQUIRED)
add_library(plugin MODULE "{HERE / "plugin.c"}")
set_target_properties(plugin PROPERTIES C_VISIBILITY_PRESET hidden)
target_link_libraries(plugin PRIVATE lambda_invoke::static)
""",
        encoding="utf-8",
    )
    run(["cmake", "-S", str(folder), "-B", str(folder / "b"), f"-DCMAKE_PREFIX_PATH={installed}"])
    run(["cmake", "--build", str(folder / "b")])
    return {"pkg-config": folder / "plugin.so", "cmake": folder / "b/libplugin.so"}


BUILT_WITH = ["pkg-config", "cmake"]


@pytest.mark.parametrize("built_with", BUILT_WITH)
def test_a_plugin_exports_only_its_own(built_with: str, plugins: dict[str, Path]) -> None:
    listed = run(["nm", "--dynamic", "--defined-only", "--format=posix", str(plugins[built_with])])
    assert [line.split()[0] for line in listed.splitlines()] == ["plugin_call", "plugin_version"]
    assert "NODELETE" in run(["readelf", "--dynamic", str(plugins[built_with])])


@pytest.mark.parametrize("built_with", BUILT_WITH)
@pytest.mark.parametrize("how", ["shared", "static"])
def test_a_plugin_calls_its_own_copy(
    how: str, built_with: str, installed: Path, hosts: dict[str, Path], plugins: dict[str, Path]
) -> None:
    run_local([str(hosts[how]), str(plugins[built_with])], LD_LIBRARY_PATH=str(installed / "lib"))


# Calls by way of a name lookup, which the address of the local endpoint does not need.
BY_NAME = ["sh", "-c", 'AWS_ENDPOINT_URL_LAMBDA=http://localhost:${AWS_ENDPOINT_URL_LAMBDA##*:} exec "$@"', "sh"]
FORGETFUL = """
#include <lambda_invoke.h>
int main(void) {
    return lambda_invoke(NULL, NULL) == NULL;
}
"""
without_valgrind = pytest.mark.skipif(
    shutil.which("valgrind") is None and not IN_CI,
    reason="valgrind is not installed: its suppressions were not checked",
)


def under_valgrind(staged: Path, code: str, folder: Path, wrapper: list[str]) -> int:
    """The exit status of a program under valgrind with the suppressions that are installed."""
    installed = staged / PREFIX.lstrip("/")
    source, program = folder / "program.c", folder / "program"
    source.write_text(code, encoding="utf-8")
    run([*CC, "-g", str(source), *pkg_config(staged, "--cflags", "--libs"), "-o", str(program)])
    suppressions = f"--suppressions={installed / 'share/lambda_invoke/valgrind.supp'}"
    options = ["-q", "--leak-check=full", f"--error-exitcode={FOUND_BY_VALGRIND}", suppressions]
    endpoint = [str(ROOT / "local/lambda-local"), str(ROOT / "examples/functions"), "--"]
    done = subprocess.run(
        [*endpoint, *wrapper, "valgrind", *options, str(program)],
        env={**os.environ, "LD_LIBRARY_PATH": str(installed / "lib")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == (FOUND_BY_VALGRIND if done.stderr else 0), done.stderr
    return done.returncode


@without_valgrind
@pytest.mark.parametrize("wrapper", [[], BY_NAME], ids=["by-address", "by-name"])
def test_valgrind_finds_nothing_in_the_readmes_program(staged: Path, tmp_path: Path, wrapper: list[str]) -> None:
    assert under_valgrind(staged, readme("c"), tmp_path, wrapper) == 0


@without_valgrind
def test_valgrind_still_finds_what_a_program_forgets(staged: Path, tmp_path: Path) -> None:
    assert under_valgrind(staged, FORGETFUL, tmp_path, []) == FOUND_BY_VALGRIND


def check_under_thread_sanitizer(staged: Path, folder: Path, flags: list[str], suppressions: Path | None) -> str:
    """What ThreadSanitizer says of the program whose threads share a client."""
    probe = folder / "probe.c"
    probe.write_text("int main(void) { return 0; }\n", encoding="utf-8")
    sanitize = ["-g", "-fsanitize=thread"]
    # Without it ThreadSanitizer cannot place its memory on some kernels.
    fixed = ["setarch", "-R"] if shutil.which("setarch") else []
    for command in ([*CC, *sanitize, str(probe), "-o", str(folder / "probe")], [*fixed, str(folder / "probe")]):
        if not IN_CI and subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip(f"{CC} has no ThreadSanitizer that works here: its suppressions were not checked")
    program = folder / "program"
    libraries = pkg_config(staged, "--cflags", "--libs")
    run([*CC, *C_FLAGS, *sanitize, *flags, str(HERE / "threads.c"), *libraries, "-o", str(program)])
    options = "" if suppressions is None else f"suppressions='{suppressions}'"
    endpoint = [str(ROOT / "local/lambda-local"), str(ROOT / "examples/functions"), "--"]
    done = subprocess.run(
        [*endpoint, *fixed, str(program)],
        env={**os.environ, "LD_LIBRARY_PATH": str(staged / PREFIX.lstrip("/") / "lib"), "TSAN_OPTIONS": options},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == (FOUND_BY_THREAD_SANITIZER if done.stderr else 0), done.stderr
    return done.stderr


def test_thread_sanitizer_is_silent_about_the_library(staged: Path, installed: Path, tmp_path: Path) -> None:
    suppressions = installed / "share/lambda_invoke/thread-sanitizer.supp"
    assert check_under_thread_sanitizer(staged, tmp_path, [], suppressions) == ""
    # Which it is not by itself.
    assert "liblambda_invoke.so" in check_under_thread_sanitizer(staged, tmp_path, [], None)


def test_thread_sanitizer_still_finds_the_programs_own_races(staged: Path, installed: Path, tmp_path: Path) -> None:
    suppressions = installed / "share/lambda_invoke/thread-sanitizer.supp"
    found = check_under_thread_sanitizer(staged, tmp_path, ["-DRACE"], suppressions)
    assert "threads.c" in found and "liblambda_invoke.so" not in found


def test_c_static_program(staged: Path, installed: Path, source: Path) -> None:
    program = source.with_name("c-all-static")
    run([*CC, "-static", str(source), *pkg_config(staged, "--static", "--cflags", "--libs"), "-o", str(program)])
    assert "INTERP" not in run(["readelf", "-l", str(program)])
    check_runs(program, installed / "nowhere")


@pytest.mark.parametrize("target", ["lambda_invoke", "static"])
def test_cmake(installed: Path, source: Path, tmp_path: Path, target: str) -> None:
    require("cmake", "3.16")
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


def test_an_installation_may_be_moved(installed: Path, source: Path, tmp_path: Path) -> None:
    # Without a space: with --define-prefix pkgconf escapes it, inside the quotation marks once more.
    moved = tmp_path / "elsewhere"
    shutil.copytree(installed, moved, symlinks=True)
    finder = ["pkg-config", "--define-prefix", "--cflags", "--libs", "lambda_invoke"]
    environment = {**os.environ, "PKG_CONFIG_PATH": str(moved / "lib/pkgconfig")}
    flags = shlex.split(run(finder, env=environment))
    assert f"-I{moved}/include" in flags and f"-L{moved}/lib" in flags
    run([*CC, str(source), *flags, "-o", str(tmp_path / "program")])
    check_runs(tmp_path / "program", moved / "lib")


def test_uninstall_removes_all_that_install_put_there(tmp_path: Path) -> None:
    folders = [f"DESTDIR={tmp_path / 'dest dir'}", f"PREFIX={PREFIX}", f"LIBDIR={PREFIX}/lib/x86_64-linux-gnu"]
    run(["make", "-C", str(ROOT), "install", *folders])
    prefix = tmp_path / "dest dir" / PREFIX.lstrip("/")
    own = prefix / "include/another.h"
    own.write_text("", encoding="utf-8")
    assert len([path for path in prefix.rglob("*") if not path.is_dir()]) > 60
    run(["make", "-C", str(ROOT), "uninstall", *folders])
    assert [path for path in prefix.rglob("*") if not path.is_dir()] == [own]


def test_a_static_program_without_pkg_config(installed: Path, source: Path) -> None:
    """As README.md says."""
    program = source.with_name("c-by-hand")
    run(
        [
            *CC,
            f"-I{installed / 'include'}",
            str(source),
            str(installed / "lib/liblambda_invoke.a"),
            "-lm",
            "-o",
            str(program),
        ]
    )
    assert not needs_shared_library(program)
    check_runs(program, installed / "nowhere")


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
    lines = (ROOT / "tests/abi/symbols.txt").read_text(encoding="utf-8").splitlines()
    assert names == {line.split()[0] for line in lines}
    table = run(["readelf", "--symbols", "--wide", str(installed / "lib/liblambda_invoke.a")])
    assert names == set(re.findall(r"GLOBAL +HIDDEN +\d+ (\w+)$", table, re.MULTILINE))


def test_notices_name_every_package_with_its_licence(installed: Path) -> None:
    notices = (installed / "share/doc/lambda_invoke/THIRD-PARTY-NOTICES").read_text(encoding="utf-8")
    for package in ("reqwest", "hyper", "rustls", "ring", "aws-sigv4", "tokio"):
        assert re.search(rf"^{package} \d+\.\d+\.\d+.* \(.+\)$", notices, re.MULTILINE), package
    assert "Permission is hereby granted" in notices and "Apache License" in notices
    titles = re.findall(r"^[a-z][\w-]* \d+\.\d+\.\d+.* \(.+\)$", notices, re.MULTILINE)
    # Once in the list, and at least once above a text.
    assert not [title for title in titles if titles.count(title) < 2]
    assert "Copyright (c) 2021 Nugine" in notices
    assert str(ROOT) not in notices


def test_every_function_has_a_manual_page(installed: Path) -> None:
    header = (installed / "include/lambda_invoke.h").read_text(encoding="utf-8")
    functions = re.findall(r"^(?:LAMBDA_MUST_USE )?[a-z][^(\n]*\b(lambda_\w+)\(", header, re.MULTILINE)
    pages = installed / "share/man"
    texts = [(pages / f"man3/{name}.3").read_text(encoding="utf-8") for name in functions]
    assert len(functions) > 40 and all(f"{name}" in text for name, text in zip(functions, texts))
    assert "CONVENTIONS" in (pages / "man7/lambda_invoke.7").read_text(encoding="utf-8")
