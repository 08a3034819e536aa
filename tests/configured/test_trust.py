"""Whom a client trusts, and that it trusts nobody else."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme
from configured_machine import without_certificates
from configured_servers import Server
from configured_world import CLIENTS, LIBRARY_CLIENT, World, lines_of


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that no machine knows."""
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def serve(world: World, certificate: trustme.LeafCert) -> Server:
    """Lambda, over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server = world.servers["tls"] = Server(world.functions.respond, tls=context)
    world.set(AWS_ENDPOINT_URL_LAMBDA=server.url)
    world.set_keys(world.make_keys())
    return server


@pytest.fixture
def tls(world: World, authority: trustme.CA) -> Server:
    return serve(world, authority.issue_cert("localhost"))


def by_variable(name: str) -> Callable[[World, Path], list[str]]:
    def set_up(world: World, path: Path) -> list[str]:
        world.set(**{name: path})
        return []

    return set_up


def by_profile(world: World, path: Path) -> list[str]:
    world.config(f"[default]\nca_bundle = {path}")
    return []


def by_setter(world: World, path: Path) -> list[str]:
    return ["--ca-bundle", str(path)]


def by_variable_before_the_profile(world: World, path: Path) -> list[str]:
    by_profile(world, world.file("another.pem", trustme.CA().cert_pem.bytes().decode()))
    return by_variable("AWS_CA_BUNDLE")(world, path)


def by_setter_before_the_variable(world: World, path: Path) -> list[str]:
    by_variable("AWS_CA_BUNDLE")(world, world.file("another.pem", trustme.CA().cert_pem.bytes().decode()))
    return by_setter(world, path)


WAYS = {
    "AWS_CA_BUNDLE": (by_variable("AWS_CA_BUNDLE"), "AWS_CA_BUNDLE", CLIENTS),
    "profile": (by_profile, "profile default", CLIENTS),
    "setter": (by_setter, "setter", CLIENTS),
    # botocore has certificates of its own, and looks at no variable for those of the system.
    "SSL_CERT_FILE": (by_variable("SSL_CERT_FILE"), "SSL_CERT_FILE", [LIBRARY_CLIENT]),
    "AWS_CA_BUNDLE before the profile": (by_variable_before_the_profile, "AWS_CA_BUNDLE", CLIENTS),
    "setter before AWS_CA_BUNDLE": (by_setter_before_the_variable, "setter", CLIENTS),
}
CASES = [
    pytest.param(client, set_up, source, id=f"{client}-{name}")
    for name, (set_up, source, clients) in WAYS.items()
    for client in clients
]


@pytest.mark.parametrize(("client", "set_up", "source"), CASES)
def test_an_authority_of_ones_own_is_trusted(
    client: str, set_up: Callable[[World, Path], list[str]], source: str, world: World, tls: Server, bundle: Path
) -> None:
    run = world.run(client, *set_up(world, bundle))
    assert run.status == "LAMBDA_OK", str(run)
    assert len(tls.requests) == 1
    if client == LIBRARY_CLIENT:
        assert source in run.describe["ca_bundle"]["source"]


@pytest.mark.parametrize("client", CLIENTS)
def test_an_authority_that_nobody_knows_is_refused(client: str, world: World, tls: Server) -> None:
    run = world.run(client)
    assert run.status == "LAMBDA_E_TLS", str(run)
    assert tls.requests == []
    if client == LIBRARY_CLIENT:
        assert (run.execution, run.attempts, run.http_status) == ("NONE", 1, 0)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_bundle_replaces_what_else_is_trusted(client: str, world: World, tls: Server) -> None:
    world.set(AWS_CA_BUNDLE=world.file("another.pem", trustme.CA().cert_pem.bytes().decode()))
    assert world.run(client).status == "LAMBDA_E_TLS"
    assert tls.requests == []


@pytest.mark.parametrize("client", CLIENTS)
def test_a_certificate_for_another_name_is_refused(
    client: str, world: World, authority: trustme.CA, bundle: Path
) -> None:
    server = serve(world, authority.issue_cert("lambda.invalid"))
    world.set(AWS_CA_BUNDLE=bundle)
    assert world.run(client).status == "LAMBDA_E_TLS"
    assert server.requests == []


@pytest.mark.parametrize("client", CLIENTS)
def test_a_certificate_that_has_expired_is_refused(
    client: str, world: World, authority: trustme.CA, bundle: Path
) -> None:
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    server = serve(
        world, authority.issue_cert("localhost", not_before=yesterday - timedelta(days=9), not_after=yesterday)
    )
    world.set(AWS_CA_BUNDLE=bundle)
    assert world.run(client).status == "LAMBDA_E_TLS"
    assert server.requests == []


@pytest.mark.parametrize("client", CLIENTS)
def test_keys_are_fetched_with_the_same_trust(client: str, world: World, authority: trustme.CA, bundle: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    world.servers["tls"] = Server(world.sts.respond, tls=context)
    base = world.make_keys()
    role = world.make_role("worker", base)
    world.credentials(f"[base]\n{lines_of(base)}")
    world.config(f"[profile prod]\nrole_arn = {role.arn}\nsource_profile = base")
    world.set(AWS_PROFILE="prod", AWS_ENDPOINT_URL_STS=world.servers["tls"].url)
    assert world.run(client).status != "LAMBDA_OK"
    assert (world.requests("tls"), world.requests("lambda")) == ([], [])
    world.set(AWS_CA_BUNDLE=bundle)
    assert world.run(client).signed_by == role.keys.access_key_id


NO_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
BAD_BUNDLES = {
    "missing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "empty": lambda path: path.write_text(""),
    "garbage": lambda path: path.write_bytes(b"\x00\xff garbage \n" * 20),
    "no certificate": lambda path: path.write_text(NO_CERTIFICATE),
    "cut off": lambda path: path.write_text(NO_CERTIFICATE[:40]),
}


@pytest.mark.parametrize(
    "set_up", [by_variable("AWS_CA_BUNDLE"), by_profile, by_setter], ids=["variable", "profile", "setter"]
)
@pytest.mark.parametrize("spoil", BAD_BUNDLES.values(), ids=BAD_BUNDLES)
def test_a_bundle_that_is_none_is_refused_by_its_path(
    spoil: Callable[[Path], object], set_up: Callable[[World, Path], list[str]], world: World, tls: Server
) -> None:
    path = world.home / "bad.pem"
    spoil(path)
    run = world.run(LIBRARY_CLIENT, *set_up(world, path))
    assert (run.status, run.describe) == ("LAMBDA_E_CONFIG", None)
    assert str(path) in run.error_message
    assert tls.connections == 0


def test_a_machine_without_certificates_has_those_that_are_built_in(world: World, tls: Server) -> None:
    world.wrapper = without_certificates(world.home / "empty")
    world.set(LAMBDA_INVOKE_LOG="warn")
    run = world.run(LIBRARY_CLIENT)
    assert "Mozilla" in run.describe["ca_bundle"]["value"] + run.describe["ca_bundle"]["source"]
    assert "compiled" in run.describe["ca_bundle"]["source"]
    assert "Mozilla" in run.stderr
    # Which do not include ours.
    assert (run.status, tls.requests) == ("LAMBDA_E_TLS", [])


def test_a_machine_without_certificates_trusts_a_bundle_and_says_nothing(
    world: World, tls: Server, bundle: Path
) -> None:
    world.wrapper = without_certificates(world.home / "empty")
    world.set(LAMBDA_INVOKE_LOG="warn", AWS_CA_BUNDLE=bundle)
    run = world.run(LIBRARY_CLIENT)
    assert (run.status, run.stderr) == ("LAMBDA_OK", "")


def test_a_machine_with_certificates_uses_them_and_says_nothing(world: World, tls: Server, bundle: Path) -> None:
    world.set(LAMBDA_INVOKE_LOG="warn", SSL_CERT_FILE=bundle)
    run = world.run(LIBRARY_CLIENT)
    assert (run.status, run.stderr) == ("LAMBDA_OK", "")
    assert "compiled" not in run.describe["ca_bundle"]["source"]
