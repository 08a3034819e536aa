"""Builds the wheel (PEP 517): the package, and the shared library inside it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sysconfig
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "lambda_invoke"
LIBRARY = "liblambda_invoke.so.0"
# Those of what is linked into the library too.
LICENSES = ("LICENSE*", "NOTICE*", "THIRD-PARTY*")

METADATA = """\
Metadata-Version: 2.1
Name: lambda-invoke
Version: {version}
Summary: Invoke AWS Lambda functions, and know whether they ran
License: Apache-2.0 OR MIT
Keywords: aws,lambda
Requires-Python: >=3.9
Classifier: Operating System :: POSIX :: Linux
Classifier: Programming Language :: Python :: 3
Classifier: Typing :: Typed
Description-Content-Type: text/markdown

{description}"""

WHEEL = """\
Wheel-Version: 1.0
Generator: lambda-invoke
Root-Is-Purelib: false
Tag: {tag}
"""


def build_wheel(
    wheel_directory: str, config_settings: Mapping[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    version = package_version()
    # It holds a binary, but not one that cares for the version of Python.
    tag = "py3-none-" + re.sub("[-.]", "_", sysconfig.get_platform())
    name = f"lambda_invoke-{version}"
    repository = find_repository()

    files = {f"lambda_invoke/{path.name}": path.read_bytes() for path in sorted(PACKAGE.glob("*.py"))}
    files["lambda_invoke/py.typed"] = b""
    files[f"lambda_invoke/{LIBRARY}"] = find_library(repository).read_bytes()
    description = (HERE / "README.md").read_text(encoding="utf-8")
    files[f"{name}.dist-info/METADATA"] = METADATA.format(version=version, description=description).encode()
    files[f"{name}.dist-info/WHEEL"] = WHEEL.format(tag=tag).encode()
    folders = (repository, repository / "build")
    for path in sorted(path for folder in folders for pattern in LICENSES for path in folder.glob(pattern)):
        files[f"{name}.dist-info/licenses/{path.name}"] = path.read_bytes()
    record = f"{name}.dist-info/RECORD"
    files[record] = "".join([*record_lines(files), f"{record},,\n"]).encode()

    wheel = f"{name}-{tag}.whl"
    with zipfile.ZipFile(Path(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for target, content in files.items():
            # Without a date of its own, so that the same files give the same wheel.
            entry = zipfile.ZipInfo(target)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if target.endswith(LIBRARY) else 0o100644) << 16
            archive.writestr(entry, content)
    return wheel


def build_sdist(sdist_directory: str, config_settings: Mapping[str, Any] | None = None) -> NoReturn:
    raise UnsupportedOperation("the library's sources are those of the repository: build a wheel there (pip wheel)")


class UnsupportedOperation(Exception):
    """By this name the frontends know it."""


def package_version() -> str:
    table = (PACKAGE / "_table.py").read_text(encoding="utf-8")
    found = re.search(r'^PACKAGE_VERSION = "(.+)"$', table, re.MULTILINE)
    assert found, "lambda_invoke/_table.py has no PACKAGE_VERSION"
    return found[1]


def record_lines(files: Mapping[str, bytes]) -> Iterator[str]:
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        yield f"{path},sha256={digest},{len(content)}\n"


def find_repository() -> Path:
    # Old versions of pip build in a copy of this folder; the shell's folder then tells where it came from.
    starts = [HERE, Path(os.environ.get("PWD", HERE))]
    for folder in [folder for start in starts for folder in (start, *start.parents)]:
        if (folder / "include" / "lambda_invoke.h").exists() and (folder / "Cargo.toml").exists():
            return folder
    raise SystemExit(f"the repository of liblambda_invoke is not around {' nor around '.join(map(str, starts))}")


def find_library(repository: Path) -> Path:
    built = repository / "build" / "lib" / LIBRARY
    if built.exists():
        return built
    # Cargo tells where it puts things: its settings may say otherwise than target/release.
    command = ["cargo", "rustc", "--locked", "--release", "--lib", "--crate-type", "cdylib"]
    try:
        output = subprocess.run(
            [*command, "--message-format", "json-render-diagnostics"],
            cwd=repository,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
    except FileNotFoundError:
        raise SystemExit(f"{built} does not exist, and there is no cargo to build it: install Rust") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{' '.join(command)} failed with exit status {error.returncode}") from None
    for message in map(json.loads, output.splitlines()):
        if message["reason"] == "compiler-artifact" and message["target"]["name"] == "lambda_invoke":
            for path in message["filenames"]:
                if path.endswith(".so"):
                    return Path(path)
    raise SystemExit(f"{' '.join(command)} built no shared library")
