"""Unpacks AWS's Runtime Interface Emulator, which is published inside the wheel of the SAM CLI, into a folder.

Only the one binary is wanted, so the wheel is downloaded without what it depends on, and dropped again.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SAM_CLI = "aws-sam-cli==1.170.0"
MEMBERS = {
    "x86_64": "samcli/local/rapid/aws-lambda-rie-x86_64",
    "aarch64": "samcli/local/rapid/aws-lambda-rie-arm64",
}


def fetch(target: Path) -> None:
    member = MEMBERS.get(platform.machine())
    if member is None:
        sys.exit(f"the Runtime Interface Emulator is not published for {platform.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--only-binary=:all:", "--dest", folder, SAM_CLI], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            binary = archive.read(member)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Renamed into place when it is whole: an interrupted download must not pass for a binary.
    unfinished = target.with_suffix(".new")
    unfinished.write_bytes(binary)
    unfinished.chmod(0o755)
    unfinished.replace(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, help="where the binary goes, such as build/aws-lambda-rie")
    fetch(parser.parse_args().target)


if __name__ == "__main__":
    main()
