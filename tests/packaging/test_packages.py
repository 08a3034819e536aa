"""Packages for Debian and RPM, what cargo-c installs, and the crate, each built with its own tool if it is there.

The packages of distributions are built from an archive that was compiled before (RUST_ARCHIVE): the tests are of the
packages, not of rustc.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging"))

import dist  # noqa: E402
import source as sources  # noqa: E402

VERSION = dist.version()
ARCHIVE = Path(os.environ.get("RUST_ARCHIVE", ROOT / "build/rust.a"))
LARGEST_CRATE = 1_000_000


def run(*command: object, folder: Path = ROOT, **variables: str) -> str:
    words = list(map(str, command))
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout[-20_000:]}"
    return done.stdout


def needs(*tools: str) -> pytest.MarkDecorator:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources as packagers get them, but without the crates, which an archive that is compiled already replaces."""
    if "RUST_ARCHIVE" not in os.environ:
        run("make", "lib")
    folder = tmp_path_factory.mktemp("packages") / f"lambda_invoke-{VERSION}"
    sources.copy_repository(folder)
    dist.pack(folder, folder.with_name(f"lambda_invoke-{VERSION}.tar.xz"), folder.name)
    return folder


@pytest.fixture(scope="module")
def debian(source: Path) -> Path:
    """The folder with the packages that dpkg-buildpackage has built."""
    parent = source.parent / "debian"
    folder = parent / source.name
    shutil.copytree(source, folder, symlinks=True)
    shutil.copyfile(source.parent / f"lambda_invoke-{VERSION}.tar.xz", parent / f"lambda-invoke_{VERSION}.orig.tar.xz")
    shutil.copytree(folder / "packaging/debian", folder / "debian")
    # -d: Rust need not come from a package.
    run(
        *("dpkg-buildpackage", "--no-sign", "-d"),
        folder=folder,
        RUST_ARCHIVE=str(ARCHIVE),
        CARGO_HOME=os.environ.get("CARGO_HOME", str(Path.home() / ".cargo")),
    )
    return parent


@needs("dpkg-buildpackage", "dh")
def test_debian_packages_have_their_files(debian: Path) -> None:
    contents = {path.name.split("_")[0]: run("dpkg-deb", "--contents", path) for path in debian.glob("*.deb")}
    assert set(contents) == {"liblambda-invoke0", "liblambda-invoke0-dbgsym", "liblambda-invoke-dev"}
    assert re.search(rf"/liblambda_invoke\.so\.{VERSION}$", contents["liblambda-invoke0"], re.MULTILINE)
    for name in (
        "lambda_invoke.h",
        "liblambda_invoke.a",
        "lambda_invoke.pc",
        "lambda_invoke-config.cmake",
        "lambda_invoke.3",
    ):
        assert name in contents["liblambda-invoke-dev"], name
    assert "THIRD-PARTY-NOTICES" in contents["liblambda-invoke0"]
    (package,) = debian.glob("liblambda-invoke0_*.deb")
    symbols = run("dpkg-deb", "--info", package, "symbols")
    assert " lambda_invoke@LAMBDA_0 0.1.0" in symbols and " LAMBDA_0@LAMBDA_0 0.1.0" in symbols


# The sources of this test are without vendor/.
NOT_HERE = ("--suppress-tags", "superfluous-file-pattern")


@needs("dpkg-buildpackage", "dh", "lintian")
def test_lintian_finds_nothing(debian: Path) -> None:
    (changes,) = debian.glob("*.changes")
    found = run("lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", *NOT_HERE, changes)
    assert not [line for line in found.splitlines() if line.startswith(("E:", "W:"))], found


@needs("rpmbuild")
def test_rpm_packages_have_their_files(source: Path) -> None:
    top = source.parent / "rpm"
    (top / "SOURCES").mkdir(parents=True)
    shutil.copyfile(
        source.parent / f"lambda_invoke-{VERSION}.tar.xz", top / "SOURCES" / f"lambda_invoke-{VERSION}.tar.xz"
    )
    run(
        *("rpmbuild", "-ba", "--nodeps", f"--define=_topdir {top}", f"--dbpath={top / 'db'}"),
        ROOT / "packaging/lambda_invoke.spec",
        RUST_ARCHIVE=str(ARCHIVE),
    )
    files = {path.name.rsplit("-", 2)[0]: run("rpm", "-qlp", path) for path in top.rglob("RPMS/*/*.rpm")}
    assert {"lambda_invoke", "lambda_invoke-devel", "lambda_invoke-static"} <= set(files)
    assert f"/liblambda_invoke.so.{VERSION}\n" in files["lambda_invoke"]
    assert "/lambda_invoke.h\n" in files["lambda_invoke-devel"] and "lambda_invoke.3" in files["lambda_invoke-devel"]
    assert "/liblambda_invoke.a\n" in files["lambda_invoke-static"]


@pytest.fixture(scope="module")
def by_cargo_c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation by cargo-c, in a folder without a space, which its pkg-config files do not quote."""
    prefix = tmp_path_factory.mktemp("cargo-c") / "prefix"
    # Debian's cargo-c has lib/x86_64-linux-gnu.
    run("cargo", "cinstall", "--locked", "--release", f"--prefix={prefix}", f"--libdir={prefix / 'lib'}")
    return prefix


needs_cargo_c = pytest.mark.skipif(
    shutil.which("cargo-cinstall") is None, reason="cargo-c is not installed: cargo install --locked cargo-c"
)
# What make writes: the names of functions for lambda_invoke.3, the package for CMake, and the licences of all crates.
BY_MAKE = re.compile(
    r"share/man/man3/lambda_(?!invoke\.3).*\.3|lib/cmake/.*|share/doc/lambda_invoke/THIRD-PARTY-NOTICES"
)


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file()}


@needs_cargo_c
def test_cargo_c_installs_the_same_files(by_cargo_c: Path, tmp_path: Path) -> None:
    run("make", "install", f"PREFIX={tmp_path / 'make'}", RUST_ARCHIVE=str(ARCHIVE))
    made = tree(tmp_path / "make")
    assert tree(by_cargo_c) <= made
    assert not [name for name in made - tree(by_cargo_c) if not BY_MAKE.fullmatch(name)]
    for name in tree(by_cargo_c):
        if not name.startswith("lib/"):
            assert (by_cargo_c / name).read_bytes() == (tmp_path / "make" / name).read_bytes(), name


@needs_cargo_c
def test_the_library_of_cargo_c_is_the_same_to_programs(by_cargo_c: Path) -> None:
    real = by_cargo_c / f"lib/liblambda_invoke.so.{VERSION}"
    assert (by_cargo_c / "lib/liblambda_invoke.so.0").resolve() == real
    dynamic = run("readelf", "--dynamic", "--wide", real)
    assert "[liblambda_invoke.so.0]" in dynamic and "NODELETE" in dynamic
    rows = [line.split() for line in run("readelf", "--dyn-syms", "--wide", real).splitlines()]
    exported = {row[7] for row in rows if len(row) >= 8 and row[6] != "UND" and row[4] in ("GLOBAL", "WEAK")}
    listed = (ROOT / "tests/abi/symbols.txt").read_text(encoding="utf-8").splitlines()
    assert exported == {line.split()[0] for line in listed}


@needs_cargo_c
@needs("cc", "pkg-config")
@pytest.mark.parametrize("how", ["shared", "static"])
def test_programs_find_what_cargo_c_has_installed(how: str, by_cargo_c: Path, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^```c\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert found
    (tmp_path / "program.c").write_text(found[1], encoding="utf-8")
    static = ["--static"] if how == "static" else []
    path = str(by_cargo_c / "lib/pkgconfig")
    flags = shlex.split(run("pkg-config", *static, "--cflags", "--libs", "lambda_invoke", PKG_CONFIG_PATH=path))
    if static:
        flags = ["-l:liblambda_invoke.a" if flag == "-llambda_invoke" else flag for flag in flags]
    program = tmp_path / "program"
    run("cc", tmp_path / "program.c", *flags, f"-Wl,-rpath,{by_cargo_c / 'lib'}", "-o", program)
    assert ("liblambda_invoke" in run("readelf", "--dynamic", program)) == (how == "shared")
    endpoint = (ROOT / "local/lambda-local", ROOT / "examples/functions", "--")
    assert "Hello, Ada!" in run(*endpoint, program)


def test_the_crate_is_small_and_complete(tmp_path: Path) -> None:
    run("cargo", "package", "--locked", "--allow-dirty", "--no-verify", "--target-dir", tmp_path)
    (crate,) = tmp_path.glob("package/*.crate")
    assert crate.stat().st_size < LARGEST_CRATE
    names = set(run("tar", "-tf", crate).replace(f"lambda_invoke-{VERSION}/", "").splitlines())
    assert names >= {"Cargo.toml", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "build.rs", "src/lib.rs"}
    assert not [name for name in names if name.startswith(("tests/", "bindings/", "local/", "docs/", "packaging/"))]


@pytest.mark.timeout(1_800)
def test_the_crate_builds_alone(tmp_path: Path) -> None:
    """With the target folder of the repository, which has the dependencies already."""
    run("cargo", "package", "--locked", "--allow-dirty", "--no-verify", "--target-dir", tmp_path)
    (crate,) = tmp_path.glob("package/*.crate")
    run("tar", "-xf", crate, "-C", tmp_path)
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    run("cargo", "check", "--locked", "--lib", "--target-dir", target, folder=tmp_path / f"lambda_invoke-{VERSION}")
