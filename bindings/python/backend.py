"""Builds wheels, editable wheels and source distributions (PEP 517, PEP 660): the package, with the library inside."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "lambda_invoke"
# A module of its own, so that pytest loads the package only in the tests that use it.
PLUGIN = "_lambda_invoke_pytest.py"
LIBRARY = "liblambda_invoke.so.0"
# Those of what is linked into the library too.
LICENSES = ("LICENSE*", "NOTICE*", "THIRD-PARTY*")

METADATA = """\
Metadata-Version: 2.4
Name: lambda-invoke
Version: {version}
Summary: Invoke AWS Lambda functions, and know whether they ran
License-Expression: Apache-2.0 OR MIT
{licenses}Keywords: aws,lambda
Project-URL: Source, https://github.com/lambda-invoke/liblambda_invoke
Requires-Python: >=3.9
Classifier: Framework :: Pytest
Classifier: Operating System :: POSIX :: Linux
Classifier: Programming Language :: Python :: 3
Classifier: Typing :: Typed
Description-Content-Type: text/markdown

{description}"""

WHEEL = """\
Wheel-Version: 1.0
Generator: lambda-invoke
Root-Is-Purelib: false
Tag: py3-none-{platform}
"""

ENTRY_POINTS = f"""\
[pytest11]
lambda_invoke = {PLUGIN[: -len(".py")]}
"""


def build_wheel(
    wheel_directory: str, config_settings: Mapping[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    repository = find_repository()
    licenses = license_files((repository, repository / "build"))
    return write_wheel(Path(wheel_directory), find_library(repository), this_platform(), licenses)


def write_wheel(folder: Path, library: Path, platform: str, licenses: Iterable[Path]) -> str:
    """Writes the wheel of a library that was built for a platform, such as manylinux_2_17_aarch64; returns its name.

    packaging/build_wheel.py calls it for other platforms than this machine's.
    """
    files = package_files()
    files[f"lambda_invoke/{LIBRARY}"] = library.read_bytes()
    return zip_wheel(folder, files, platform, licenses)


def build_editable(
    wheel_directory: str, config_settings: Mapping[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    repository = find_repository()
    built = find_library(repository)
    # Where the package looks for it: build/lib in the repository, whose package is never given a copy that make would
    # not renew; beside the modules in an unpacked source distribution.
    place = PACKAGE / LIBRARY if is_sdist() else repository / "build" / "lib" / LIBRARY
    if built != place:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(built, place)
    # A path, and no finder, since type checkers and editors follow paths only.
    files = {"__editable__.lambda_invoke.pth": os.fsencode(f"{HERE}\n")}
    licenses = license_files((repository, repository / "build"))
    return zip_wheel(Path(wheel_directory), files, this_platform(), licenses)


def build_sdist(sdist_directory: str, config_settings: Mapping[str, Any] | None = None) -> str:
    repository = find_repository()
    licenses = license_files((repository,))
    # A wheel that make built has one licence file more: the third parties'.
    metadata = metadata_text(licenses).replace("\nKeywords:", "\nDynamic: License-File\nKeywords:", 1)
    files = {
        **{path.name: path.read_bytes() for path in licenses},
        **{name: (HERE / name).read_bytes() for name in ("pyproject.toml", "backend.py", "README.md")},
        **package_files(),
        **{f"crate/{name}": content for name, content in crate_files(repository)},
        "PKG-INFO": metadata.encode(),
    }
    name = f"lambda_invoke-{package_version()}"
    packed = io.BytesIO()
    # Without dates and owners, so that the same files give the same archive.
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    Path(sdist_directory, f"{name}.tar.gz").write_bytes(gzip.compress(packed.getvalue(), mtime=0))
    return f"{name}.tar.gz"


def package_files() -> dict[str, bytes]:
    """Returns the Python files by their paths in a wheel."""
    # In the repository the folder is a symbolic link, which breaks in the copy that old versions of pip build in.
    local = PACKAGE / "local"
    if not local.is_dir():
        local = find_repository() / "local" / "lambda_local"
    files = {f"lambda_invoke/{path.name}": path.read_bytes() for path in sorted(PACKAGE.glob("*.py"))}
    files.update((f"lambda_invoke/local/{path.name}", path.read_bytes()) for path in sorted(local.glob("*.py")))
    files["lambda_invoke/py.typed"] = b""
    files[PLUGIN] = (HERE / PLUGIN).read_bytes()
    return files


def crate_files(repository: Path) -> Iterator[tuple[str, bytes]]:
    """Yields what cargo would publish, whose manifest names no file that is not there."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["cargo", "package", "--locked", "--no-verify", "--allow-dirty", "--quiet", "--target-dir", folder]
        # Cargo would ask the registry although the lock file has all that it needs; it must, where nothing is cached.
        offline = run_cargo([*command, "--offline"], repository, stderr=subprocess.DEVNULL)
        if offline.returncode != 0:
            must_succeed(run_cargo(command, repository))
        (crate,) = Path(folder, "package").glob("*.crate")
        with tarfile.open(crate) as archive:
            for member in archive:
                name = member.name.partition("/")[2]
                content = archive.extractfile(member)
                # The commit, and the manifest as it was.
                if content is not None and name not in (".cargo_vcs_info.json", "Cargo.toml.orig"):
                    yield name, content.read()


def zip_wheel(folder: Path, files: dict[str, bytes], platform: str, licenses: Iterable[Path]) -> str:
    name = f"lambda_invoke-{package_version()}"
    licenses = list(licenses)
    files = {
        **files,
        f"{name}.dist-info/METADATA": metadata_text(licenses).encode(),
        # It holds a binary, but not one that depends on the version of Python.
        f"{name}.dist-info/WHEEL": WHEEL.format(platform=platform).encode(),
        f"{name}.dist-info/entry_points.txt": ENTRY_POINTS.encode(),
        **{f"{name}.dist-info/licenses/{path.name}": path.read_bytes() for path in licenses},
    }
    record = f"{name}.dist-info/RECORD"
    files[record] = "".join([*record_lines(files), f"{record},,\n"]).encode()

    wheel = f"{name}-py3-none-{platform}.whl"
    with zipfile.ZipFile(folder / wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for target, content in files.items():
            # Without a date of its own, so that the same files give the same wheel.
            entry = zipfile.ZipInfo(target)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if target.endswith(LIBRARY) else 0o100644) << 16
            archive.writestr(entry, content)
    return wheel


def metadata_text(licenses: Iterable[Path]) -> str:
    description = (HERE / "README.md").read_text(encoding="utf-8")
    lines = "".join(f"License-File: {path.name}\n" for path in licenses)
    return METADATA.format(version=package_version(), licenses=lines, description=description)


def license_files(folders: Iterable[Path]) -> list[Path]:
    return sorted(path for folder in folders for pattern in LICENSES for path in folder.glob(pattern))


def this_platform() -> str:
    return re.sub("[-.]", "_", sysconfig.get_platform())


def package_version() -> str:
    table = (PACKAGE / "_table.py").read_text(encoding="utf-8")
    found = re.search(r'^PACKAGE_VERSION = "(.+)"$', table, re.MULTILINE)
    assert found, "lambda_invoke/_table.py has no PACKAGE_VERSION"
    return found[1]


def record_lines(files: Mapping[str, bytes]) -> Iterator[str]:
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        yield f"{path},sha256={digest},{len(content)}\n"


def is_sdist() -> bool:
    return (HERE / "crate").is_dir()


def find_repository() -> Path:
    """Returns the folder of the crate."""
    if is_sdist():
        return HERE / "crate"
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
    done = run_cargo(
        [*command, "--features", "capi", "--message-format", "json-render-diagnostics"],
        repository,
        stdout=subprocess.PIPE,
    )
    must_succeed(done, command)
    for message in map(json.loads, done.stdout.splitlines()):
        if message["reason"] == "compiler-artifact" and message["target"]["name"] == "lambda_invoke":
            for path in message["filenames"]:
                if path.endswith(".so"):
                    return Path(path)
    raise SystemExit(f"{' '.join(command)} built no shared library")


def run_cargo(command: list[str], folder: Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, cwd=folder, check=False, **options)
    except FileNotFoundError:
        raise SystemExit(f"{' '.join(command)}: there is no cargo on the PATH: install Rust") from None


def must_succeed(done: subprocess.CompletedProcess[bytes], shown: list[str] | None = None) -> None:
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(shown or done.args)} failed with exit status {done.returncode}")
