"""packaging/build_wheel.py: the wheels of other platforms, and what auditwheel finds in them."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

CC = shlex.split(os.environ.get("CC", "cc"))
PROCESSOR = platform.machine()
OTHER = {"x86_64": "aarch64", "aarch64": "x86_64"}[PROCESSOR]
LIBRARY = "liblambda_invoke.so.0"


def build(library: Path, tag: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "packaging" / "build_wheel.py"), "--library", str(library), "--platform", tag]
    return subprocess.run([*command, *options, str(folder)], capture_output=True, text=True)


def compile_library(folder: Path, *arguments: str) -> Path:
    """Compiles one that uses no C library unless told to, so that it can stand for that of any Linux."""
    source = folder / "library.c"
    # clock_gettime came into the C library itself with glibc 2.17.
    called = "clock_gettime(0, 0)" if "-lc" in arguments else "0"
    source.write_text(f"int clock_gettime(int, void *);\nint lambda_version_number(void) {{ return {called}; }}\n")
    library = folder / LIBRARY
    command = [*CC, "-shared", "-fPIC", "-nostdlib", f"-Wl,-soname,{LIBRARY}", "-o", library, source, *arguments]
    subprocess.run(command, check=True)
    return library


def needing(folder: Path, name: str) -> Path:
    """Returns a library that needs another of the given name."""
    subprocess.run(
        [*CC, "-shared", "-nostdlib", f"-Wl,-soname,{name}", "-o", folder / name, "-x", "c", os.devnull], check=True
    )
    return compile_library(folder, "-Wl,--no-as-needed", str(folder / name))


def needed(library: Path) -> str:
    return subprocess.run(["readelf", "--dynamic", library], check=True, capture_output=True, text=True).stdout


def test_glibc(tmp_path: Path) -> None:
    built = build(compile_library(tmp_path, "-lc"), f"manylinux_2_17_{PROCESSOR}", tmp_path / "dist")
    assert (built.returncode, built.stderr) == (0, "")
    (wheel,) = (tmp_path / "dist").iterdir()
    assert str(wheel) == built.stdout.strip()
    name, tags = wheel.stem.rsplit("-", 1)
    assert name == "lambda_invoke-0.1.0-py3-none"
    # The second is the name that pip knew before there were numbers.
    assert set(tags.split(".")) == {f"manylinux_2_17_{PROCESSOR}", f"manylinux2014_{PROCESSOR}"}
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        assert f"lambda_invoke/{LIBRARY}" in archive.namelist()
        assert archive.getinfo(f"lambda_invoke/{LIBRARY}").external_attr >> 16 & 0o777 == 0o755
        assert {path for path in archive.namelist() if path.endswith("licenses/THIRD-PARTY-NOTICES")}
        assert (
            f"Tag: py3-none-manylinux_2_17_{PROCESSOR}\n"
            in archive.read("lambda_invoke-0.1.0.dist-info/WHEEL").decode()
        )


def test_musl(tmp_path: Path) -> None:
    built = build(needing(tmp_path, "libc.so"), f"musllinux_1_2_{PROCESSOR}", tmp_path / "dist")
    assert (built.returncode, built.stderr) == (0, "")
    (wheel,) = (tmp_path / "dist").iterdir()
    assert wheel.name == f"lambda_invoke-0.1.0-py3-none-musllinux_1_2_{PROCESSOR}.whl"
    with zipfile.ZipFile(wheel) as archive:
        library = Path(archive.extract(f"lambda_invoke/{LIBRARY}", tmp_path))
    assert f"[libc.musl-{PROCESSOR}.so.1]" in needed(library) and "[libc.so]" not in needed(library)


def test_it_is_reproducible(tmp_path: Path) -> None:
    library = needing(tmp_path, "libc.so")
    for name in ("first", "second"):
        assert build(library, f"musllinux_1_2_{PROCESSOR}", tmp_path / name).returncode == 0
    (first,), (second,) = (tmp_path / "first").iterdir(), (tmp_path / "second").iterdir()
    assert first.read_bytes() == second.read_bytes()


class TestWhatDoesNotFit:
    def refused(self, library: Path, tag: str, folder: Path) -> str:
        refused = build(library, tag, folder / "dist")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert not (folder / "dist").exists()
        (message,) = refused.stderr.splitlines()
        assert message.startswith(f"{library} does not fit {tag}: ")
        return message

    def test_a_newer_c_library(self, tmp_path: Path) -> None:
        # That of this machine, on which no distribution is as old as 2014's.
        library = (ROOT / "build" / "lib" / LIBRARY).resolve()
        message = self.refused(
            library, f"manylinux_2_5_{PROCESSOR}" if PROCESSOR == "x86_64" else "manylinux_2_17_aarch64", tmp_path
        )
        assert "it fits manylinux_2_" in message and "libc.so.6 (GLIBC_" in message

    @pytest.mark.parametrize("name", ["libssl.so.3", "libc.so"])
    def test_a_library_that_not_every_system_has(self, name: str, tmp_path: Path) -> None:
        message = self.refused(needing(tmp_path, name), f"manylinux_2_17_{PROCESSOR}", tmp_path)
        assert message.endswith(f"it needs {name}, which not every such system has")

    def test_what_musl_systems_do_not_have(self, tmp_path: Path) -> None:
        message = self.refused(needing(tmp_path, "libgcc_s.so.1"), f"musllinux_1_2_{PROCESSOR}", tmp_path)
        assert message.endswith("it needs libgcc_s.so.1, which not every such system has")

    def test_another_processor(self, tmp_path: Path) -> None:
        message = self.refused(needing(tmp_path, "libc.so.6"), f"manylinux_2_17_{OTHER}", tmp_path)
        assert f"'{OTHER}' architecture" in message

    def test_another_c_library(self, tmp_path: Path) -> None:
        library = (ROOT / "build" / "lib" / LIBRARY).resolve()
        assert "musllinux" in self.refused(library, f"musllinux_1_2_{PROCESSOR}", tmp_path)


def test_arguments(tmp_path: Path) -> None:
    library = compile_library(tmp_path)
    for tag in ("linux_x86_64", "manylinux2014_x86_64", "manylinux_2_17", ""):
        assert "is not a platform: give one such as" in build(library, tag, tmp_path).stderr
    lost = build(tmp_path / "nowhere", "manylinux_2_17_x86_64", tmp_path)
    assert f"--library: there is no file {tmp_path / 'nowhere'}" in lost.stderr
    lost = build(library, "manylinux_2_17_x86_64", tmp_path, "--notices", str(tmp_path / "nowhere"))
    assert f"--notices: there is no file {tmp_path / 'nowhere'}" in lost.stderr
