"""Settings and credentials of a process that can open hardly anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from configured_world import LIBRARY_CLIENT, World

FAR = "2099-01-02T03:04:05Z"
LIMIT = "; the limit of open files (ulimit -n) is 64"
# Starts a program that can open as many descriptors as the first argument is.
FEW_DESCRIPTORS = """
import contextlib, os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
with contextlib.suppress(OSError):
    while True:
        taken.append(os.dup(0))
for descriptor in taken[: -int(sys.argv[1])]:
    os.set_inheritable(descriptor, True)
os.execv(sys.argv[2], sys.argv[2:])
"""
# What the runtime of a call takes.
RUNTIME = 3
# What a process and its pipes take, beside that.
PROCESS = 9


def leave(world: World, descriptors: int) -> None:
    world.wrapper = [sys.executable, "-c", FEW_DESCRIPTORS, str(descriptors)]


def a_container(world: World) -> None:
    world.make_container(world.make_keys(session=True))


def a_container_with_a_token_file(world: World) -> None:
    file = world.file("token", world.vault.make_secret("container-token"))
    world.make_container(world.make_keys(session=True), authorization=file.read_text)
    world.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=file)


def a_web_identity(world: World) -> None:
    token = world.vault.make_secret("web-identity-token")
    role = world.make_role("worker", token=token)
    world.set(AWS_WEB_IDENTITY_TOKEN_FILE=world.file("token", token), AWS_ROLE_ARN=role.arn)


def sso(world: World) -> None:
    world.make_sso(world.make_keys(session=True), "https://start.invalid/", FAR)
    world.config("""
        [default]
        sso_start_url = https://start.invalid/
        sso_region = eu-central-1
        sso_account_id = 123456789012
        sso_role_name = Reader
        """)


def a_process(world: World) -> None:
    keys = world.make_keys()
    document = {"Version": 1, "AccessKeyId": keys.access_key_id, "SecretAccessKey": keys.secret_access_key}
    file = world.file("document.json", json.dumps(document))
    world.config(f"[default]\ncredential_process = cat {file}")


Source = Callable[[World], None]
SOURCES: list[Source] = [a_container, a_container_with_a_token_file, a_web_identity, sso, a_process]


@pytest.mark.parametrize("source", SOURCES)
def test_a_load_that_finds_no_descriptor_waits_for_one(source: Source, world: World) -> None:
    """Two calls have the descriptors of their runtimes; none is left for a file or a connection."""
    source(world)
    leave(world, 2 * RUNTIME + (PROCESS - RUNTIME if source is a_process else 0))
    for _ in range(5):
        run = world.run(LIBRARY_CLIENT, "--threads", "2")
        assert {call["status"] for call in run.calls} == {"LAMBDA_OK"}, str(run)


@pytest.mark.parametrize("source", SOURCES)
def test_a_load_that_waits_in_vain_for_a_descriptor_names_the_limit(source: Source, world: World) -> None:
    source(world)
    leave(world, RUNTIME)
    run = world.run(LIBRARY_CLIENT)
    assert (run.status, run.execution, run.attempts) == ("LAMBDA_E_CREDENTIALS", "NONE", 0)
    assert run.error_message.endswith(LIMIT)
    assert world.asked() == set()


def test_a_part_of_the_trust_store_is_not_taken_for_all_of_it(world: World, tmp_path: Path) -> None:
    """Its folder can be opened, but none of its files."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    world.set(SSL_CERT_DIR=tmp_path, AWS_ENDPOINT_URL_LAMBDA="https://localhost:1")
    world.set_keys(world.make_keys())
    leave(world, 1)
    run = world.run(LIBRARY_CLIENT)
    assert (run.status, run.describe) == ("LAMBDA_E_CONFIG", None)
    assert run.error_message.startswith(f"SSL_CERT_DIR: {tmp_path / 'authority.pem'}: ")
    assert run.error_message.endswith(LIMIT)
