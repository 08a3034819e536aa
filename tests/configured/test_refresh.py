"""Credentials that expire are refreshed: in time, once, and as often as needed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from configured_servers import Answer, Request
from configured_services import Keys
from configured_world import BOTOCORE, CLIENTS, LIBRARY_CLIENT, World, lines_of

THREADS = 16
# As short as it can be: dates have whole seconds.
SHORT = 1.0
DEAD = SHORT + 1.0

# Makes credentials that soon expire, and returns a function that replaces them.
Renew = Callable[[Keys], None]
SOURCES: list[Callable[[World, Keys], Renew]] = []


def source(set_up: Callable[[World, Keys], Renew]) -> Callable[[World, Keys], Renew]:
    SOURCES.append(set_up)
    return set_up


@source
def a_container_whose_token_changes(world: World, keys: Keys) -> Renew:
    file = world.file("token", world.vault.make_secret("container-token"))
    world.make_container(keys, lifetimes=[SHORT], authorization=file.read_text)
    world.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=file)

    def renew(new: Keys) -> None:
        world.file("token", world.vault.make_secret("container-token"))
        world.make_container(new, authorization=file.read_text)

    return renew


@source
def an_instance(world: World, keys: Keys) -> Renew:
    world.make_instance(keys, lifetimes=[SHORT])
    return lambda new: world.make_instance(new)


@source
def a_role(world: World, keys: Keys) -> Renew:
    base = world.make_keys()
    role = world.make_role("worker", base, lifetime=SHORT)
    role.keys = keys
    world.credentials(f"[base]\n{lines_of(base)}")
    world.config(f"[profile prod]\nrole_arn = {role.arn}\nsource_profile = base")
    world.set(AWS_PROFILE="prod")

    def renew(new: Keys) -> None:
        role.keys, role.lifetime = new, 3600

    return renew


@source
def a_web_identity_whose_token_changes(world: World, keys: Keys) -> Renew:
    token = world.vault.make_secret("web-identity-token")
    role = world.make_role("worker", token=token, lifetime=SHORT)
    role.keys = keys
    world.set(AWS_WEB_IDENTITY_TOKEN_FILE=world.file("token", token), AWS_ROLE_ARN=role.arn)

    def renew(new: Keys) -> None:
        role.token = world.vault.make_secret("web-identity-token")
        world.file("token", role.token)
        role.keys, role.lifetime = new, 3600

    return renew


# botocore extends the life of an instance's credentials that soon expire.
CASES = [
    pytest.param(client, set_up, id=f"{client}-{set_up.__name__}")
    for set_up in SOURCES
    for client in CLIENTS
    if client != BOTOCORE or set_up is not an_instance
]


@pytest.mark.parametrize(("client", "set_up"), CASES)
def test_keys_that_have_expired_are_fetched_again(
    client: str, set_up: Callable[[World, Keys], Renew], world: World
) -> None:
    first, second = world.make_keys(session=True), world.make_keys(session=True)
    renew = set_up(world, first)
    with world.session(client) as session:
        assert session.round().signed_by == first.access_key_id
        renew(second)
        time.sleep(DEAD)
        assert session.round().signed_by == second.access_key_id
        # The new ones are cached.
        asked = len(world.requests("container") + world.requests("imds") + world.requests("sts"))
        assert session.round().signed_by == second.access_key_id
        assert len(world.requests("container") + world.requests("imds") + world.requests("sts")) == asked


@pytest.mark.parametrize("client", CLIENTS)
def test_many_threads_fetch_the_first_keys_once(client: str, world: World) -> None:
    keys = world.make_keys(session=True)
    world.make_container(keys)
    run = world.run(client, "--threads", str(THREADS), "--calls", "3")
    assert {call["status"] for call in run.calls} == {"LAMBDA_OK"}
    assert len(run.calls) == THREADS * 3
    assert len(world.requests("container")) == 1


def test_many_threads_fetch_new_keys_once(world: World) -> None:
    first, second = world.make_keys(session=True), world.make_keys(session=True)
    world.make_container(first, second, lifetimes=[SHORT])
    with world.session(LIBRARY_CLIENT, "--threads", str(THREADS)) as session:
        assert {call["status"] for call in session.round().calls} == {"LAMBDA_OK"}
        time.sleep(DEAD)
        assert {call["status"] for call in session.round().calls} == {"LAMBDA_OK"}
    assert world.functions.signers == [first] * THREADS + [second] * THREADS
    assert len(world.requests("container")) == 2


def test_many_threads_share_a_failure_to_fetch_keys(world: World) -> None:
    """Sixteen calls that all want the same keys ask for them once, not one after the other."""
    world.make_container(world.make_keys(session=True))
    world.servers["container"].respond = lambda _: Answer(404, b"no")
    run = world.run(LIBRARY_CLIENT, "--threads", str(THREADS))
    assert {call["status"] for call in run.calls} == {"LAMBDA_E_CREDENTIALS"}
    assert len(world.requests("container")) < THREADS


def test_calls_that_wait_for_keys_end_each_at_its_deadline(world: World) -> None:
    keys = world.make_keys(session=True)
    world.make_container(keys)
    good, server = world.servers["container"].respond, world.servers["container"]
    server.respond = server.hang
    with world.session(LIBRARY_CLIENT, "--threads", "4", "--timeout-ms", "700") as session:
        for call in session.round().calls:
            assert (call["status"], call["execution"]) == ("LAMBDA_E_TIMEOUT", "NONE")
            assert 700 <= call["duration_ms"] < 1500
        assert len(server.requests) == 1
        # Whoever gave up has left nothing locked.
        server.respond = good
        assert {call["status"] for call in session.round().calls} == {"LAMBDA_OK"}


@pytest.mark.parametrize(("client", "status"), [(BOTOCORE, 500), (LIBRARY_CLIENT, 500), (LIBRARY_CLIENT, 403)])
def test_a_refresh_that_failed_is_tried_again_by_the_next_call(client: str, status: int, world: World) -> None:
    first, second = world.make_keys(session=True), world.make_keys(session=True)
    world.make_container(first, lifetimes=[SHORT])
    with world.session(client) as session:
        assert session.round().signed_by == first.access_key_id
        world.servers["container"].respond = lambda _: Answer(status, b"{}")
        time.sleep(DEAD)
        assert session.round().status == "LAMBDA_E_CREDENTIALS"
        world.make_container(second)
        assert session.round().signed_by == second.access_key_id
    assert len(world.requests("lambda")) == 2


def test_keys_that_lambda_takes_for_expired_are_replaced_once(world: World) -> None:
    first, second = world.make_keys(session=True), world.make_keys(session=True)
    world.make_container(first, second)
    world.vault.expired.add(first.access_key_id)
    run = world.run(LIBRARY_CLIENT)
    assert (run.signed_by, run.attempts, run.execution) == (second.access_key_id, 2, "RAN")
    assert world.functions.signers == [first, second]
    assert len(world.requests("container")) == 2


def test_keys_that_lambda_takes_for_expired_again_end_the_call(world: World) -> None:
    keys = [world.make_keys(session=True) for _ in range(3)]
    world.make_container(*keys)
    world.vault.expired.update(one.access_key_id for one in keys)
    run = world.run(LIBRARY_CLIENT, "--max-attempts", "9")
    assert (run.status, run.error_type) == ("LAMBDA_E_SERVICE", "ExpiredTokenException")
    assert (run.http_status, run.attempts, run.execution) == (403, 2, "NONE")
    assert world.functions.signers == keys[:2]


def test_keys_that_never_change_are_not_sent_twice(world: World) -> None:
    keys = world.make_keys(session=True)
    world.set_keys(keys)
    world.vault.expired.add(keys.access_key_id)
    run = world.run(LIBRARY_CLIENT)
    assert (run.status, run.attempts) == ("LAMBDA_E_SERVICE", 1)
    assert world.functions.signers == [keys]


def test_credentials_that_expired_during_a_refresh_that_failed_do_not_sign(world: World) -> None:
    world.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{world.servers['container'].url}/credentials")
    keys = world.make_keys(session=True)
    with world.session(LIBRARY_CLIENT) as session:
        # Dates have whole seconds: from the beginning of one it is four to the end.
        time.sleep(1.0 - time.time() % 1.0)
        end = time.monotonic() + 4.0
        world.make_container(keys, lifetimes=[3.0])
        assert session.round().signed_by == keys.access_key_id

        def slow(_: Request) -> Answer:
            # Until they have surely expired.
            world.servers["container"].closed.wait(max(0.0, end + 0.1 - time.monotonic()))
            return Answer(403)

        world.servers["container"].respond = slow
        # In the last quarter of their life.
        time.sleep(max(0.0, end - 0.8 - time.monotonic()))
        run = session.round()
        assert time.monotonic() >= end
        assert (run.status, run.attempts) == ("LAMBDA_E_CREDENTIALS", 0)
    assert len(world.requests("lambda")) == 1


def test_a_refresh_that_fails_leaves_good_credentials_in_use(world: World) -> None:
    keys = world.make_keys(session=True)
    world.make_container(keys, lifetimes=[8.0])
    with world.session(LIBRARY_CLIENT) as session:
        assert session.round().signed_by == keys.access_key_id
        world.servers["container"].respond = lambda _: Answer(403)
        # In the last quarter of their life.
        time.sleep(7.0)
        assert session.round().signed_by == keys.access_key_id
        session.end()
        assert re.search("WARN +lambda_invoke::credentials.*could not be refreshed", session.stderr), session.stderr


def test_an_instance_that_returns_expired_credentials_is_a_warning(world: World) -> None:
    keys = world.make_keys(session=True)
    world.make_instance(keys, lifetimes=[-3600.0])
    world.set(LAMBDA_INVOKE_LOG="warn")
    run = world.run(LIBRARY_CLIENT, "--calls", "3")
    assert run.signed_by == keys.access_key_id
    assert len([line for line in run.stderr.splitlines() if "WARN" in line and "expired 3" in line]) == 1


def test_forked_children_take_over_what_their_parent_has_loaded(world: World) -> None:
    keys = world.make_keys(session=True)
    world.make_container(keys)
    run = world.run(LIBRARY_CLIENT, "--forks", "10")
    assert (run.status, run.forked) == ("LAMBDA_OK", 10)
    assert len(world.requests("container")) == 1
    assert world.functions.signers == [keys] * 11


def test_forked_children_load_what_has_expired_since(world: World) -> None:
    first, second = world.make_keys(session=True), world.make_keys(session=True)
    world.make_container(first, second, lifetimes=[SHORT])
    world.vault.expired.add(first.access_key_id)
    run = world.run(LIBRARY_CLIENT, "--forks", "3")
    assert (run.status, run.forked) == ("LAMBDA_OK", 3)
    # The parent's were refused, and it has left the new ones.
    assert world.functions.signers == [first] + [second] * 4
    assert len(world.requests("container")) == 2


def test_the_container_is_read_when_the_client_is_made(world: World) -> None:
    """Another client of the process, or its own code, may change the environment afterwards."""
    keys = world.make_keys(session=True)
    token = world.vault.make_secret("container-token")
    world.make_container(keys, lifetimes=[SHORT], authorization=lambda: token)
    world.set(AWS_CONTAINER_AUTHORIZATION_TOKEN=token)
    with world.session(LIBRARY_CLIENT, "--unset", "AWS_CONTAINER_CREDENTIALS_FULL_URI") as session:
        assert session.round().signed_by == keys.access_key_id
