"""The Python wheels of `make dist`, and the source distribution beside them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging"))

import debian_roots  # noqa: E402
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


def test_a_wheel_invokes_on_a_machine_that_has_python_and_nothing_else(tmp_path: Path) -> None:
    """Debian's python3 without certificates, time zones, tools, or any file of this machine."""
    try:
        alone = debian_roots.python_alone()
    except dist.NotAvailable as problem:
        pytest.skip(f"the wheel was not tried on an empty machine: {problem}")
    can_isolate = debian_roots.run_inside(alone, tmp_path, "/usr/bin/python3", "-c", "")
    if can_isolate.returncode != 0:
        pytest.skip(f"the wheel was not tried on an empty machine: {can_isolate.stderr.strip()}")
    wheel = str(find_wheel(dist.TARGETS[0]))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--target", str(tmp_path / "site"), wheel]
    subprocess.run(pip, check=True)
    shutil.copytree(ROOT / "examples/functions", tmp_path / "functions")
    endpoint = ["/usr/bin/python3", "-m", "lambda_invoke.local", "/tmp/functions", "--"]
    done = debian_roots.run_inside(
        alone, tmp_path, *endpoint, "/usr/bin/python3", "-c", CALL, PYTHONPATH="/tmp/site", LC_ALL="C"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello, Ada!\n", "")


# A Python of each other system in emulation. Debian has none for musl.
PYTHONS = {"aarch64-unknown-linux-gnu": debian_roots.python_for_aarch64}


@pytest.mark.parametrize("target", dist.TARGETS[1:], ids=lambda target: target.name)
def test_a_wheel_for_another_system_invokes(target: dist.Target, tmp_path: Path) -> None:
    wheel = find_wheel(target)
    if target.name not in PYTHONS:
        pytest.skip(f"the wheel for {target.wheel} was not run: Debian has no Python for that system")
    if shutil.which("qemu-aarch64-static") is None:
        pytest.skip(f"the wheel for {target.wheel} was not run: qemu-aarch64-static is not installed")
    try:
        root = PYTHONS[target.name]()
    except dist.NotAvailable as problem:
        pytest.skip(f"the wheel for {target.wheel} was not run: {problem}")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    emulator = ["qemu-aarch64-static", "-L", str(root), "-E", f"PYTHONHOME={root}/usr", "-E", f"PYTHONPATH={tmp_path}"]
    endpoint = [str(ROOT / "local/lambda-local"), str(ROOT / "examples/functions"), "--"]
    command = [*endpoint, *emulator, f"{root}/usr/bin/python3", "-c", CALL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello, Ada!\n", "")


def test_the_checksums_are_those_of_the_files() -> None:
    lines = (dist.DIST / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {line.split("  ")[1]: line.split("  ")[0] for line in lines}
    files = {path.name for path in dist.DIST.iterdir() if path.is_file() and path.name != "SHA256SUMS"}
    assert sums.keys() == files
    for name, expected in sums.items():
        assert hashlib.sha256((dist.DIST / name).read_bytes()).hexdigest() == expected, name
