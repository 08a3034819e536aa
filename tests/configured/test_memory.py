"""Once everything is freed, no secret is left in the process's memory."""

from __future__ import annotations

import json

import pytest
from configured_world import LIBRARY_CLIENT, World
from test_leaks import SOURCES

MASK = 0x55


def left_in_memory(world: World, *secrets: str) -> dict[str, int]:
    masked = [bytes(byte ^ MASK for byte in secret.encode()) for secret in secrets]
    (world.home / "masked").write_bytes(b"".join(len(secret).to_bytes(2, "big") + secret for secret in masked))
    with world.session(LIBRARY_CLIENT, "--calls", "3", "--search", "masked") as session:
        assert session.round().status == "LAMBDA_OK"
        stdout, _ = session.process.communicate(timeout=30)
        session.stdout += stdout
    return dict(zip(secrets, json.loads(session.stdout.splitlines()[-1])["left"]))


# What cannot be wiped from here, by the beginning of the secret. hyper keeps the head of a connection's last request in
# its write buffer, and frees that without wiping it: one copy of a header for each connection. AWS's clients of STS and
# SSO keep what they send in strings of their own, and aws-sigv4 copies the session token that it signs.
WRITE_BUFFER = 1
AWS_CLIENT = 2
KNOWN = {
    "session-token": {"role": WRITE_BUFFER + AWS_CLIENT},
    "sso-token": {"sso": WRITE_BUFFER},
    "sso-renewed-token": {"sso_renewal": WRITE_BUFFER},
    "sso-client-secret": {"sso_renewal": AWS_CLIENT},
    "sso-refresh-token": {"sso_renewal": AWS_CLIENT},
    "web-identity-token": {"web_identity": AWS_CLIENT},
    "imds-token": {"instance": WRITE_BUFFER},
    "container-token": {"container": WRITE_BUFFER},
    "key": {"container_whose_path_is_the_secret": WRITE_BUFFER},
    "task": {"container_whose_path_is_the_secret": WRITE_BUFFER},
}


@pytest.mark.parametrize("set_up", SOURCES)
def test_no_secret_is_left_but_where_nobody_can_wipe_it(set_up: str, world: World) -> None:
    SOURCES[set_up](world)
    world.set(LAMBDA_INVOKE_LOG=None)
    # The environment itself stays as it is.
    secrets = [
        secret
        for secret in sorted(world.vault.secrets)
        if not any(secret in value for value in world.environment.values())
    ]
    for secret, times in left_in_memory(world, *secrets).items():
        kind = secret.rpartition("-")[0]
        known = KNOWN.get(kind, {}).get(set_up, 0)
        if kind == "session-token":
            # Of calls to Lambda.
            known = max(known, WRITE_BUFFER)
        assert times <= known, f"{secret}: {times} times, and not {known}"


def test_what_is_left_is_found(world: World) -> None:
    world.set(LAMBDA_INVOKE_LOG=None, LEFT="left-in-the-environment")
    world.make_container(world.make_keys(session=True))
    assert left_in_memory(world, "left-in-the-environment")["left-in-the-environment"] >= 1
