"""The licences of everything that is linked into the libraries, as one text on stdout.

Asks cargo what the libraries are made of, and takes each package's own licence files.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

NAMES = ("licen", "copying", "notice", "copyright")


def packages() -> list[dict]:
    """Returns the packages that are linked for this machine's target, without this project itself."""
    tree = ["cargo", "tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"]
    listed = subprocess.run(tree, check=True, capture_output=True, text=True).stdout.splitlines()
    # A procedural macro runs in the compiler, and its output belongs to its user; its licence is listed all the same.
    linked = {tuple(line.split()[:2]) for line in listed if line}
    compiler = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = next(line.split()[1] for line in compiler.splitlines() if line.startswith("host:"))
    # Without the filter cargo would fetch the packages of all other systems too.
    metadata = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host]
    known = json.loads(subprocess.run(metadata, check=True, capture_output=True, text=True).stdout)
    own = set(known["workspace_members"])
    chosen = [
        package
        for package in known["packages"]
        if (package["name"], f"v{package['version']}") in linked and package["id"] not in own
    ]
    return sorted(chosen, key=lambda package: (package["name"], package["version"]))


def main() -> None:
    """Writes the text, or names the package that comes without a licence."""
    out = sys.stdout
    out.write("liblambda_invoke contains these packages, and the Rust standard library (Apache-2.0 OR MIT).\n")
    texts: dict[str, list[str]] = {}
    for package in packages():
        title = f"{package['name']} {package['version']} ({package['license'] or 'see its licence file'})"
        folder = Path(package["manifest_path"]).parent
        files = sorted(path for path in folder.iterdir() if path.is_file() and path.name.lower().startswith(NAMES))
        if not files and not package["license"]:
            raise SystemExit(f"{package['name']}: neither a licence file nor a licence in its manifest")
        out.write(f"\n{title}\n")
        for author in package["authors"]:
            out.write(f"    {author}\n")
        for path in files:
            texts.setdefault(path.read_text(encoding="utf-8", errors="replace").strip(), []).append(title)
    for text, titles in texts.items():
        out.write("\n" + "=" * 80 + "\n" + "\n".join(titles) + "\n" + "-" * 80 + "\n" + text + "\n")


if __name__ == "__main__":
    main()
