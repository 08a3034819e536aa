"""The addresses of instance metadata and of the container agents on AWS, if no setting changes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from configured_machine import network
from configured_world import CLIENTS, LIBRARY_CLIENT, Secrets, World

# Reachable by the program alone.
HERE = "127.0.0.1 8080"


@dataclass
class Place:
    # Which of the world's servers is there.
    server: str
    address: str
    set_up: Callable[[World], object]


def ecs(world: World) -> None:
    world.make_container(world.make_keys(session=True), path="/v2/credentials/42")
    world.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=None, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/v2/credentials/42")


def eks(host: str) -> Callable[[World], None]:
    def set_up(world: World) -> None:
        token = world.vault.make_secret("container-token")
        world.make_container(world.make_keys(session=True), path="/v1/credentials", authorization=lambda: token)
        world.set(
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://{host}/v1/credentials",
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=world.file("token", token),
        )

    return set_up


def ec2(world: World) -> None:
    world.make_instance(world.make_keys(session=True))


def ec2_ipv6(world: World) -> None:
    ec2(world)
    world.set(AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE="IPv6")


PLACES = {
    "ECS": Place("container", "169.254.170.2 80", ecs),
    "EKS": Place("container", "169.254.170.23 80", eks("169.254.170.23")),
    "EKS over IPv6": Place("container", "fd00:ec2::23 80", eks("[fd00:ec2::23]")),
    "EC2": Place("imds", "169.254.169.254 80", ec2),
    "EC2 over IPv6": Place("imds", "fd00:ec2::254 80", ec2_ipv6),
}


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param]


@pytest.fixture
def world(place: Place, tmp_path: Path, program: Callable[[], Path], secrets: Secrets) -> Iterator[World]:
    with network(**{"lambda": HERE, place.server: place.address}) as machine:
        made = World(tmp_path, program, secrets, machine.listeners)
        made.wrapper = machine.wrapper
        made.set(AWS_EC2_METADATA_SERVICE_ENDPOINT=None)
        yield made
        made.close()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("place", PLACES, indirect=True)
def test_keys_are_found_at_awss_own_addresses(client: str, place: Place, world: World) -> None:
    place.set_up(world)
    run = world.run(client)
    assert run.signed_by in world.vault.keys, str(run)
    assert world.asked() == {"lambda", place.server}


@pytest.mark.parametrize("place", ["EC2"], indirect=True)
def test_a_machine_that_does_not_reach_them_fails_soon(place: Place, world: World) -> None:
    place.set_up(world)
    world.set(AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE="IPv6")
    run = world.run(LIBRARY_CLIENT)
    assert run.status == "LAMBDA_E_CREDENTIALS"
    assert run.duration_ms <= 2500
    assert "fd00:ec2::254" in run.error_message
    assert world.asked() == set()
