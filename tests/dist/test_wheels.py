"""The Python wheels of `make dist`, and the source distribution beside them."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging"))

import dist  # noqa: E402

CALL = """
import lambda_invoke
print(lambda_invoke.Client().invoke("hello", {"name": "Ada"}).json()["greeting"])
"""


def find_wheel(target: dist.Target) -> Path:
    found = list(dist.DIST.glob(f"lambda_invoke-{dist.version()}-py3-none-*{target.wheel}*.whl"))
    if not found:
        pytest.skip(f"dist/ has no wheel for {target.wheel}")
    assert len(found) == 1, found
    return found[0]


each_target = pytest.mark.parametrize("target", dist.TARGETS, ids=lambda target: target.name)


@each_target
def test_a_wheel_has_the_library_and_its_licences(target: dist.Target) -> None:
    wheel = find_wheel(target)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        library = archive.read("lambda_invoke/liblambda_invoke.so.0")
        (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
        tags = Parser().parsestr(archive.read(f"{info}/WHEEL").decode()).get_all("Tag", [])
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        notices = archive.read(f"{info}/licenses/THIRD-PARTY-NOTICES")
    assert names >= {"lambda_invoke/__init__.py", "lambda_invoke/py.typed", "lambda_invoke/local/__main__.py"}
    # Old versions of pip know manylinux_2_17 by its older name only.
    aliases = {f"manylinux2014_{target.architecture}"} if target.is_glibc else set()
    assert set(tags) == {f"py3-none-{platform}" for platform in {target.wheel} | aliases}
    assert set(re.split(r"[.-]", wheel.stem)[-len(tags) :]) == {target.wheel} | aliases
    assert metadata["Version"] == dist.version()
    assert "THIRD-PARTY-NOTICES" in metadata.get_all("License-File", [])
    assert notices == (target.tree / "share/doc/lambda_invoke/THIRD-PARTY-NOTICES").read_bytes()
    released = (target.tree / "lib/liblambda_invoke.so.0").read_bytes()
    if target.is_glibc:
        assert library == released
    else:
        # The name of musl differs, for auditwheel.
        assert f"libc.musl-{target.architecture}.so.1".encode() in library
        assert len(library) >= len(released)


@each_target
def test_auditwheel_finds_that_a_wheel_runs_on_its_platform(target: dist.Target) -> None:
    shown = subprocess.run(
        [str(Path(sys.executable).parent / "auditwheel"), "show", "--ldpaths", "", str(find_wheel(target))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert f'consistent with the following platform tag: "{target.wheel}"' in " ".join(shown.stdout.split())


# What a machine needs to run a wheel of another system: a root folder with its C library and Python. For aarch64,
# Debian's package python3 with what it depends on, unpacked. Debian has no Python for musl.
ROOTS = {"aarch64-unknown-linux-gnu": "PYTHON_AARCH64"}


def test_a_wheel_is_installed_without_a_network_and_invokes(tmp_path: Path) -> None:
    """As somebody does who has a Python, and nothing of this repository but a folder of functions."""
    target = dist.TARGETS[0]
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv/bin/python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-index", str(find_wheel(target))]
    subprocess.run(pip, check=True, cwd=tmp_path)
    endpoint = [str(python), "-m", "lambda_invoke.local", str(ROOT / "examples/functions"), "--"]
    done = subprocess.run(
        [*endpoint, str(python), "-c", CALL],
        cwd=tmp_path,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello, Ada!\n", "")


@pytest.mark.parametrize("target", dist.TARGETS[1:], ids=lambda target: target.name)
def test_a_wheel_for_another_system_loads(target: dist.Target, tmp_path: Path) -> None:
    variable = ROOTS.get(target.name)
    if variable is None:
        pytest.skip(f"the wheel for {target.wheel} was not run: Debian has no Python for that system")
    if variable not in os.environ:
        pytest.skip(f"the wheel for {target.wheel} was not run: {variable} names no folder with a Python for it")
    root = os.environ[variable]
    with zipfile.ZipFile(find_wheel(target)) as archive:
        archive.extractall(tmp_path)
    program = "import lambda_invoke; print(lambda_invoke.__version__, lambda_invoke.Client(region='eu-west-1'))"
    python = f"{root}/usr/bin/python3"
    emulator = ["qemu-aarch64-static", "-L", root, "-E", f"PYTHONHOME={root}/usr", "-E", f"PYTHONPATH={tmp_path}"]
    done = subprocess.run([*emulator, python, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{dist.version()} ")


def test_the_checksums_are_those_of_the_files() -> None:
    lines = (dist.DIST / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {line.split("  ")[1]: line.split("  ")[0] for line in lines}
    files = {path.name for path in dist.DIST.iterdir() if path.is_file() and path.name != "SHA256SUMS"}
    assert sums.keys() == files
    for name, expected in sums.items():
        assert hashlib.sha256((dist.DIST / name).read_bytes()).hexdigest() == expected, name
