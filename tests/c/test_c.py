"""Runs every C program of this folder on the local endpoint, and once more under valgrind."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import HERE, Programs, Run, read
from tested_library import WATCHES_THREADS, allowed_s

# Leaks on purpose.
LEAKY = "leak"
# Has a data race on purpose.
RACY = "race"
PROGRAMS = sorted({path.stem for path in HERE.glob("*.c")} - {LEAKY, RACY})

VALGRIND = shutil.which("valgrind")
FOUND_BY_VALGRIND = 99

# Rust points into the middle of some blocks, which valgrind cannot tell from a leak. A process has one for its main
# thread, which has no end that would free it, and one for the table of name lookups, however many calls it makes.
MIDDLE_POINTERS = 2
LARGEST_OF_THEM = 256

without_valgrind = pytest.mark.skipif(
    VALGRIND is None and os.environ.get("CI") != "true",
    reason="valgrind is not installed: memory is not checked",
)


@dataclass
class Report:
    """What valgrind says of a process."""

    text: str

    @property
    def process(self) -> str:
        return self._first(r"==(\d+)==")

    @property
    def parent(self) -> str:
        return self._first(r"Parent PID: (\d+)")

    @property
    def leaks(self) -> list[str]:
        return re.findall(r"== (.+ bytes in \d+ blocks are (?:definitely|indirectly|possibly) lost)", self.text)

    @property
    def grave_leaks(self) -> list[str]:
        possible = [re.fullmatch(r"([\d,]+) bytes in 1 blocks are possibly lost", leak) for leak in self.leaks]
        small = [match[0] for match in possible if match and int(match[1].replace(",", "")) <= LARGEST_OF_THEM]
        return [leak for leak in self.leaks if leak not in small[:MIDDLE_POINTERS]]

    @property
    def descriptors(self) -> list[str]:
        """Those that the program opened and did not close."""
        entries = re.findall(r"== (Open .+)\n==\d+==\s+(.+)", self.text)
        return [opened for opened, origin in entries if origin != "<inherited from parent>"]

    def _first(self, pattern: str) -> str:
        match = re.search(pattern, self.text)
        assert match, self.text
        return match[1]


def under_valgrind(programs: Programs, name: str, folder: Path) -> tuple[Run, Report]:
    """The run, and the report on the program itself. A forked child of it leaves its parent's half where it lies, which
    looks like a leak there; what else valgrind finds in a child becomes the child's exit status."""
    assert VALGRIND is not None, "CI must check memory: install valgrind"
    options = [
        f"--error-exitcode={FOUND_BY_VALGRIND}",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect,possible",
        "--errors-for-leak-kinds=none",
        "--track-fds=yes",
        "--num-callers=40",
        f"--log-file={folder / 'valgrind.%p'}",
    ]
    run = programs.run(name, folder, [VALGRIND, *options], light=True)
    reports = [Report(read(path)) for path in folder.glob("valgrind.*")]
    processes = {report.process for report in reports}
    (report,) = (report for report in reports if report.parent not in processes)
    return run, report


@pytest.mark.timeout(allowed_s(60))
@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str, programs: Programs, tmp_path: Path) -> None:
    run = programs.run(name, tmp_path, light=WATCHES_THREADS)
    assert run.status == 0, str(run)
    # Programs print only what failed, and the library prints nothing, whatever happens.
    assert (run.stdout, run.stderr) == ("", "")


if "-fsanitize=address" in os.environ.get("CC", ""):

    def test_program_that_leaks_is_found(programs: Programs, tmp_path: Path) -> None:
        run = programs.run(LEAKY, tmp_path)
        assert run.status != 0
        assert "LeakSanitizer" in run.stderr


if WATCHES_THREADS:

    def test_a_race_is_found(programs: Programs, tmp_path: Path) -> None:
        run = programs.run(RACY, tmp_path)
        assert run.status != 0
        assert "ThreadSanitizer: data race" in run.stderr
        assert "liblambda_invoke" in run.stderr


@without_valgrind
@pytest.mark.timeout(300)
def test_a_leak_is_found(programs: Programs, tmp_path: Path) -> None:
    run, report = under_valgrind(programs, LEAKY, tmp_path)
    assert run.status == 0, f"{run}\n{report.text}"
    assert any("definitely" in leak for leak in report.grave_leaks), report.text
    assert report.descriptors, report.text


@without_valgrind
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_under_valgrind(name: str, programs: Programs, tmp_path: Path) -> None:
    run, report = under_valgrind(programs, name, tmp_path)
    assert run.status == 0, f"{run}\n{report.text}"
    assert (run.stdout, run.stderr) == ("", "")
    assert not report.grave_leaks, report.text
    assert not report.descriptors, report.text
