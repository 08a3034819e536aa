"""Makes thousands of calls under faults, and compares what they were reported as with the endpoint's ledger.

SEED, CALLS, FIRST and THREADS choose the calls, DRIVER who makes them (see `drivers` in caller.c; "all" by default).
`make test-faults SEED=7 FIRST=4464 CALLS=1 DRIVER=queue` makes one call of a run again. Its faults are the same, except
for those that a connection meets before it carries a request.
"""

from __future__ import annotations

import os
import random
import re

import pytest
from judge import DROPPED
from run_faults import Run, build, build_endpoint, run

SEED = os.environ.get("SEED", "1")
CALLS = int(os.environ.get("CALLS", "5000"))
FIRST = int(os.environ.get("FIRST", "0"))
THREADS = int(os.environ.get("THREADS", "32"))
DRIVER = os.environ.get("DRIVER", "all")
# A machine that does nothing else makes 400 calls in a second.
TIMEOUT_S = 60 + CALLS / 50
# So many calls are compared with the ledger at once.
PIECE = 100_000
# As many calls inject every kind of fault.
ENOUGH_FOR_ALL = 5000
SHOWN = 10
# By how much resident memory may grow after the first 10,000 calls.
GROWTH_KIB = 8 * 1024


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Makes the calls in pieces, each with processes and files of its own: a million needs no more memory than one."""
    folder = tmp_path_factory.mktemp("faults")
    endpoint, caller = build_endpoint(), build("caller", folder)
    seed = random.randrange(2**32) if SEED == "random" else int(SEED)
    pieces = []
    for first in range(FIRST, FIRST + CALLS, PIECE):
        ids = range(first, min(first + PIECE, FIRST + CALLS))
        done = run(endpoint, caller, folder, seed, ids, THREADS, DRIVER, TIMEOUT_S)
        print(f"seed {seed}, calls {first} to {ids.stop - 1}\n{done.verdict}\n{done.caller.stdout}{done.caller.stderr}")
        pieces.append(done)
    whole = pieces[0]
    for piece in pieces[1:]:
        whole.add(piece)
    if len(pieces) > 1:
        print(f"seed {seed}, all {CALLS} calls\n{whole.verdict}")
    return whole


@pytest.mark.timeout(TIMEOUT_S + 60)
def test_every_call_is_reported_as_what_became_of_it(faults: Run) -> None:
    broken = faults.verdict.broken
    assert not broken, f"{len(broken)} broken promises\n" + "\n".join(broken[:SHOWN])


def test_nothing_hangs_and_descriptors_and_threads_come_back(faults: Run) -> None:
    assert (faults.caller.returncode, faults.caller.stderr) == (0, "")


@pytest.mark.skipif(CALLS < ENOUGH_FOR_ALL, reason="too few calls to inject every kind of fault")
def test_every_kind_of_fault_was_injected(faults: Run) -> None:
    missing = faults.kinds - faults.verdict.seen.keys()
    assert not missing


@pytest.mark.skipif(CALLS < ENOUGH_FOR_ALL, reason="too few calls for every driver")
@pytest.mark.skipif(DRIVER != "all", reason="one driver was chosen")
def test_every_driver_made_calls(faults: Run) -> None:
    assert faults.verdict.drivers.keys() == {"blocking", "queue", "stream"}
    assert faults.verdict.statuses[DROPPED] > 0, "no queue was freed with calls under way"


@pytest.mark.skipif(CALLS < 100_000, reason="too few calls to see memory grow")
def test_resident_memory_does_not_grow(faults: Run) -> None:
    pieces = re.findall(r"resident KiB: (\d+) after \d+ calls, (\d+) at the end", faults.caller.stdout)
    assert all(int(end) <= int(warm) + GROWTH_KIB for warm, end in pieces)
