"""The servers around the programs refuse what is wrong: what passes them is right."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace

import pytest
from configured_services import ROLE_PATH
from configured_world import BOTOCORE, World, lines_of

FAR = "2099-01-01T00:00:00Z"


def ask(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> int:
    names = {name if "-" in name else name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, method=method, data=body, headers=names)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("wrong", ["access_key_id", "secret_access_key", "session_token"])
def test_lambda_refuses_wrong_keys(wrong: str, world: World) -> None:
    world.set_keys(replace(world.make_keys(session=True), **{wrong: "wrong"}))
    run = world.run(BOTOCORE)
    assert (run.status, run.http_status) == ("LAMBDA_E_SERVICE", 403)
    assert world.functions.signers == []


def test_lambda_refuses_keys_without_their_token(world: World) -> None:
    world.set_keys(replace(world.make_keys(session=True), session_token=None))
    assert world.run(BOTOCORE).http_status == 403


def test_lambda_refuses_another_region(world: World) -> None:
    world.set_keys(world.make_keys())
    world.set(AWS_DEFAULT_REGION="eu-west-1")
    run = world.run(BOTOCORE)
    assert (run.http_status, run.error_type) == (403, "InvalidSignatureException")


@pytest.mark.parametrize(
    "wanted", [{"external_id": "e-1"}, {"session_name": "night"}, {"duration": 900}, {"trusted": None, "token": "t"}]
)
def test_sts_refuses_what_a_role_does_not_allow(wanted: dict[str, object], world: World) -> None:
    base = world.make_keys()
    role = world.make_role("worker", **{"trusted": base, **wanted})
    world.credentials(f"[base]\n{lines_of(base)}")
    world.config(f"[profile prod]\nrole_arn = {role.arn}\nsource_profile = base")
    world.set(AWS_PROFILE="prod")
    assert world.run(BOTOCORE).status == "LAMBDA_E_CREDENTIALS"
    assert world.asked() == {"sts"}


def test_sts_refuses_another_signer(world: World) -> None:
    base = world.make_keys()
    role = world.make_role("worker", world.make_keys())
    world.credentials(f"[base]\n{lines_of(base)}")
    world.config(f"[profile prod]\nrole_arn = {role.arn}\nsource_profile = base")
    world.set(AWS_PROFILE="prod")
    assert world.run(BOTOCORE).status == "LAMBDA_E_CREDENTIALS"
    assert world.asked() == {"sts"}


def test_an_instance_wants_a_token_and_a_token_wants_a_time_to_live(world: World) -> None:
    world.make_instance(world.make_keys(session=True))
    url = world.servers["imds"].url
    assert ask(f"{url}/latest/api/token", "PUT") == 400
    assert ask(f"{url}/latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="0") == 400
    assert ask(f"{url}/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds="60") == 400
    assert ask(f"{url}{ROLE_PATH}the-role") == 401
    assert ask(f"{url}{ROLE_PATH}the-role", X_aws_ec2_metadata_token="wrong") == 401
    assert ask(f"{url}/latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="60") == 200
    (token,) = (secret for secret in world.vault.secrets if secret.startswith("imds-token"))
    assert ask(f"{url}{ROLE_PATH}the-role", X_aws_ec2_metadata_token=token) == 200
    assert ask(f"{url}{ROLE_PATH}another", X_aws_ec2_metadata_token=token) == 404


def test_a_container_wants_its_token(world: World) -> None:
    world.make_container(world.make_keys(session=True), authorization=lambda: "right")
    url = world.servers["container"].url
    assert ask(f"{url}/credentials") == 403
    assert ask(f"{url}/credentials", Authorization="wrong") == 403
    assert ask(f"{url}/credentials", Authorization="right") == 200
    assert ask(f"{url}/", Authorization="right") == 404


def test_the_portal_wants_account_role_and_token(world: World) -> None:
    sso = world.make_sso(world.make_keys(session=True), "corp", FAR)
    url = f"{world.servers['sso'].url}/federation/credentials"
    right = f"role_name={sso.role_name}&account_id={sso.account_id}"
    assert ask(f"{url}?{right}", **{"x-amz-sso_bearer_token": sso.token}) == 200
    assert ask(f"{url}?{right}", **{"x-amz-sso_bearer_token": "wrong"}) == 401
    assert ask(f"{url}?{right}") == 401
    assert ask(f"{url}?role_name={sso.role_name}", **{"x-amz-sso_bearer_token": sso.token}) == 403
    assert ask(f"{url}?{right}x", **{"x-amz-sso_bearer_token": sso.token}) == 403


@pytest.mark.parametrize("wrong", [None, "clientId", "clientSecret", "grantType", "refreshToken"])
def test_a_new_token_takes_the_old_one_and_the_clients_own_secret(wrong: str | None, world: World) -> None:
    sso = world.make_sso(world.make_keys(session=True), "corp", FAR)
    body = {
        "clientId": sso.client_id,
        "clientSecret": sso.client_secret,
        "grantType": "refresh_token",
        "refreshToken": sso.refresh_token,
    }
    if wrong is not None:
        body[wrong] = "wrong"
    url = f"{world.servers['oidc'].url}/token"
    assert ask(url, "POST", json.dumps(body).encode()) == (200 if wrong is None else 400)
    assert (sso.renewed in sso.good) == (wrong is None)


def without_type(world: World) -> int:
    return ask(world.servers["sts"].url, "POST", b"Action=AssumeRole", Content_Type="application/json")


def without_signature(world: World) -> int:
    role = world.make_role("worker", world.make_keys())
    form = f"Action=AssumeRole&RoleArn={role.arn}&RoleSessionName=night".encode()
    return ask(world.servers["sts"].url, "POST", form, Content_Type="application/x-www-form-urlencoded")


@pytest.mark.parametrize("send", [without_type, without_signature])
def test_sts_refuses_what_it_cannot_read(send: Callable[[World], int], world: World) -> None:
    assert send(world) == 403
