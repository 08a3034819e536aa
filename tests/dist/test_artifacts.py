"""What the files of `make dist` need and contain, read from the files."""

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

SYMBOLS = [line.split()[0] for line in (ROOT / "tests/abi/symbols.txt").read_text(encoding="utf-8").splitlines()]
BUILT = [target for target in dist.TARGETS if target.tree.is_dir()]
LIBC = {
    "gnu": {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1"},
    "musl": {"libc.so"},
}
LOADERS = {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
# Folders that a builder's files lie in.
BUILDERS_PATH = re.compile(rb"/(?:home|root|tmp|work|Users|builds|var)/[\w.~+-]+")

each_target = pytest.mark.parametrize("target", BUILT, ids=lambda target: target.name)


def output(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def library(target: dist.Target) -> Path:
    return target.tree / "lib/liblambda_invoke.so.0"


def elf_files() -> list[Path]:
    """Every file that a dynamic loader reads, of all targets and in whatever is packed beside them."""
    files = [path for path in dist.DIST.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if path.suffix != ".debug" and path.read_bytes()[:4] == b"\x7fELF"]


def glibc_versions(text: str) -> list[tuple[int, ...]]:
    found = re.findall(r"\bGLIBC_(\d+(?:\.\d+)+)", text)
    return sorted(tuple(map(int, version.split("."))) for version in found)


def test_something_was_built() -> None:
    assert BUILT, "run `make dist` first"


@pytest.mark.parametrize("path", elf_files(), ids=lambda path: str(path.relative_to(dist.DIST)))
def test_the_newest_glibc_symbol_is_old_enough(path: Path) -> None:
    versions = glibc_versions(output("readelf", "--version-info", "--wide", path))
    allowed = tuple(map(int, dist.GLIBC.split(".")))
    assert not versions or versions[-1] <= allowed, f"needs glibc {versions[-1]}"
    # It is read at all.
    assert bool(versions) == ("musl" not in str(path))


@each_target
def test_the_library_exports_the_functions_with_their_version(target: dist.Target) -> None:
    lines = output("readelf", "--dyn-syms", "--wide", library(target)).splitlines()
    rows = [line.split() for line in lines]
    exported = {row[7] for row in rows if len(row) >= 8 and row[6] != "UND" and row[4] in ("GLOBAL", "WEAK")}
    assert exported == {f"{name}@@LAMBDA_0" for name in SYMBOLS} | {"LAMBDA_0"} & exported


@each_target
def test_the_library_needs_only_libc(target: dist.Target) -> None:
    dynamic = output("readelf", "--dynamic", "--wide", library(target))
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic))
    assert needed <= LIBC["gnu" if target.is_glibc else "musl"] | LOADERS
    assert "[liblambda_invoke.so.0]" in dynamic and "NODELETE" in dynamic


@each_target
def test_the_library_is_hardened(target: dist.Target) -> None:
    dynamic = output("readelf", "--dynamic", "--wide", library(target))
    segments = output("readelf", "--segments", "--wide", library(target))
    assert "BIND_NOW" in dynamic and "GNU_RELRO" in segments
    (stack,) = [line for line in segments.splitlines() if "GNU_STACK" in line]
    assert "RWE" not in stack
    assert not re.search(r"TEXTREL|RPATH|RUNPATH", dynamic)
    assert not [line for line in segments.splitlines() if " LOAD " in line and re.search(r"\bRWE\b", line)]
    assert "__stack_chk_fail" in output("readelf", "--dyn-syms", "--wide", library(target))


@each_target
def test_the_archive_shows_only_the_functions(target: dist.Target) -> None:
    table = output("readelf", "--symbols", "--wide", target.tree / "lib/liblambda_invoke.a")
    rows = [line.split() for line in table.splitlines()]
    shown = [row for row in rows if len(row) == 8 and row[4] in ("GLOBAL", "WEAK") and row[6] != "UND"]
    assert {row[7] for row in shown} == set(SYMBOLS)
    assert {row[5] for row in shown} == {"HIDDEN"}


def uncompressed(path: Path, folder: Path) -> bytes:
    """Returns the contents of a file, those of compressed debug information included."""
    if path.suffix != ".debug":
        return path.read_bytes()
    out = folder / path.name
    output(dist.llvm_tools() / "llvm-objcopy", "--decompress-debug-sections", path, out)
    return out.read_bytes()


@each_target
def test_no_file_names_a_folder_of_its_builder(target: dist.Target, tmp_path: Path) -> None:
    for path in target.tree.rglob("*"):
        if path.is_file():
            data = uncompressed(path, tmp_path)
            assert str(ROOT).encode() not in data, path
            if path.suffix in (".a", ".debug") or ".so" in path.name:
                # Paths that programs use at run time stay.
                found = {
                    match for match in BUILDERS_PATH.findall(data) if not match.startswith((b"/var/run", b"/tmp/."))
                }
                assert not found, path


@each_target
def test_the_debug_information_belongs_to_the_library(target: dist.Target) -> None:
    real = library(target).resolve()
    separate = real.parent / ".debug" / f"{real.name}.debug"
    ids = [re.search(r"Build ID: (\w+)", output("readelf", "--notes", path)) for path in (real, separate)]
    assert ids[0] and ids[1] and ids[0][1] == ids[1][1]
    assert separate.name in output("readelf", "--string-dump=.gnu_debuglink", real)
    assert ".debug_line" in output("readelf", "--sections", "--wide", separate)
    assert ".debug_line" not in output("readelf", "--sections", "--wide", real)


@each_target
def test_the_archive_of_the_release_has_everything(target: dist.Target) -> None:
    top = f"{dist.NAME}-{dist.version()}-{target.name}"
    with tarfile.open(dist.DIST / f"{top}.tar.xz") as packed:
        entries = packed.getmembers()
    names = {entry.name.removeprefix(f"{top}/") for entry in entries}
    assert {entry.name.split("/")[0] for entry in entries} == {top}
    assert {(entry.uid, entry.gid) for entry in entries} == {(0, 0)}
    assert names >= {
        "include/lambda_invoke.h",
        "include/lambda_invoke.hpp",
        "lib/liblambda_invoke.a",
        "lib/liblambda_invoke.so",
        f"lib/liblambda_invoke.so.{dist.version()}",
        f"lib/.debug/liblambda_invoke.so.{dist.version()}.debug",
        "lib/pkgconfig/lambda_invoke.pc",
        "lib/cmake/lambda_invoke/lambda_invoke-config.cmake",
        "share/man/man3/lambda_invoke.3",
        "share/doc/lambda_invoke/THIRD-PARTY-NOTICES",
    }
    sums = (dist.DIST / "SHA256SUMS").read_text(encoding="utf-8")
    assert f"  {top}.tar.xz\n" in sums


@pytest.mark.parametrize("how", ["shared", "static"])
def test_a_program_is_built_from_the_archive_of_the_release(how: str, tmp_path: Path) -> None:
    """As README.md says, in a folder with a space."""
    target = dist.TARGETS[0]
    if target not in BUILT:
        pytest.skip(f"dist/{target.name} was not built")
    top = f"{dist.NAME}-{dist.version()}-{target.name}"
    with tarfile.open(dist.DIST / f"{top}.tar.xz") as packed:
        packed.extractall(tmp_path / "any where")
    tree = tmp_path / "any where" / top
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^```c\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert found
    (tmp_path / "program.c").write_text(found[1], encoding="utf-8")
    if how == "static":
        flags = [f"-I{tree / 'include'}", str(tree / "lib/liblambda_invoke.a"), "-lm"]
    else:
        environment = {**os.environ, "PKG_CONFIG_PATH": str(tree / "lib/pkgconfig")}
        command = ["pkg-config", "--cflags", "--libs", "lambda_invoke"]
        flags = shlex.split(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    output("cc", tmp_path / "program.c", *flags, f"-Wl,-rpath,{tree / 'lib'}", "-o", tmp_path / "program")
    endpoint = (ROOT / "local/lambda-local", ROOT / "examples/functions", "--")
    assert "Hello, Ada!" in output(*endpoint, tmp_path / "program")


@pytest.mark.skipif(shutil.which("lintian") is None, reason="lintian is not installed")
@pytest.mark.timeout(3_600)
def test_lintian_finds_nothing_in_the_source_package() -> None:
    """Takes 2 minutes of a free core, since lintian reads the files of all crates.

    The binary packages, for which it unpacks nothing of that kind, are in tests/packaging/test_packages.py.
    """
    description = dist.DIST / f"lambda-invoke_{dist.version()}-1.dsc"
    if not description.exists():
        pytest.skip(f"{description.name} was not built")
    output("lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", description)
