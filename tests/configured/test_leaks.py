"""No secret gets out by an error, whatever a source of credentials responds: whole, cut, or with its request in it.

Whatever is run here is searched for all secrets, and for parts of them."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Callable

import pytest
from configured_servers import Answer, Request, Respond
from configured_services import ROLE_PATH, sts_error
from configured_world import LIBRARY_CLIENT, World, lines_of
from test_credentials import FAR, SSO_SESSION

# A part of this length is as bad as the whole secret.
PART = 8

# Makes a source of credentials, and returns the name of the server that responds last.
SOURCES: dict[str, Callable[[World], str]] = {}


def source(set_up: Callable[[World], str]) -> Callable[[World], str]:
    SOURCES[set_up.__name__] = set_up
    return set_up


@source
def container(world: World) -> str:
    token = world.vault.make_secret("container-token")
    world.make_container(world.make_keys(session=True), authorization=lambda: token)
    world.set(AWS_CONTAINER_AUTHORIZATION_TOKEN=token)
    return "container"


@source
def container_whose_path_is_the_secret(world: World) -> str:
    path = f"/v2/credentials/{world.vault.make_secret('task')}"
    world.make_container(world.make_keys(session=True), path=path)
    world.set(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{world.servers['container'].url}{path}?key={world.vault.make_secret('key')}"
    )
    return "container"


@source
def instance(world: World) -> str:
    world.make_instance(world.make_keys(session=True))
    return "imds"


@source
def role(world: World) -> str:
    base = world.make_keys(session=True)
    arn = world.make_role("worker", base).arn
    world.credentials(f"[base]\n{lines_of(base)}")
    world.config(f"[profile prod]\nrole_arn = {arn}\nsource_profile = base")
    world.set(AWS_PROFILE="prod")
    return "sts"


@source
def web_identity(world: World) -> str:
    token = world.vault.make_secret("web-identity-token")
    arn = world.make_role("worker", token=token).arn
    world.set(AWS_WEB_IDENTITY_TOKEN_FILE=world.file("token", token), AWS_ROLE_ARN=arn)
    return "sts"


@source
def sso(world: World) -> str:
    world.make_sso(world.make_keys(session=True), "corp", FAR)
    world.config(SSO_SESSION)
    world.set(AWS_PROFILE="prod")
    return "sso"


@source
def sso_renewal(world: World) -> str:
    made = world.make_sso(world.make_keys(session=True), "corp", "2020-01-01T00:00:00Z")
    token = next((world.home / ".aws/sso/cache").glob("*.json"))
    registration = {"clientId": made.client_id, "clientSecret": made.client_secret, "registrationExpiresAt": FAR}
    token.write_text(json.dumps({**json.loads(token.read_text()), **registration, "refreshToken": made.refresh_token}))
    world.config(SSO_SESSION)
    world.set(AWS_PROFILE="prod")
    return "oidc"


# Changes the answer of a server.
Twist = Callable[[Request, Answer], Answer]


def everything_sent(request: Request) -> str:
    """What the request holds that is secret, as a server may repeat it."""
    return " ".join([request.path, request.query, *(value for _, value in request.headers), request.body.decode()])


def as_json(status: int) -> Twist:
    return lambda request, _: Answer(
        status, json.dumps({"code": "Refused", "message": f"bad request: {everything_sent(request)}"}).encode()
    )


def as_xml(status: int) -> Twist:
    def twist(request: Request, _: Answer) -> Answer:
        return sts_error(status, "Refused", everything_sent(request).replace("&", "&amp;").replace("<", "&lt;"))

    return twist


def parts(request: Request, _: Answer) -> Answer:
    """Each of them cut, as a server's log would."""
    cut = " ".join(f"{word[2:40]}..." for word in everything_sent(request).replace("&", " ").split())
    return Answer(403, json.dumps({"__type": "x#Refused", "message": cut}).encode())


TWISTS: dict[str, Twist] = {
    **{
        f"its own document with {status}": lambda _, answer, status=status: Answer(status, answer.body, answer.headers)
        for status in (400, 401, 403, 404, 429, 500, 503)
    },
    **{
        f"its own document cut after {part} % with {status}": lambda _, answer, part=part, status=status: Answer(
            status, answer.body[: len(answer.body) * part // 100], answer.headers
        )
        for part in (50, 80, 99)
        for status in (200, 400, 500)
    },
    "its own document with an error's header": lambda _, answer: Answer(
        403, answer.body, {**answer.headers, "x-amzn-ErrorType": "Refused"}
    ),
    "its own document twice": lambda _, answer: Answer(200, answer.body * 2, answer.headers),
    "its own document as a text": lambda _, answer: Answer(400, json.dumps(answer.body.decode()).encode()),
    "an error that repeats the request, JSON 400": as_json(400),
    "an error that repeats the request, JSON 200": as_json(200),
    "an error that repeats the request, XML 403": as_xml(403),
    "an error that repeats the request, text": lambda request, _: Answer(400, everything_sent(request).encode()),
    "an error that repeats the request in parts": parts,
    "an error with the document in its message": lambda _, answer: Answer(
        400,
        json.dumps(
            {"Code": "Refused", "Message": "no", **(json.loads(answer.body) if answer.body[:1] == b"{" else {})}
        ).encode(),
    ),
}


IS_200 = re.compile("with 200|twice")


def is_last(request: Request) -> bool:
    """Whether this is the request that hands out credentials."""
    return not request.path.endswith("/token") and request.path != ROLE_PATH


@pytest.mark.parametrize("twist", TWISTS)
@pytest.mark.parametrize("set_up", SOURCES)
def test_no_error_of_a_source_repeats_a_secret(set_up: str, twist: str, world: World) -> None:
    server = world.servers[SOURCES[set_up](world)]
    honest: Respond = server.respond

    def respond(request: Request) -> Answer | None:
        answer = honest(request)
        is_renewal = set_up == "sso_renewal"
        return TWISTS[twist](request, answer) if answer is not None and (is_renewal or is_last(request)) else answer

    server.respond = respond
    run = world.run(LIBRARY_CLIENT)
    # A document that holds all that is needed may be good though its end is missing.
    assert run.status == "LAMBDA_E_CREDENTIALS" or (run.status == "LAMBDA_OK" and IS_200.search(twist)), str(run)
    out = f"{run.error_message}{run.stderr}{json.dumps(run.describe)}"
    for secret in world.vault.secrets:
        # What kind of a secret it is stands before the part that nobody could guess.
        hidden = secret.rpartition("-")[2]
        leaked = [hidden[at : at + PART] for at in range(len(hidden) - PART + 1) if hidden[at : at + PART] in out]
        assert not leaked, f"{secret}: {leaked} in {out}"


@pytest.mark.parametrize("how", ["ends", "hangs up", "refuses"])
@pytest.mark.parametrize("set_up", SOURCES)
def test_no_silence_of_a_source_repeats_a_secret(set_up: str, how: str, world: World) -> None:
    server = world.servers[SOURCES[set_up](world)]
    address = server.address
    if how == "ends":
        server.close()
    elif how == "hangs up":
        server.respond = lambda _: None
    else:
        server.respond = lambda _: Answer(500)
    run = world.run(LIBRARY_CLIENT)
    assert run.status == "LAMBDA_E_CREDENTIALS", str(run)
    # The message names the server that did not respond.
    assert address in run.error_message


def test_the_password_of_an_endpoint_of_instance_metadata_is_not_shown(world: World) -> None:
    password = world.vault.make_secret("imds-password")
    world.make_instance(world.make_keys(session=True))
    world.set(AWS_EC2_METADATA_SERVICE_ENDPOINT=world.servers["imds"].url.replace("//", f"//me:{password}@"))
    assert world.run(LIBRARY_CLIENT, "--describe-only").describe["credentials"]["value"].startswith("instance metadata")
    world.servers["imds"].respond = lambda _: Answer(500)
    assert world.run(LIBRARY_CLIENT).status == "LAMBDA_E_CREDENTIALS"


def test_a_login_session_that_cannot_be_used_is_not_shown(world: World) -> None:
    secret = world.vault.make_secret("login-refresh-token")
    session = "arn:aws:iam::123456789012:user/me"
    world.config(f"[default]\nlogin_session = {session}")
    name = f"cache/{hashlib.sha256(session.encode()).hexdigest()}.json"
    for content in (
        "{",
        json.dumps({"refreshToken": secret}),
        json.dumps({"accessToken": secret, "refreshToken": secret}),
    ):
        file = world.file(name, content)
        world.set(AWS_LOGIN_CACHE_DIRECTORY=world.home / "cache")
        run = world.run(LIBRARY_CLIENT)
        assert run.status == "LAMBDA_E_CREDENTIALS"
        assert f"{file}: the cached token is not valid" in run.error_message
        assert "aws login" in run.error_message


def test_a_command_is_not_shown(world: World) -> None:
    secret = world.vault.make_secret("command-secret")
    world.config(f"[default]\ncredential_process = {shlex.join(['false', secret])}")
    assert world.run(LIBRARY_CLIENT).status == "LAMBDA_E_CREDENTIALS"
