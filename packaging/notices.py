"""Writes the licences of everything that is linked into the libraries, as one text, to stdout.

    notices.py [TARGET]

Cargo says what the libraries for a target are made of. Each package's own licence files are taken, or those of its
repository in packaging/licenses, and for the standard library the list that comes with Rust.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("licen", "copying", "notice", "copyright")
# Of packages that are published without their licence.
LICENSES = Path(__file__).resolve().parent / "licenses"


def host() -> str:
    compiler = subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return next(line.split()[1] for line in compiler.splitlines() if line.startswith("host:"))


def packages(target: str) -> list[dict[str, Any]]:
    """Returns the packages that are linked for a target, without this project itself."""
    tree = ["cargo", "tree", "--locked", "--target", target, "--edges", "normal", "--prefix", "none", "--format", "{p}"]
    listed = subprocess.run(tree, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    # A procedural macro runs in the compiler, and its output belongs to its user; its licence is listed all the same.
    linked = {tuple(line.split()[:2]) for line in listed if line}
    # Without the filter cargo would fetch the packages of all other systems too.
    metadata = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    known = json.loads(subprocess.run(metadata, check=True, stdout=subprocess.PIPE, text=True).stdout)
    own = set(known["workspace_members"])
    chosen = [
        package
        for package in known["packages"]
        if (package["name"], f"v{package['version']}") in linked and package["id"] not in own
    ]
    return sorted(chosen, key=lambda package: (package["name"], package["version"]))


def license_files(package: dict[str, Any]) -> list[Path]:
    """Returns the licence files of a package; raises SystemExit if there are none."""
    folder = Path(package["manifest_path"]).parent
    files = [path for path in folder.iterdir() if path.is_file() and path.name.lower().startswith(NAMES)]
    files += [path for path in LICENSES.iterdir() if package["name"] in path.name.split("+")]
    if not files:
        raise SystemExit(
            f"{package['name']} {package['version']} comes without a licence file: "
            f"put the one of {package['repository'] or 'its repository'} into packaging/licenses"
        )
    return sorted(files)


def standard_library() -> Iterator[tuple[str, list[str], list[str]]]:
    """Yields each package below the standard library: its title, its authors, its texts."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], check=True, capture_output=True, text=True).stdout.strip()
    page = Path(sysroot, "share/doc/rust/COPYRIGHT-library.html")
    # Distributions keep it elsewhere, and ship the standard library's licences themselves.
    if not page.exists():
        return
    for section in page.read_text(encoding="utf-8").split("<h3>")[1:]:
        title, _, rest = section.partition("</h3>")
        fields = dict(re.findall(r"<b>(\w+):</b>\s*(.*?)</p>", rest, re.DOTALL))
        texts = [html.unescape(text) for text in re.findall(r"<pre>(.*?)</pre>", rest, re.DOTALL)]
        # What comes without a text is for systems that are not Linux, and is not linked.
        if not texts:
            continue
        name, version = re.findall(r"([\w-]+?)-(\d.*)", title)[0]
        yield (
            f"{name} {version.strip()} ({fields['License'].strip()})",
            [html.unescape(fields["Authors"].strip())],
            texts,
        )


def main() -> None:
    """Writes the text, or names the package that comes without a licence."""
    target = sys.argv[1] if len(sys.argv) > 1 else host()
    out = sys.stdout
    entries = [
        (
            f"{package['name']} {package['version']} ({package['license'] or 'see its licence file'})",
            package["authors"],
            [path.read_text(encoding="utf-8", errors="replace") for path in license_files(package)],
        )
        for package in packages(target)
    ]
    texts: dict[str, list[str]] = {}

    def write_entry(title: str, authors: list[str], own: list[str]) -> None:
        out.write(f"\n{title}\n" + "".join(f"    {author}\n" for author in authors))
        for text in own:
            texts.setdefault(text.strip(), []).append(title)

    out.write("liblambda_invoke contains these packages, and the Rust standard library (Apache-2.0 OR MIT).\n")
    for title, authors, own in entries:
        write_entry(title, authors, own)
    out.write("\nThe Rust standard library is made from these, some of them for other systems only.\n")
    for title, authors, own in standard_library():
        write_entry(title, authors, own)
    for text, titles in texts.items():
        out.write("\n" + "=" * 80 + "\n" + "\n".join(titles) + "\n" + "-" * 80 + "\n" + text + "\n")


if __name__ == "__main__":
    main()
