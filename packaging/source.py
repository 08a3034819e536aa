"""Packs the sources with all crates that they need, from which Debian's and RPM's packages are built without a network.

source.py            writes dist/lambda_invoke-VERSION.tar.xz
source.py --debian   and beside it the Debian source package, with dpkg-source
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import dist

# What crates for Windows bring along, and a build for Linux never reads.
BINARIES = (".a", ".lib", ".dll", ".exe")


def collect(folder: Path) -> None:
    """Copies the files of the repository into the folder, and their crates into its folder vendor."""
    for name in dist.output("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(dist.ROOT / name, target)
    vendored = subprocess.run(
        ["cargo", "vendor", "--locked", "--quiet", "--versioned-dirs", str(folder / "vendor")],
        cwd=dist.ROOT,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if vendored.returncode != 0:
        raise SystemExit(
            "source: cargo vendor failed: the crates for all systems must be in cargo's cache, or reachable"
        )
    for path in (folder / "vendor").rglob("*"):
        if path.suffix in BINARIES:
            path.unlink()
    (folder / ".cargo").mkdir()
    (folder / ".cargo/config.toml").write_text(
        '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "vendor"\n', encoding="utf-8"
    )


def write_debian(folder: Path, archive: Path) -> None:
    """Writes the Debian source package: the archive under Debian's name, what Debian adds, and their description."""
    shutil.copyfile(archive, dist.DIST / f"lambda-invoke_{dist.version()}.orig.tar.xz")
    shutil.copytree(folder / "packaging/debian", folder / "debian")
    dist.output("dpkg-source", "--build", str(folder))
    for path in dist.ROOT.glob(f"lambda-invoke_{dist.version()}-*"):
        shutil.move(path, dist.DIST / path.name)


def main() -> None:
    dist.DIST.mkdir(exist_ok=True)
    name = f"lambda_invoke-{dist.version()}"
    archive = dist.DIST / f"{name}.tar.xz"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, name)
        folder.mkdir()
        collect(folder)
        dist.pack(folder, archive, name)
        if "--debian" in sys.argv[1:]:
            write_debian(folder, archive)
    print(f"dist: built {archive.name}: {archive.stat().st_size} bytes")


if __name__ == "__main__":
    main()
