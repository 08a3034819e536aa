"""Builds one type of the library with cargo, and copies it to the given path.

    build_library.py cdylib|staticlib DESTINATION [CARGO ...]

Cargo says where it put the file. CARGO_TARGET_DIR, CARGO_BUILD_TARGET and a config.toml of cargo move it, and they are
the user's to set: one folder for all builds, another system to build for. A fixed path would find nothing there, or the
file of an earlier build.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

SUFFIXES = {"cdylib": ".so", "staticlib": ".a"}
NAME = "lambda_invoke"


def built_files(messages: bytes, suffix: str) -> list[Path]:
    """Returns the files of this project's library among what cargo reports, one a line."""
    files = []
    for line in messages.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact" and message["target"]["name"] == NAME:
            files += [Path(name) for name in message["filenames"] if name.endswith(suffix)]
    return files


def main() -> None:
    crate_type, destination, *cargo = sys.argv[1:]
    # One type at a time: if a list also contains rlib, then cargo silently omits link-time optimisation.
    command = [*(cargo or ["cargo"]), "rustc", "--locked", "--release", "--lib", "--crate-type", crate_type]
    try:
        done = subprocess.run([*command, "--message-format", "json-render-diagnostics"], stdout=subprocess.PIPE)
    except OSError as problem:
        raise SystemExit(f"cannot run {command[0]}: {problem.strerror}: install Rust, or set CARGO") from None
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed with exit status {done.returncode}")
    files = built_files(done.stdout, SUFFIXES[crate_type])
    if len(files) != 1:
        listed = ", ".join(map(str, files)) or "none"
        raise SystemExit(f"{' '.join(command)} built {len(files)} libraries ({listed}), not one: choose one target")
    # It gets its name only once it is complete.
    new = Path(f"{destination}.new")
    shutil.copyfile(files[0], new)
    new.chmod(0o755 if crate_type == "cdylib" else 0o644)
    os.replace(new, destination)


if __name__ == "__main__":
    main()
