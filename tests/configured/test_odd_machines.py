"""Settings that AWS's own crates do not survive, or answer with more than they should say. Whatever is run here is
searched for all secrets."""

from __future__ import annotations

import pytest
from configured_world import LIBRARY_CLIENT, Round, World, lines_of
from test_credentials import FAR, SSO_SESSION


def refused(world: World, *flags: str) -> Round:
    run = world.run(LIBRARY_CLIENT, *flags)
    assert run.status == "LAMBDA_E_CREDENTIALS", run
    assert (run.execution, run.attempts) == ("NONE", 0)
    assert not world.requests("lambda")
    return run


@pytest.mark.parametrize("url", ["localhost:80", "foo", "http://a b"])
def test_an_endpoint_of_sso_that_is_none_is_named_and_the_token_is_not_shown(url: str, world: World) -> None:
    world.make_sso(world.make_keys(session=True), cached_as="work", expires=FAR)
    world.config(SSO_SESSION)
    world.set(AWS_PROFILE="prod", AWS_ENDPOINT_URL_SSO=url)
    assert "AWS_ENDPOINT_URL_SSO" in refused(world).error_message


def test_an_endpoint_of_sts_that_is_none_is_named(world: World) -> None:
    file = world.file("token", world.vault.make_secret("web-identity+token/=="))
    role = "arn:aws:iam::123456789012:role/worker"
    world.set(AWS_WEB_IDENTITY_TOKEN_FILE=file, AWS_ROLE_ARN=role, AWS_ENDPOINT_URL_STS="localhost:1")
    run = world.run(LIBRARY_CLIENT)
    assert (run.status, run.execution) == ("LAMBDA_E_CONFIG", "NONE")
    assert run.error_message.startswith("AWS_ENDPOINT_URL_STS: ")


def test_an_empty_token_is_not_sent(world: World) -> None:
    file = world.file("token", "\n")
    world.set(AWS_WEB_IDENTITY_TOKEN_FILE=file, AWS_ROLE_ARN="arn:aws:iam::123456789012:role/worker")
    assert f"{file}: is empty" in refused(world).error_message
    assert world.asked() == set()


@pytest.mark.parametrize(
    "uri", ["localhost", "localhost:8080", "127.0.0.1:80", "http://me:hunter2hunter2@127.0.0.1:1/"]
)
def test_where_a_container_is_must_be_a_url(uri: str, world: World) -> None:
    world.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=uri)
    message = refused(world).error_message
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI: " in message
    assert "hunter2" not in message


@pytest.mark.parametrize("name", ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
def test_an_empty_variable_of_a_container_counts_as_unset(name: str, world: World) -> None:
    keys = world.make_keys(session=True)
    world.make_container(keys)
    world.set(**{name: ""})
    assert world.run(LIBRARY_CLIENT).signed_by == keys.access_key_id


def test_a_process_runs_where_children_are_reaped_by_themselves(world: World) -> None:
    keys = world.make_keys()
    document = f'{{"Version":1,"AccessKeyId":"{keys.access_key_id}","SecretAccessKey":"{keys.secret_access_key}"}}'
    world.config(f"[default]\ncredential_process = echo '{document}'")
    world.wrapper = ["sh", "-c", 'trap "" CHLD; exec "$@"', "sh"]
    assert world.run(LIBRARY_CLIENT).signed_by == keys.access_key_id


def test_a_process_that_goes_on_with_its_outputs_closed_ends_with_the_call(world: World) -> None:
    world.config("[default]\ncredential_process = exec >&- 2>&-; sleep 600")
    run = world.run(LIBRARY_CLIENT, "--timeout-ms", "300")
    assert (run.status, run.execution) == ("LAMBDA_E_TIMEOUT", "NONE")
    assert "credential_process" in run.error_message


def test_a_role_whose_source_has_no_keys_is_nobody_elses(world: World) -> None:
    world.make_instance(world.make_keys(session=True))
    role = world.make_role("worker", world.make_keys())
    world.config(f"[profile prod]\nrole_arn = {role.arn}\nsource_profile = base\n[profile base]\nregion = us-east-1")
    world.set(AWS_PROFILE="prod")
    message = refused(world).error_message
    assert "profile prod" in message
    assert role.arn in message
    assert world.asked() == set()


def test_half_of_the_environments_keys_is_no_matter_to_a_profile_that_was_set(world: World) -> None:
    keys = world.make_keys()
    world.credentials(f"[prod]\n{lines_of(keys)}")
    world.set(AWS_ACCESS_KEY_ID="AKIAHALF")
    assert "AWS_SECRET_ACCESS_KEY is not" in refused(world).error_message
    assert world.run(LIBRARY_CLIENT, "--profile", "prod").signed_by == keys.access_key_id


def test_a_call_that_fails_is_an_error_in_the_log(world: World) -> None:
    world.set_keys(world.make_keys())
    world.servers["lambda"].close()
    world.set(LAMBDA_INVOKE_LOG="error")
    run = world.run(LIBRARY_CLIENT)
    assert run.status == "LAMBDA_E_CONNECT"
    (line,) = run.stderr.splitlines()
    assert "ERROR lambda_invoke::call: " in line
    assert run.error_message.removeprefix("hello: ") in line
