"""A real proxy between here and Lambda: used where it is set, left out where it is not, and never the one to be blamed
on the function. It connects from an address of its own, so that the endpoint sees whether it was used."""

from __future__ import annotations

import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme
from configured_machine import PROXY_PEER, Tinyproxy, tinyproxy
from configured_servers import Answer, Request, Server, refusing
from configured_world import CLIENTS, LIBRARY_CLIENT, World, lines_of

DIRECT_PEER = "127.0.0.1"


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Tinyproxy]:
    with tinyproxy(tmp_path) as started:
        yield started


@pytest.fixture(params=["http", "https"])
def endpoint(request: pytest.FixtureRequest, world: World, authority: trustme.CA) -> Server:
    """Lambda, by either scheme."""
    return serve(world, request.param, authority)


@pytest.fixture
def tunnelled(world: World, authority: trustme.CA) -> Server:
    return serve(world, "https", authority)


@pytest.fixture
def plain(world: World, authority: trustme.CA) -> Server:
    return serve(world, "http", authority)


def serve(world: World, scheme: str, authority: trustme.CA) -> Server:
    world.set_keys(world.make_keys())
    if scheme == "http":
        return world.servers["lambda"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = world.servers["lambda"] = Server(world.functions.respond, tls=context)
    world.set(AWS_ENDPOINT_URL_LAMBDA=server.url)
    world.set(AWS_CA_BUNDLE=world.file("authority.pem", authority.cert_pem.bytes().decode()))
    return server


def line_of(endpoint: Server) -> str:
    """How the proxy is asked for it."""
    if endpoint.url.startswith("https"):
        return f"CONNECT {endpoint.address}"
    return f"POST {endpoint.url}/2015-03-31/functions/hello/invocations"


def assert_used(proxy: Tinyproxy, endpoint: Server) -> None:
    assert proxy.requests == [line_of(endpoint)]
    assert [request.peer for request in endpoint.requests] == [PROXY_PEER]


def assert_not_used(proxy: Tinyproxy, endpoint: Server) -> None:
    assert proxy.requests == []
    assert [request.peer for request in endpoint.requests] == [DIRECT_PEER]


# botocore does not know ALL_PROXY.
USED = [
    ("https", "HTTPS_PROXY", CLIENTS),
    ("https", "https_proxy", CLIENTS),
    ("https", "ALL_PROXY", [LIBRARY_CLIENT]),
    ("https", "all_proxy", [LIBRARY_CLIENT]),
    ("http", "HTTP_PROXY", CLIENTS),
    ("http", "http_proxy", CLIENTS),
    ("http", "ALL_PROXY", [LIBRARY_CLIENT]),
    ("http", "all_proxy", [LIBRARY_CLIENT]),
]


@pytest.mark.parametrize(
    ("client", "endpoint", "variable"),
    [(client, scheme, variable) for scheme, variable, clients in USED for client in clients],
    indirect=["endpoint"],
)
def test_the_proxy_of_a_variable_is_used(
    client: str, endpoint: Server, variable: str, world: World, proxy: Tinyproxy
) -> None:
    world.set(**{variable: f"http://{proxy.address}"})
    run = world.run(client)
    assert run.status == "LAMBDA_OK", str(run)
    assert_used(proxy, endpoint)
    if client == LIBRARY_CLIENT:
        assert proxy.address in run.describe["proxy"]["value"]
        assert variable in run.describe["proxy"]["source"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_proxy_need_not_say_that_it_speaks_http(
    client: str, endpoint: Server, world: World, proxy: Tinyproxy
) -> None:
    world.set(HTTP_PROXY=proxy.address, HTTPS_PROXY=proxy.address)
    assert world.run(client).status == "LAMBDA_OK"
    assert_used(proxy, endpoint)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_proxy_of_the_program_goes_before_that_of_the_environment(
    client: str, endpoint: Server, world: World, proxy: Tinyproxy
) -> None:
    world.set(HTTP_PROXY="http://127.0.0.1:1", HTTPS_PROXY="http://127.0.0.1:1")
    run = world.run(client, "--proxy", f"http://{proxy.address}")
    assert run.status == "LAMBDA_OK", str(run)
    assert_used(proxy, endpoint)
    if client == LIBRARY_CLIENT:
        assert "setter" in run.describe["proxy"]["source"]


def test_a_program_can_do_without_the_proxy_of_the_environment(
    endpoint: Server, world: World, proxy: Tinyproxy
) -> None:
    world.set(HTTP_PROXY=proxy.address, HTTPS_PROXY=proxy.address, ALL_PROXY=proxy.address)
    run = world.run(LIBRARY_CLIENT, "--proxy", "")
    assert run.status == "LAMBDA_OK", str(run)
    assert_not_used(proxy, endpoint)
    assert not run.describe["proxy"]["value"]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("exception", ["localhost,127.0.0.1", "other.invalid, localhost, 127.0.0.1", "*"])
def test_exceptions_are_reached_directly(
    client: str, variable: str, exception: str, tunnelled: Server, world: World, proxy: Tinyproxy
) -> None:
    world.set(HTTPS_PROXY=f"http://{proxy.address}", **{variable: exception})
    assert world.run(client).status == "LAMBDA_OK"
    assert_not_used(proxy, tunnelled)


@pytest.mark.parametrize("client", CLIENTS)
def test_an_address_can_be_an_exception(client: str, plain: Server, world: World, proxy: Tinyproxy) -> None:
    world.set(HTTP_PROXY=f"http://{proxy.address}", NO_PROXY="127.0.0.1")
    assert world.run(client).status == "LAMBDA_OK"
    assert_not_used(proxy, plain)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("exception", "is_excepted"),
    [("{host}:{port}", True), ("other.invalid, {host}:{port}", True), (".{host}:{port}", True), ("{host}:1", False)],
)
def test_an_exception_may_hold_for_one_port(
    client: str, exception: str, is_excepted: bool, endpoint: Server, world: World, proxy: Tinyproxy
) -> None:
    host, port = endpoint.address.rsplit(":", 1)
    world.set(HTTP_PROXY=proxy.address, HTTPS_PROXY=proxy.address, NO_PROXY=exception.format(host=host, port=port))
    assert world.run(client).status == "LAMBDA_OK"
    (assert_not_used if is_excepted else assert_used)(proxy, endpoint)


@pytest.mark.parametrize("client", CLIENTS)
def test_an_empty_variable_in_lower_case_means_no_proxy(
    client: str, endpoint: Server, world: World, proxy: Tinyproxy
) -> None:
    world.set(HTTP_PROXY=proxy.address, HTTPS_PROXY=proxy.address, http_proxy="", https_proxy="")
    assert world.run(client).status == "LAMBDA_OK"
    assert_not_used(proxy, endpoint)


# botocore and curl read NO_PROXY differently; an entry with host and port counts if either of them honours it.
@pytest.mark.parametrize("exception", ["[::1]:{port}", "::1", "[::1]", "x,[::1]:{port}"])
def test_an_ipv6_address_can_be_an_exception(exception: str, world: World, proxy: Tinyproxy) -> None:
    world.set_keys(world.make_keys())
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        world.set(HTTP_PROXY=proxy.address, NO_PROXY=exception.format(port=port))
        world.set(AWS_ENDPOINT_URL_LAMBDA=f"http://[::1]:{port}")
        world.run(LIBRARY_CLIENT, "--timeout-ms", "300")
        assert proxy.requests == []
        listener.settimeout(5)
        listener.accept()[0].close()


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_no_exception_goes_through_the_proxy(
    client: str, endpoint: Server, world: World, proxy: Tinyproxy
) -> None:
    world.set(HTTP_PROXY=proxy.address, HTTPS_PROXY=proxy.address, NO_PROXY="host,other.invalid,10.0.0.1")
    assert world.run(client).status == "LAMBDA_OK"
    assert_used(proxy, endpoint)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("endpoint", "variable"), [("http", "HTTPS_PROXY"), ("https", "HTTP_PROXY")], indirect=["endpoint"]
)
def test_the_proxy_of_the_other_scheme_is_not_used(
    client: str, endpoint: Server, variable: str, world: World, proxy: Tinyproxy
) -> None:
    world.set(**{variable: f"http://{proxy.address}"})
    assert world.run(client).status == "LAMBDA_OK"
    assert_not_used(proxy, endpoint)


@pytest.mark.parametrize("client", CLIENTS)
def test_sts_is_asked_through_the_proxy(client: str, plain: Server, world: World, proxy: Tinyproxy) -> None:
    base = world.make_keys()
    role = world.make_role("worker", base)
    world.credentials(f"[base]\n{lines_of(base)}")
    world.config(f"[profile prod]\nrole_arn = {role.arn}\nsource_profile = base")
    world.set(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_PROFILE="prod")
    world.set(HTTP_PROXY=f"http://{proxy.address}")
    assert world.run(client).signed_by == role.keys.access_key_id
    assert proxy.requests == [f"POST {world.servers['sts'].url}/", line_of(plain)]
    assert [request.peer for request in world.requests("sts")] == [PROXY_PEER]


def make_container(world: World) -> None:
    world.make_container(world.make_keys(session=True))


def make_instance(world: World) -> None:
    world.make_instance(world.make_keys(session=True))


@pytest.mark.parametrize(("set_up", "server"), [(make_container, "container"), (make_instance, "imds")])
def test_what_is_on_this_machine_is_asked_without_the_proxy(
    set_up: Callable[[World], None], server: str, plain: Server, world: World, proxy: Tinyproxy
) -> None:
    """The proxy would take their addresses for those of its own machine, and must not see their tokens."""
    world.set(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, HTTP_PROXY=f"http://{proxy.address}")
    set_up(world)
    assert world.run(LIBRARY_CLIENT).status == "LAMBDA_OK"
    assert {request.peer for request in world.requests(server)} == {DIRECT_PEER}
    assert_used(proxy, plain)


# Passwords.


@pytest.fixture
def password(world: World) -> str:
    return world.vault.make_secret("proxy-password")


@pytest.fixture
def locked(tmp_path: Path, password: str) -> Iterator[Tinyproxy]:
    with tinyproxy(tmp_path, f"BasicAuth somebody {password}") as started:
        yield started


@pytest.mark.parametrize("client", CLIENTS)
def test_a_proxy_is_told_its_password(
    client: str, endpoint: Server, world: World, locked: Tinyproxy, password: str
) -> None:
    # A URL's password may be escaped where it need not.
    url = f"http://somebody:{password.replace('-', '%2D')}@{locked.address}"
    world.set(HTTP_PROXY=url, HTTPS_PROXY=url)
    run = world.run(client)
    assert run.status == "LAMBDA_OK", str(run)
    assert_used(locked, endpoint)
    if client == LIBRARY_CLIENT:
        assert locked.address in run.describe["proxy"]["value"]


def test_a_proxy_that_wants_a_password_is_asked_once(endpoint: Server, world: World, locked: Tinyproxy) -> None:
    world.set(HTTP_PROXY=f"http://{locked.address}", HTTPS_PROXY=f"http://{locked.address}")
    run = world.run(LIBRARY_CLIENT)
    assert (run.status, run.execution, run.attempts) == ("LAMBDA_E_CONNECT", "NONE", 1), str(run)
    assert locked.address in run.error_message
    assert locked.requests == [line_of(endpoint)]
    assert endpoint.requests == []


def test_a_wrong_password_is_tried_once(endpoint: Server, world: World, password: str) -> None:
    """By a proxy that responds with 407, as it should: tinyproxy responds with 401, like an endpoint."""
    strict = world.servers["proxy"] = Server(lambda _: Answer(407, b"no", {"Proxy-Authenticate": 'Basic realm="x"'}))
    password += ":/@"
    url = f"http://somebody:{quote(password, safe='')}@{strict.address}"
    world.set(HTTP_PROXY=url, HTTPS_PROXY=url)
    run = world.run(LIBRARY_CLIENT)
    assert (run.status, run.execution, run.attempts) == ("LAMBDA_E_CONNECT", "NONE", 1), str(run)
    assert strict.address in run.error_message
    (asked,) = strict.requests
    assert asked.header("proxy-authorization") == f"Basic {b64encode(f'somebody:{password}'.encode()).decode()}"
    assert endpoint.requests == []


@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_password_is_no_connection(
    client: str, tunnelled: Server, world: World, locked: Tinyproxy, password: str
) -> None:
    world.set(HTTPS_PROXY=f"http://somebody:{password[:20]}@{locked.address}")
    run = world.run(client)
    assert run.status == "LAMBDA_E_CONNECT", str(run)
    assert locked.address in run.error_message
    assert tunnelled.requests == []
    if client == LIBRARY_CLIENT:
        assert run.execution == "NONE"


# Proxies that do not work.


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("rule", ["ConnectPort 1", 'Filter "{folder}/filter"'])
def test_a_tunnel_that_the_proxy_refuses_is_no_connection(
    client: str, rule: str, tunnelled: Server, world: World, tmp_path: Path
) -> None:
    (tmp_path / "filter").write_text("localhost\n")
    with tinyproxy(tmp_path, rule.format(folder=tmp_path)) as proxy:
        world.set(HTTPS_PROXY=f"http://{proxy.address}")
        run = world.run(client)
        assert run.status == "LAMBDA_E_CONNECT", str(run)
        assert set(proxy.requests) == {line_of(tunnelled)}
        assert tunnelled.connections == 0
        if client == LIBRARY_CLIENT:
            assert run.execution == "NONE"
            assert proxy.address in run.error_message


@pytest.mark.parametrize("client", CLIENTS)
def test_a_proxy_that_does_not_listen_is_named(client: str, endpoint: Server, world: World) -> None:
    with refusing() as address:
        world.set(HTTP_PROXY=f"http://{address}", HTTPS_PROXY=f"http://{address}")
        run = world.run(client)
    assert run.status == "LAMBDA_E_CONNECT", str(run)
    assert address in run.error_message
    assert endpoint.connections == 0
    if client == LIBRARY_CLIENT:
        assert run.execution == "NONE"


def test_a_proxy_that_never_answers_costs_the_connect_timeout(tunnelled: Server, world: World) -> None:
    silent = world.servers["proxy"] = Server(nothing)
    silent.respond = silent.hang
    world.set(HTTPS_PROXY=silent.url)
    run = world.run(LIBRARY_CLIENT, "--connect-timeout-ms", "400", "--max-attempts", "1")
    assert (run.status, run.execution, run.attempts) == ("LAMBDA_E_CONNECT", "NONE", 1)
    assert 400 <= run.duration_ms < 1500
    assert silent.address in run.error_message
    assert tunnelled.connections == 0


def nothing(request: Request) -> None:
    """Hangs up."""


@pytest.mark.parametrize(
    "bad", ["ftp://somebody:{}@proxy.invalid", "http://somebody:{}@proxy.invalid:port", "http://somebody:{}@"]
)
def test_a_proxy_that_is_none_is_refused_by_its_variable(bad: str, tunnelled: Server, world: World) -> None:
    world.set(HTTPS_PROXY=bad.format(world.vault.make_secret("proxy-password")))
    run = world.run(LIBRARY_CLIENT)
    assert (run.status, run.describe) == ("LAMBDA_E_CONFIG", None)
    assert "HTTPS_PROXY" in run.error_message
    assert tunnelled.connections == 0
