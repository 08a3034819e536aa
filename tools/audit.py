"""Compares all dependencies with the databases of known vulnerabilities, as far as these can be reached.

    audit.py CARGO_DENY

What the library brings into a program is its crates alone: the Go module requires no other, and the Python package
none. The packages that only tests use are compared too. A database that cannot be reached is named, and is not a
failure, unless AUDIT_MUST=1 says that all must be.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


# What pip-audit and govulncheck write of a known vulnerability: they may fail to look up other packages beside it.
FOUND = r"Found \d+ known vulnerabilit|Vulnerability #\d"


@dataclass
class Audit:
    name: str
    command: list[str]
    folder: Path = ROOT
    # What its output contains if its database could not be reached, or did not know the packages.
    unreachable: str = "failed to fetch|could not be audited|ConnectionError|fetching vulnerabilities"
    # What to do if there is no such program.
    install: str = ""


def audits(cargo_deny: str) -> list[Audit]:
    go = str(ROOT / "bindings" / "go" / "with-library")
    pip_audit = ["pip-audit", "--progress-spinner", "off", "--no-deps", "--disable-pip", "--requirement"]
    requirements = [path for path in sorted(ROOT.glob("**/requirements.txt")) if "build" not in path.parts]
    return [
        Audit("crates (RustSec)", [cargo_deny, "--locked", "check", "--deny", "warnings", "advisories"]),
        Audit(
            "Go (vuln.go.dev)",
            [go, "govulncheck", "./..."],
            ROOT / "bindings" / "go",
            install="go install golang.org/x/vuln/cmd/govulncheck@latest",
        ),
        *(
            Audit(f"Python ({path.relative_to(ROOT)})", [*pip_audit, str(path)], install="pip install pip-audit")
            for path in requirements
        ),
    ]


def check_that_bindings_bring_nothing() -> None:
    """Fails if the Go module or the Python package has come to depend on another."""
    module = (ROOT / "bindings" / "go" / "go.mod").read_text(encoding="utf-8")
    if re.search(r"^\s*require\b", module, re.MULTILINE):
        raise SystemExit("audit: bindings/go/go.mod requires another module")
    imports = set()
    for path in (ROOT / "bindings" / "python" / "lambda_invoke").glob("**/*.py"):
        imports |= set(re.findall(r"^(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    foreign = imports - sys.stdlib_module_names - {"lambda_invoke"}
    if foreign:
        raise SystemExit(f"audit: the Python package imports {', '.join(sorted(foreign))}")


def outcome(audit: Audit, environment: Mapping[str, str]) -> str:
    """Runs an audit. Returns "" if nothing was found, and else what was, or why nothing could be looked for."""
    program = audit.command[1] if audit.command[0].endswith("with-library") else audit.command[0]
    if shutil.which(program, path=environment["PATH"]) is None:
        return f"skipped: there is no {program} ({audit.install})"
    done = subprocess.run(audit.command, cwd=audit.folder, env=environment, capture_output=True, text=True)
    output = done.stdout + done.stderr
    if done.returncode != 0 and re.search(FOUND, output):
        return f"failed\n{output}"
    if re.search(audit.unreachable, output):
        return "skipped: its database cannot be reached"
    return "" if done.returncode == 0 else f"failed\n{output}"


def main() -> None:
    check_that_bindings_bring_nothing()
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:{Path.home() / 'go' / 'bin'}"}
    must = os.environ.get("AUDIT_MUST") == "1"
    failed = False
    for audit in audits(sys.argv[1]):
        result = outcome(audit, environment)
        print(f"{audit.name}: {result or 'nothing known'}")
        failed |= result.startswith("failed") or (must and result != "")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
