"""A credential_process is a program of somebody else: it may fail, babble and hang."""

from __future__ import annotations

import json
import re
import shutil
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from configured_machine import can_unshare, need
from configured_services import Keys, date
from configured_world import CLIENTS, LIBRARY_CLIENT, World

SIGNAL_BITS = 8 * 8


def process(world: World, script: str, shell: str = "/bin/sh") -> None:
    """The default profile's keys are what this script for a shell prints."""
    file = world.file("process", f"#!{shell}\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    world.config(f"[default]\ncredential_process = {file} an argument")


def document(keys: Keys, **members: object) -> str:
    found = {"Version": 1, "AccessKeyId": keys.access_key_id, "SecretAccessKey": keys.secret_access_key, **members}
    return json.dumps(found)


@pytest.mark.parametrize("client", CLIENTS)
def test_what_it_says_of_its_failure_is_in_the_message(client: str, world: World) -> None:
    process(world, "echo '  the session is over: ' >&2; echo '  log in again  ' >&2; echo hidden; exit 1")
    run = world.run(client)
    assert run.status == "LAMBDA_E_CREDENTIALS"
    assert "log in again" in run.error_message
    assert "hidden" not in run.error_message
    if client == LIBRARY_CLIENT:
        assert "profile default" in run.error_message
        # The last line is enough, and the others may hold anything.
        assert "the session is over" not in run.error_message
        assert "again  " not in run.error_message
        assert (run.execution, run.attempts) == ("NONE", 0)
    assert world.asked() == set()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("script", "part"),
    [
        ("echo hello", "JSON"),
        (":", "JSON"),
        ("""echo '{"Version": 2, "AccessKeyId": "AKIA2", "SecretAccessKey": "two"}'""", "Version"),
        ("""echo '{"AccessKeyId": "AKIA2", "SecretAccessKey": "two"}'""", "Version"),
        ("""echo '{"Version": 1, "AccessKeyId": "AKIA2"}'""", "SecretAccessKey"),
        ("kill -KILL $$", "9"),
    ],
    ids=["no JSON", "nothing", "Version 2", "no Version", "no secret", "killed"],
)
def test_what_makes_no_sense_is_refused(client: str, script: str, part: str, world: World) -> None:
    process(world, script)
    run = world.run(client)
    assert run.status in ("LAMBDA_E_CREDENTIALS", "LAMBDA_E_CONFIG" if client != LIBRARY_CLIENT else "")
    assert client != LIBRARY_CLIENT or part in run.error_message
    assert world.asked() == set()


def test_what_it_prints_instead_of_keys_is_never_repeated(world: World) -> None:
    """It may be half a secret. Whatever is run here is searched for all of them."""
    keys = world.make_keys(session=True)
    process(world, f"echo 'garbage {keys.secret_access_key} {keys.session_token}'")
    assert world.run(LIBRARY_CLIENT).status == "LAMBDA_E_CREDENTIALS"
    process(world, f"echo '{document(keys, Version=7)}'")
    assert world.run(LIBRARY_CLIENT).status == "LAMBDA_E_CREDENTIALS"
    process(world, f"echo '{document(keys, Expiration='soon')}'")
    assert world.run(LIBRARY_CLIENT).status == "LAMBDA_E_CREDENTIALS"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_program_that_is_missing_is_named(client: str, world: World) -> None:
    world.config(f"[default]\ncredential_process = {world.home}/nothing-here")
    run = world.run(client)
    assert run.status == "LAMBDA_E_CREDENTIALS"
    assert client != LIBRARY_CLIENT or "nothing-here" in run.error_message


@pytest.mark.parametrize("client", CLIENTS)
def test_it_may_babble_more_than_a_pipe_holds(client: str, world: World) -> None:
    keys = world.make_keys()
    process(world, f"head -c 300000 /dev/zero | tr '\\0' x >&2; echo '{document(keys)}'; printf '%0300000d' 0 >&2")
    assert world.run(client).signed_by == keys.access_key_id


@pytest.mark.parametrize("client", CLIENTS)
def test_it_runs_once_for_keys_that_do_not_expire(client: str, world: World) -> None:
    keys = world.make_keys()
    process(world, f"echo run >> runs; echo '{document(keys)}'")
    run = world.run(client, "--calls", "5", "--threads", "4")
    assert [call["status"] for call in run.calls] == ["LAMBDA_OK"] * 20
    assert (world.home / "runs").read_text() == "run\n"


@pytest.mark.parametrize("client", CLIENTS)
def test_it_runs_again_when_its_keys_have_expired(client: str, world: World) -> None:
    first, second = world.make_keys(), world.make_keys()
    end = date(2)
    process(world, "cat document")
    world.file("document", document(first, Expiration=end))
    with world.session(client) as session:
        assert session.round().signed_by == first.access_key_id
        world.file("document", document(second, Expiration=date(3600)))
        wait_for(lambda: date(-0.999) >= end)
        assert session.round().signed_by == second.access_key_id


def test_one_that_hangs_is_killed_at_the_deadline_and_leaves_nothing_behind(world: World) -> None:
    process(world, "echo $$ > pids; sleep 600 & echo $! >> pids; wait")
    with world.session(LIBRARY_CLIENT, "--timeout-ms", "800") as session:
        run = session.round()
        assert (run.status, run.execution) == ("LAMBDA_E_TIMEOUT", "NONE")
        assert 800 <= run.duration_ms < 1600
        pids = (world.home / "pids").read_text().split()
        assert len(pids) == 2
        # Neither running nor waiting to be reaped, while the program that called goes on.
        wait_for(lambda: not children(session.process.pid))
        wait_for(lambda: not any(is_running(pid) for pid in pids))
        assert session.process.poll() is None


def test_a_call_after_one_that_hung_starts_anew(world: World) -> None:
    keys = world.make_keys()
    process(world, f"test -e good || exec sleep 600; echo '{document(keys)}'")
    with world.session(LIBRARY_CLIENT, "--timeout-ms", "800") as session:
        assert session.round().status == "LAMBDA_E_TIMEOUT"
        (world.home / "good").touch()
        assert session.round().signed_by == keys.access_key_id


SHELL_IS_BASH = 'mount --bind "$1" /bin/sh || exit 99; shift; exec "$@"'


@pytest.mark.parametrize("blocked", [(), (signal.SIGUSR1,), (signal.SIGTERM, signal.SIGPIPE)])
def test_its_signals_are_those_of_its_caller(blocked: tuple[signal.Signals, ...], world: World) -> None:
    """What this library blocks for itself would make a child deaf. (Other shells than bash unblock whatever comes.)"""
    keys, bash = world.make_keys(), shutil.which("bash")
    assert bash is not None
    need(can_unshare("-rm"), "way to mount in a namespace of one's own")
    world.wrapper = ["unshare", "-rm", "/bin/bash", "-c", SHELL_IS_BASH, "bash", bash]
    process(world, f"grep '^Sig' /proc/self/status > signals; echo '{document(keys)}'", shell=bash)
    flags = [part for number in blocked for part in ("--block-signal", str(int(number)))]
    assert world.run(LIBRARY_CLIENT, *flags).signed_by == keys.access_key_id
    masks = dict(line.split(":") for line in (world.home / "signals").read_text().splitlines())
    assert signals(masks["SigBlk"]) == set(blocked)
    # Whoever started the tests may ignore some; Python itself ignores two, but not for what it starts.
    ignored = re.search(r"^SigIgn:(.*)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert ignored is not None
    assert signals(masks["SigIgn"]) == signals(ignored[1]) - {signal.SIGPIPE, signal.SIGXFSZ}


def test_it_gets_the_environment_but_no_descriptor_of_its_caller(world: World) -> None:
    keys = world.make_keys()
    world.set(COLOUR="blue")
    process(world, f"echo $COLOUR > seen; ls /proc/self/fd >> seen; echo \"$*\" >> seen; echo '{document(keys)}'")
    assert world.run(LIBRARY_CLIENT).signed_by == keys.access_key_id
    colour, *descriptors, arguments = (world.home / "seen").read_text().splitlines()
    assert (colour, arguments) == ("blue", "an argument")
    # ls has the folder itself open as well.
    assert descriptors == ["0", "1", "2", "3"]


def signals(mask: str) -> set[int]:
    return {bit + 1 for bit in range(SIGNAL_BITS) if int(mask, 16) >> bit & 1}


def children(pid: int) -> str:
    return " ".join(file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children"))


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "that never came to be"
        time.sleep(0.01)


def test_the_shell_is_the_systems_own(world: World) -> None:
    """Whoever can write into a folder of PATH could run anything with the credentials' rights."""
    keys = world.make_keys()
    world.file("bin/sh", '#!/bin/bash\ntouch ran\nexec /bin/sh "$@"\n').chmod(0o755)
    world.set(PATH=f"{world.home}/bin:{world.environment['PATH']}")
    process(world, f"echo '{document(keys)}'")
    assert world.run(LIBRARY_CLIENT).signed_by == keys.access_key_id
    assert not (world.home / "ran").exists()


def test_a_shells_trace_is_not_repeated(world: World) -> None:
    token = world.vault.make_secret("vault-token")
    process(world, f"set -x; true --token={token}; echo '{{}}'; echo 'no session' >&2; exit 7")
    run = world.run(LIBRARY_CLIENT)
    assert run.status == "LAMBDA_E_CREDENTIALS"
    assert "no session" not in token
    assert token not in run.error_message


def test_what_it_prints_as_credentials_is_not_repeated_from_its_complaint(world: World) -> None:
    keys = world.make_keys(session=True)
    process(world, f"echo '{document(keys)}'; echo 'not stored: {keys.secret_access_key[3:-3]}' >&2; exit 1")
    run = world.run(LIBRARY_CLIENT)
    assert "not stored: (redacted)" in run.error_message
    assert keys.secret_access_key[5:20] not in run.error_message + run.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_more_than_a_document_is_refused_by_this_library(client: str, world: World) -> None:
    keys = world.make_keys()
    process(world, f"echo '{document(keys)}'; head -c 70000 /dev/zero | tr '\\0' ' '")
    run = world.run(client)
    if client == LIBRARY_CLIENT:
        assert "more than 65536 bytes" in run.error_message
    else:
        assert run.signed_by == keys.access_key_id


def test_a_process_that_others_reap_is_killed_with_what_it_started(world: World) -> None:
    """Its number may name another process by then."""
    process(world, "echo $$ > pids; sleep 600 & echo $! >> pids; exec >&- 2>&-; sleep 600")
    world.wrapper = ["sh", "-c", 'trap "" CHLD; exec "$@"', "sh"]
    with world.session(LIBRARY_CLIENT, "--timeout-ms", "800") as session:
        assert session.round().status == "LAMBDA_E_TIMEOUT"
        pids = (world.home / "pids").read_text().split()
        wait_for(lambda: not any(is_running(pid) for pid in pids))
