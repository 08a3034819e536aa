"""Builds one type of the library with cargo, and copies it to the given path.

    build_library.py cdylib|staticlib DESTINATION [CARGO ... [-- OPTION ...]]

Cargo says where it put the file. CARGO_TARGET_DIR, CARGO_BUILD_TARGET and a config.toml of cargo move it, and they are
the user's to set: one folder for all builds, another system to build for. A fixed path would find nothing there, or the
file of an earlier build.

The library names no folder of the machine that builds it: the paths of the sources, which panics and debug information
contain, are written as below /usr/src. So two builds in two folders give the same bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
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


def text_of(*command: str) -> str:
    """Returns the output of a program, or nothing if it fails: then cargo says why, with the command that follows."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def zig_folder(python: str) -> str:
    """Returns the folder of the zig that a Python has as a package, or nothing if it has none."""
    return text_of(python, "-c", "import os, ziglang; print(os.path.realpath(ziglang.__path__[0]))")


def renamed_folders(cargo: list[str]) -> dict[str, str]:
    """Returns what the folders of the sources are called in the library. A later entry prevails over an earlier one."""
    metadata: dict[str, str] = {}
    with contextlib.suppress(json.JSONDecodeError):
        metadata = json.loads(text_of(*cargo, "metadata", "--locked", "--no-deps", "--format-version", "1"))
    home = os.environ.get("CARGO_HOME", str(Path.home() / ".cargo"))
    folders = {metadata.get("workspace_root", os.getcwd()): f"/usr/src/{NAME}"}
    # Generated sources. Its own folder may lie anywhere.
    for key in ("target_directory", "build_directory"):
        if key in metadata:
            folders[metadata[key]] = f"/usr/src/{NAME}/target"
    folders[home] = "/usr/src/cargo"
    # Where the sources of the standard library are installed, rustc names them in the place of those it was built from.
    if sysroot := text_of("rustc", "--print", "sysroot"):
        folders[f"{sysroot}/lib/rustlib/src/rust"] = "/usr/src/rust"
    # Whose headers the C parts of dependencies have, where zig compiles them: in the project's folder or outside.
    if zig := zig_folder("python"):
        folders[zig] = "/usr/src/zig"
    return folders


def environment_and_options(folders: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Returns the environment and the options of cargo that rename folders, beside what the user tells the compilers.

    Options for rustc come from one source, the first that is set: CARGO_ENCODED_RUSTFLAGS, RUSTFLAGS, the tables of
    targets in a config.toml, build.rustflags. The first two are replaced by their contents and ours; the last is merged
    by cargo. Options that the user has for one target stay alone: then paths remain.
    """
    flags = [f"--remap-path-prefix={old}={new}" for old, new in folders.items()]
    environment = dict(os.environ)
    if "CARGO_ENCODED_RUSTFLAGS" in environment:
        user = [flag for flag in environment["CARGO_ENCODED_RUSTFLAGS"].split("\x1f") if flag]
    else:
        user = environment.pop("RUSTFLAGS", "").split()
    options = []
    if user:
        # The form without spaces as separators, which folders may have in their names.
        environment["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join([*user, *flags])
    else:
        environment.pop("CARGO_ENCODED_RUSTFLAGS", None)
        options = ["--config", f"build.rustflags={json.dumps(flags)}"]
    # The C parts, whose compilers must know the option: all since GCC 8 and clang 10 do.
    c_flags = [f"-ffile-prefix-map={old}={new}" for old, new in folders.items()]
    environment["CFLAGS"] = shlex.join([*environment.get("CFLAGS", "").split(), *c_flags])
    environment["CC_SHELL_ESCAPED_FLAGS"] = "1"
    return environment, options


def main() -> None:
    crate_type, destination, *cargo = sys.argv[1:]
    cargo, options = (cargo[: cargo.index("--")], cargo[cargo.index("--") + 1 :]) if "--" in cargo else (cargo, [])
    cargo = cargo or ["cargo"]
    # One type at a time: if a list also contains rlib, then cargo silently omits link-time optimisation.
    command = [*cargo, "rustc", "--locked", "--release", "--lib", "--crate-type", crate_type]
    environment, renaming = environment_and_options(renamed_folders(cargo))
    try:
        done = subprocess.run(
            [*command, *options, *renaming, "--message-format", "json-render-diagnostics"],
            stdout=subprocess.PIPE,
            env=environment,
        )
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
