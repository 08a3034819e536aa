"""Builds the Go module as it is released: the package with the library for each target inside (RELEASING.md).

    go_module.py

Reads dist/TARGET of `make dist`, and writes the module's files to dist/go, and to dist/goproxy what a file-system
GOPROXY serves: the module's zip file. The archives are not in the repository, so that a clone stays small.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
import zipfile
from pathlib import Path

import dist

SOURCE = dist.ROOT / "bindings/go"
MODULE = "github.com/lambda-invoke/liblambda_invoke/bindings/go"
# Of Go's module system, which downloads the zip file as a whole.
LARGEST_DOWNLOAD = 15_000_000
# The architecture, and the build tag for musl that Go packages with C libraries inside have in common.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

INSTALLED = "(lambda_invoke_shared || lambda_invoke_static)"


def go_version() -> str:
    return f"v{dist.version()}"


def folder_name(target: dist.Target) -> str:
    return f"linux_{ARCHITECTURES[target.architecture]}" + ("" if target.is_glibc else "_musl")


def with_constraint(text: str, constraint: str) -> str:
    """Returns a Go file that is compiled only where the constraint holds, and its own."""
    own = re.search(r"^//go:build (.+)\n\n?", text, re.MULTILINE)
    if own:
        return text.replace(own[0], f"//go:build ({own[1]}) && {constraint}\n\n", 1)
    return f"//go:build {constraint}\n\n{text}"


def link_file(target: dist.Target, libraries: str) -> str:
    libc = "!musl" if target.is_glibc else "musl"
    folder = folder_name(target)
    return f"""//go:build linux && {ARCHITECTURES[target.architecture]} && {libc} && cgo && !{INSTALLED}

package lambdainvoke

// The import lets `go mod vendor` keep the archive.

// #cgo CFLAGS: -I${{SRCDIR}}
// #cgo LDFLAGS: ${{SRCDIR}}/internal/{folder}/liblambda_invoke.a {libraries}
import "C"

import _ "{MODULE}/internal/{folder}"
"""


def unsupported_file(constraint: str, message: str) -> str:
    """Returns a file that the compiler refuses with the message."""
    return f"""//go:build {constraint}

package lambdainvoke

const _ int = {json.dumps(message)}
"""


def stripped(archive: Path) -> bytes:
    """Returns an archive without the names of its inner functions, which are a tenth of the download."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder, archive.name)
        dist.output(str(dist.llvm_tools() / "llvm-objcopy"), "--strip-unneeded", str(archive), str(small))
        return small.read_bytes()


def files(targets: list[dist.Target]) -> dict[str, bytes]:
    """Returns the module's files by name."""
    makefile = (dist.ROOT / "Makefile").read_text(encoding="utf-8")
    libraries = re.search(r"^PRIVATE_LIBS := (.+)$", makefile, re.MULTILINE)
    assert libraries
    pairs = " || ".join(
        f"(linux && {ARCHITECTURES[target.architecture]} && {'!musl' if target.is_glibc else 'musl'})"
        for target in targets
    )
    inside = f"({pairs})"
    everywhere = f"cgo && ({INSTALLED} || {inside})"

    result: dict[str, bytes] = {}
    for path in sorted(SOURCE.rglob("*")):
        name = path.relative_to(SOURCE).as_posix()
        # The tests need the repository.
        if not path.is_file() or name.endswith("_test.go") or name.startswith(("conformance/", "with-library")):
            continue
        text = path.read_text(encoding="utf-8")
        if name == "link_shared.go":
            text = with_constraint(text, "lambda_invoke_shared && cgo")
        elif name == "link_static.go":
            text = with_constraint(text, "cgo")
        elif name.endswith(".go"):
            text = with_constraint(text, everywhere)
        result[name] = text.encode()
    for target in targets:
        folder = folder_name(target)
        result[f"link_{folder.removesuffix('_musl')}{'' if target.is_glibc else '_with_musl'}.go"] = link_file(
            target, libraries[1]
        ).encode()
        result[f"internal/{folder}/liblambda_invoke.a"] = stripped(target.tree / "lib/liblambda_invoke.a")
        result[f"internal/{folder}/archive.go"] = (
            f"// Package {folder} holds liblambda_invoke for {target.name}.\npackage {folder}\n".encode()
        )
    result["no_cgo.go"] = unsupported_file(
        f"!cgo && ({INSTALLED} || {inside})",
        "lambdainvoke needs cgo: build with CGO_ENABLED=1 and a C compiler for the target",
    ).encode()
    contained = ", ".join(folder_name(target).replace("_", "/", 1).replace("_musl", " with musl") for target in targets)
    result["unsupported.go"] = unsupported_file(
        f"!{INSTALLED} && !{inside}",
        f"lambdainvoke contains the library for {contained} only: install liblambda_invoke for this system, "
        "and build with -tags lambda_invoke_shared",
    ).encode()
    for path in (dist.ROOT / "include/lambda_invoke.h", dist.ROOT / "LICENSE-APACHE", dist.ROOT / "LICENSE-MIT"):
        result[path.name] = path.read_bytes()
    result["THIRD-PARTY-NOTICES"] = (targets[0].tree / "share/doc/lambda_invoke/THIRD-PARTY-NOTICES").read_bytes()
    return result


def write_proxy(contents: dict[str, bytes], folder: Path) -> Path:
    """Writes the files that a Go module proxy serves for this version, and returns its zip file."""
    versions = folder / MODULE / "@v"
    versions.mkdir(parents=True)
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(dist.source_date()))
    (versions / "list").write_text(f"{go_version()}\n", encoding="utf-8")
    (versions / f"{go_version()}.info").write_text(
        json.dumps({"Version": go_version(), "Time": date}), encoding="utf-8"
    )
    (versions / f"{go_version()}.mod").write_bytes(contents["go.mod"])
    packed = versions / f"{go_version()}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(contents.items()):
            # The same date for all, so that the same contents always give the same bytes.
            archive.writestr(zipfile.ZipInfo(f"{MODULE}@{go_version()}/{name}"), data, zipfile.ZIP_DEFLATED, 9)
    return packed


def main() -> None:
    targets = [target for target in dist.TARGETS if (target.tree / "lib/liblambda_invoke.a").exists()]
    if not targets:
        raise SystemExit("go_module: dist/ has no library: run `make dist` first")
    contents = files(targets)
    tree, proxy = dist.DIST / "go", dist.DIST / "goproxy"
    for old in (tree, proxy):
        if old.exists():
            shutil.rmtree(old)
    for name, data in contents.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    size = write_proxy(contents, proxy).stat().st_size
    if size > LARGEST_DOWNLOAD:
        raise SystemExit(f"go_module: the module's zip file has {size} bytes, more than {LARGEST_DOWNLOAD}")
    print(f"dist: built the Go module with {', '.join(map(folder_name, targets))}: {size} bytes")


if __name__ == "__main__":
    main()
