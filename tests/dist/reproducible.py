"""Builds a target of `make dist` once more, from a copy of the sources in another folder, and compares all files.

These are its tree, its archive, its wheel, and the source distribution of the Python package.

reproducible.py [TARGET]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging"))

import dist  # noqa: E402
import source  # noqa: E402


def contents(folder: Path) -> dict[str, bytes]:
    """Returns the files in dist/ of one build, without their checksums, which name the files of all targets."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.name != "SHA256SUMS"}


def link_or_copy(source: str, copy: str) -> None:
    """Gives a file, of which zig has hundreds of megabytes, another name, or copies it to another file system."""
    try:
        os.link(source, copy)
    except OSError:
        shutil.copy2(source, copy)


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else dist.TARGETS[0].name
    if not (dist.DIST / name).is_dir():
        raise SystemExit(f"reproducible: {dist.DIST / name} does not exist: run `make dist` first")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "an other folder")
        source.copy_repository(folder)
        # zig too, whose headers and sources are compiled, has another folder, and a cache of its own.
        shutil.copytree(dist.TOOLS.parent, folder / "build/venv-dist", symlinks=True, copy_function=link_or_copy)
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(dist.source_date())}
        # Its own, so that nothing of the first build is taken.
        environment["CARGO_TARGET_DIR"] = str(Path(temporary, "target"))
        environment["ZIG_GLOBAL_CACHE_DIR"] = str(Path(temporary, "zig"))
        subprocess.run([sys.executable, "packaging/dist.py", name], cwd=folder, env=environment, check=True)
        two = contents(folder / "dist")
    # The first build may have been of all targets.
    one = {path: data for path, data in contents(dist.DIST).items() if path in two or path.startswith(f"{name}/")}
    differing = sorted(file for file in one.keys() | two.keys() if one.get(file) != two.get(file))
    if differing:
        raise SystemExit("reproducible: these files differ: " + ", ".join(differing))
    print(f"reproducible: {len(two)} files of {name} are the same in both builds")


if __name__ == "__main__":
    main()
