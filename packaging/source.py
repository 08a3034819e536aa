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


def copy_repository(folder: Path) -> None:
    """Copies the files of the repository into the folder, without those that git ignores."""
    for name in dist.output("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # One is a symbolic link to a folder.
        shutil.copy2(dist.ROOT / name, target, follow_symlinks=False)


def add_crates(folder: Path) -> None:
    """Copies the crates of the sources into their folder vendor, and lets cargo take them from there."""
    vendored = subprocess.run(
        ["cargo", "vendor", "--locked", "--quiet", "--versioned-dirs", str(folder / "vendor")],
        cwd=dist.ROOT,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if vendored.returncode != 0:
        raise dist.NotAvailable(
            "cargo vendor failed: it needs the crates for all systems, from its cache or the network"
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
    if shutil.which("dpkg-source") is None:
        raise dist.NotAvailable("dpkg-source is not installed")
    shutil.copyfile(archive, dist.DIST / f"lambda-invoke_{dist.version()}.orig.tar.xz")
    shutil.copytree(folder / "packaging/debian", folder / "debian")
    # It reads the archive from the current folder, and writes there.
    subprocess.run(["dpkg-source", "--build", str(folder)], cwd=dist.DIST, stdout=subprocess.DEVNULL, check=True)


def main() -> None:
    dist.DIST.mkdir(exist_ok=True)
    name = f"lambda_invoke-{dist.version()}"
    archive = dist.DIST / f"{name}.tar.xz"
    archive.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, name)
        folder.mkdir()
        try:
            copy_repository(folder)
            add_crates(folder)
            dist.pack(folder, archive, name)
            print(f"dist: built {archive.name}: {archive.stat().st_size} bytes")
            if "--debian" in sys.argv[1:]:
                write_debian(folder, archive)
                print("dist: built the Debian source package")
        except dist.NotAvailable as problem:
            print(f"dist: skipped {'the Debian source package' if archive.exists() else archive.name}: {problem}")
    dist.write_sums()


if __name__ == "__main__":
    main()
