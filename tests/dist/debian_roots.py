"""Makes root folders of Debian's packages: for programs of another processor, and as a machine that has nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging"))

import dist  # noqa: E402

FOLDER = ROOT / "build/roots"
# The folders that Debian has below /usr, and that packages leave out.
MERGED = ("bin", "sbin", "lib", "lib64")


def root(variable: str, architecture: str, package: str) -> Path:
    """Returns a folder with a package and all that it depends on; raises dist.NotAvailable if there is none.

    It is the folder that the variable names, or one in build/roots, which apt downloads without touching this machine.
    """
    if variable in os.environ:
        return Path(os.environ[variable])
    made = FOLDER / f"{package}-{architecture}"
    if made.is_dir():
        return made
    how = f"{variable} names no folder with Debian's package {package}:{architecture}"
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise dist.NotAvailable(f"{how}, and {tool} is not installed")
    state = FOLDER / "apt" / architecture
    cache = FOLDER / "apt" / made.name
    for folder in (state / "lists/partial", cache / "archives/partial"):
        folder.mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    settings = {
        "Dir::State": state,
        "Dir::State::Status": state / "status",
        "Dir::Cache": cache,
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "--quiet=2", *(f"--option={name}={value}" for name, value in settings.items())]
    # A source of packages that cannot be reached may be another one than Debian's.
    subprocess.run([*apt, "update"], capture_output=True, check=False)
    command = [*apt, "install", "--yes", "--download-only", "--no-install-recommends", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:]
        raise dist.NotAvailable(f"{how}, and apt cannot download it: {' '.join(reason)}")
    unpacked = made.with_name(f"{made.name}.new")
    if unpacked.exists():
        shutil.rmtree(unpacked)
    for file in (cache / "archives").glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(file), str(unpacked)], check=True)
    for name in MERGED:
        if (unpacked / "usr" / name).is_dir() and not (unpacked / name).exists():
            (unpacked / name).symlink_to(f"usr/{name}")
    for name in ("dev", "proc", "tmp"):
        (unpacked / name).mkdir(exist_ok=True)
    shutil.rmtree(cache)
    # It gets its name only once it is complete.
    return unpacked.rename(made)


def run_inside(folder: Path, temporary: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that sees a root folder alone, and the folder `temporary` as its /tmp, as in a container."""
    script = """
mount --rbind /dev "$0/dev"
mount -t proc none "$0/proc"
mount --bind "$1" "$0/tmp"
root=$0
shift
exec chroot "$root" "$@"
"""
    isolated = ["unshare", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child"]
    return subprocess.run(
        [*isolated, "sh", "-euc", script, str(folder), str(temporary), *command],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def musl() -> Path:
    """Returns a root folder with musl for aarch64."""
    return root("MUSL_AARCH64", "arm64", "musl")


def python_for_aarch64() -> Path:
    """Returns a root folder with Python for aarch64."""
    return root("PYTHON_AARCH64", "arm64", "python3")


def python_alone() -> Path:
    """Returns a root folder with Python for x86_64, and with nothing of this machine."""
    return root("PYTHON_X86_64", "amd64", "python3")
