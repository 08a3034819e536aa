"""If there are no credentials, then the message gives the reason for every source, and nothing is sent to Lambda."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from configured_servers import Answer, refusing
from configured_services import ROLE_PATH, sts_error
from configured_world import BOTOCORE, CLIENTS, LIBRARY_CLIENT, World, lines_of, token_file
from test_credentials import FAR, PAST, SSO_SESSION, SSO_START_URL, print_document

IMDS_MS = 2500


@dataclass
class Missing:
    # The message holds these in this order.
    parts: tuple[str, ...]
    # Who may be asked.
    asked: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    status: str = "LAMBDA_E_CREDENTIALS"


SCENARIOS: list[Callable[[World], Missing]] = []


def scenario(set_up: Callable[[World], Missing]) -> Callable[[World], Missing]:
    SCENARIOS.append(set_up)
    return set_up


@scenario
def nothing_anywhere(world: World) -> Missing:
    config, credentials = world.home / ".aws/config", world.home / ".aws/credentials"
    files = (str(config), str(credentials))
    return Missing(("environment: ", "profile default: ", *files, "container: ", "IMDS: ", "404"), asked=("imds",))


@scenario
def files_elsewhere_without_keys(world: World) -> Missing:
    config = world.file("elsewhere/config", "[default]\noutput = json")
    world.set(AWS_CONFIG_FILE=config, AWS_SHARED_CREDENTIALS_FILE=world.home / "none")
    files = (str(config), str(world.home / "none"))
    return Missing(("environment: ", "profile default: ", *files, "container: ", "IMDS: "), asked=("imds",))


@scenario
def instance_metadata_switched_off(world: World) -> Missing:
    world.make_instance(world.make_keys(session=True))
    world.set(AWS_EC2_METADATA_DISABLED="true")
    return Missing(("environment: ", "profile default: ", "container: ", "IMDS: ", "AWS_EC2_METADATA_DISABLED"))


@scenario
def a_profile_set_in_the_program_that_is_missing(world: World) -> Missing:
    config = world.config("[default]\noutput = json")
    world.set_keys(world.make_keys())
    return Missing(("prod", str(config)), flags=("--profile", "prod"), status="LAMBDA_E_CONFIG")


@scenario
def half_of_the_keys_in_the_environment(world: World) -> Missing:
    world.set(AWS_ACCESS_KEY_ID="AKIAHALF")
    world.credentials(f"[default]\n{lines_of(world.make_keys())}")
    return Missing(("AWS_SECRET_ACCESS_KEY",))


@scenario
def half_of_the_keys_in_a_profile(world: World) -> Missing:
    world.credentials("[default]\naws_access_key_id = AKIAHALF")
    return Missing(("profile default", "aws_secret_access_key"))


def half(names: str, kept: str) -> str:
    """The lines of an access key of which only one half is kept."""
    return "\n".join(line for line in names.splitlines() if line.startswith(kept))


ID, SECRET = "aws_access_key_id", "aws_secret_access_key"


@scenario
def the_id_in_the_config_file_and_the_secret_in_the_credentials_file(world: World) -> Missing:
    lines = lines_of(world.make_keys())
    world.make_instance(world.make_keys(session=True))
    world.config(f"[default]\n{half(lines, ID)}")
    world.credentials(f"[default]\n{half(lines, SECRET)}")
    return Missing(("profile default", SECRET, ID), asked=())


@scenario
def the_secret_in_the_config_file_and_the_id_in_the_credentials_file(world: World) -> Missing:
    lines = lines_of(world.make_keys())
    world.make_instance(world.make_keys(session=True))
    world.config(f"[default]\n{half(lines, SECRET)}")
    world.credentials(f"[default]\n{half(lines, ID)}")
    return Missing(("profile default", ID, SECRET))


@scenario
def half_of_an_access_key_in_a_source_profile(world: World) -> Missing:
    world.make_instance(world.make_keys(session=True))
    arn = world.make_role("worker", world.make_keys()).arn
    world.credentials(f"[base]\n{half(lines_of(world.make_keys()), ID)}")
    world.config(f"[profile prod]\nrole_arn = {arn}\nsource_profile = base")
    world.set(AWS_PROFILE="prod")
    return Missing(("profile base", SECRET))


def wrong_sso(name: str, profile: str, sections: str, *parts: str) -> None:
    def set_up(world: World) -> Missing:
        # Somebody else's credentials are there to be taken.
        world.make_instance(world.make_keys(session=True))
        world.make_sso(world.make_keys(session=True), "corp", FAR)
        world.config(f"[profile prod]\n{profile}\n{sections}")
        world.set(AWS_PROFILE="prod")
        # botocore notices some of it only when it has asked the instance.
        return Missing(("prod", *parts), asked=("imds",))

    set_up.__name__ = name
    scenario(set_up)


WHOSE = "sso_account_id = 123456789012\nsso_role_name = Reader\n"
SECTION = "[sso-session corp]\nsso_region = eu-central-1\nsso_start_url = https://start.invalid/\n"
START_URL = "sso_start_url = https://start.invalid/\n"
REGION_LINE = "sso_region = eu-central-1\n"
for whose, title in [(WHOSE, "of_a_role"), ("", "of_a_token")]:
    wrong_sso(f"an_sso_session_{title}_that_is_missing", f"sso_session = oops\n{whose}", SECTION, "oops")
    for line, named in [(START_URL, "sso_start_url"), (REGION_LINE, "sso_region")]:
        wrong_sso(
            f"an_sso_session_{title}_without_{named}",
            f"sso_session = corp\n{whose}",
            SECTION.replace(line, ""),
            "corp",
            named,
        )
wrong_sso(
    "a_start_url_that_differs_from_the_sessions",
    f"sso_session = corp\nsso_start_url = https://other.invalid/\n{WHOSE}",
    SECTION,
    "sso_start_url",
    "corp",
)
wrong_sso(
    "a_region_that_differs_from_the_sessions", f"sso_session = corp\nsso_region = x\n{WHOSE}", SECTION, "sso_region"
)
for line in (START_URL, REGION_LINE, *WHOSE.splitlines(keepends=True)):
    named = line.split()[0]
    wrong_sso(f"sso_without_{named}", f"{START_URL}{REGION_LINE}{WHOSE}".replace(line, ""), "", named)


@scenario
def a_web_identity_without_a_role(world: World) -> Missing:
    world.make_instance(world.make_keys(session=True))
    world.config(f"[profile prod]\nweb_identity_token_file = {world.file('token', 'hunter2hunter2')}")
    world.set(AWS_PROFILE="prod")
    return Missing(("prod", "role_arn"))


@scenario
def a_credential_source_that_does_not_exist(world: World) -> Missing:
    world.make_instance(world.make_keys(session=True))
    world.config("[profile prod]\nrole_arn = arn:aws:iam::123456789012:role/x\ncredential_source = Magic")
    world.set(AWS_PROFILE="prod")
    return Missing(("prod", "credential_source"))


@scenario
def a_role_with_both_sources(world: World) -> Missing:
    world.make_instance(world.make_keys(session=True))
    world.credentials(f"[base]\n{lines_of(world.make_keys())}")
    world.config(
        "[profile prod]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\n"
        "credential_source = Environment"
    )
    world.set(AWS_PROFILE="prod")
    return Missing(("prod", "source_profile", "credential_source"))


PAST_SECONDS = -3600.0


@scenario
def a_container_whose_credentials_have_expired(world: World) -> Missing:
    world.make_container(world.make_keys(session=True), lifetimes=[PAST_SECONDS])
    return Missing(("the container returned credentials that expired 3",), asked=("container",))


@scenario
def a_process_whose_credentials_have_expired(world: World) -> Missing:
    keys = world.make_keys(session=True)
    world.config(f"[default]\ncredential_process = {print_document(world, keys, Expiration=PAST)}")
    return Missing(("profile default", "expired"))


@scenario
def a_role_whose_credentials_have_expired(world: World) -> Missing:
    arn = role_of_prod(world)
    world.sts.roles[arn].lifetime = PAST_SECONDS
    return Missing((arn, "expired"), asked=("sts",))


@scenario
def credentials_of_the_environment_that_have_expired(world: World) -> Missing:
    world.set_keys(world.make_keys(session=True))
    world.set(AWS_CREDENTIAL_EXPIRATION=PAST)
    return Missing(("environment", "expired"))


@scenario
def an_instance_whose_list_of_roles_is_a_page(world: World) -> Missing:
    world.make_instance(world.make_keys(session=True))
    roles(world, b"<html><body>captive portal</body></html>\n")
    return Missing(("IMDS: ", "does not name a role"), asked=("imds",))


@scenario
def an_instance_whose_list_of_roles_is_empty(world: World) -> Missing:
    world.make_instance(world.make_keys(session=True))
    roles(world, b"\n")
    return Missing(("IMDS: ", "does not name a role"), asked=("imds",))


def roles(world: World, listing: bytes) -> None:
    """The instance lists its roles in this form."""
    respond = world.servers["imds"].respond
    world.servers["imds"].respond = lambda request: (
        Answer(200, listing) if request.path == ROLE_PATH and request.method == "GET" else respond(request)
    )


@scenario
def source_profiles_in_a_circle(world: World) -> Missing:
    world.config("""
        [profile one]
        role_arn = arn:aws:iam::123456789012:role/one
        source_profile = two
        [profile two]
        role_arn = arn:aws:iam::123456789012:role/two
        source_profile = one
        """)
    world.set(AWS_PROFILE="one")
    return Missing(("one", "two"))


@scenario
def a_source_profile_that_is_missing(world: World) -> Missing:
    config = world.config("[profile prod]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base")
    world.set(AWS_PROFILE="prod")
    return Missing(("prod", "base", str(config)))


@scenario
def a_role_without_a_source(world: World) -> Missing:
    world.config("[profile prod]\nrole_arn = arn:aws:iam::123456789012:role/x")
    world.set(AWS_PROFILE="prod")
    return Missing(("prod", "source_profile", "credential_source"))


def role_of_prod(world: World) -> str:
    base = world.make_keys()
    role = world.make_role("worker", base)
    world.credentials(f"[base]\n{lines_of(base)}")
    world.config(f"[profile prod]\nrole_arn = {role.arn}\nsource_profile = base")
    world.set(AWS_PROFILE="prod")
    return role.arn


@scenario
def a_role_that_sts_refuses(world: World) -> Missing:
    arn = role_of_prod(world)
    world.servers["sts"].respond = lambda _: sts_error(403, "AccessDenied", "not for you")
    return Missing(("prod", arn, "AccessDenied", "not for you"), asked=("sts",))


@scenario
def a_role_that_wants_another_external_id(world: World) -> Missing:
    arn = role_of_prod(world)
    world.sts.roles[arn].external_id = "e-1"
    return Missing(("prod", arn, "AccessDenied", "ExternalId must be e-1"), asked=("sts",))


@scenario
def an_sts_that_fails(world: World) -> Missing:
    arn = role_of_prod(world)
    world.servers["sts"].respond = lambda _: Answer(500, b"<html>no</html>")
    return Missing(("prod", arn), asked=("sts",))


@scenario
def a_web_identity_that_sts_refuses(world: World) -> Missing:
    role = world.make_role("worker", token="another")
    file = world.file("token", world.vault.make_secret("web-identity-token"))
    world.set(AWS_WEB_IDENTITY_TOKEN_FILE=file, AWS_ROLE_ARN=role.arn)
    return Missing((role.arn, "InvalidIdentityToken"), asked=("sts",))


@scenario
def a_web_identity_whose_token_is_missing(world: World) -> Missing:
    file = world.home / "nothing-here"
    world.set(AWS_WEB_IDENTITY_TOKEN_FILE=file, AWS_ROLE_ARN="arn:aws:iam::123456789012:role/worker")
    return Missing((str(file),))


@scenario
def an_sso_session_that_is_over(world: World) -> Missing:
    world.make_sso(world.make_keys(session=True), "corp", PAST).good = set()
    world.config(SSO_SESSION)
    world.set(AWS_PROFILE="prod")
    return Missing(("prod", "aws sso login"))


@scenario
def an_sso_start_url_whose_session_is_over(world: World) -> Missing:
    world.make_sso(world.make_keys(session=True), "https://start.invalid/", PAST).good = set()
    world.config(SSO_START_URL)
    world.set(AWS_PROFILE="prod")
    return Missing(("prod", "aws sso login"), asked=("sso",))


@scenario
def an_sso_session_that_nobody_began(world: World) -> Missing:
    world.config(SSO_SESSION)
    world.set(AWS_PROFILE="prod")
    return Missing(("prod", token_file("corp").rpartition("/")[2], "aws sso login"))


@scenario
def an_sso_token_that_the_portal_refuses(world: World) -> Missing:
    sso = world.make_sso(world.make_keys(session=True), "corp", FAR)
    sso.good = set()
    world.config(SSO_SESSION)
    world.set(AWS_PROFILE="prod")
    return Missing(("prod", "UnauthorizedException"), asked=("sso",))


@scenario
def a_container_that_wants_another_token(world: World) -> Missing:
    world.make_container(world.make_keys(session=True), authorization=lambda: "another")
    world.set(AWS_CONTAINER_AUTHORIZATION_TOKEN=world.vault.make_secret("container-token"))
    return Missing(("container: ", "403"), asked=("container",))


@scenario
def a_container_on_another_machine_without_tls(world: World) -> Missing:
    """Whoever gets there would see the token."""
    world.set(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://192.0.2.1/credentials")
    return Missing(("container: ", "192.0.2.1"))


@scenario
def a_container_whose_token_is_missing(world: World) -> Missing:
    world.make_container(world.make_keys(session=True))
    world.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=world.home / "nothing-here")
    return Missing(("container: ", str(world.home / "nothing-here")))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("set_up", SCENARIOS, ids=lambda set_up: set_up.__name__)
def test_the_message_says_why_there_are_no_keys(client: str, set_up: Callable[[World], Missing], world: World) -> None:
    missing = set_up(world)
    run = world.run(client, *missing.flags)
    assert run.status == missing.status, str(run)
    assert world.asked() <= set(missing.asked)
    if client == LIBRARY_CLIENT:
        assert (run.execution, run.attempts, run.http_status) == ("NONE", 0, 0)
        assert re.search(".*".join(map(re.escape, missing.parts)), run.error_message), run.error_message


def test_a_missing_aws_profile_is_named_when_nothing_else_is_found(world: World) -> None:
    config = world.config("[default]\noutput = json")
    world.set(AWS_PROFILE="prod")
    run = world.run(LIBRARY_CLIENT)
    assert run.status == "LAMBDA_E_CREDENTIALS"
    assert f"profile prod: no such profile in {config}" in run.error_message
    assert world.asked() == {"imds"}


@pytest.mark.parametrize("client", CLIENTS)
def test_an_instance_that_never_answers_costs_little(client: str, world: World) -> None:
    world.servers["imds"].respond = world.servers["imds"].hang
    run = world.run(client)
    assert run.status == "LAMBDA_E_CREDENTIALS"
    assert run.duration_ms <= IMDS_MS
    assert world.requests("imds")


@pytest.mark.parametrize("client", CLIENTS)
def test_an_instance_that_refuses_connections_costs_less(client: str, world: World) -> None:
    with refusing() as address:
        world.set(AWS_EC2_METADATA_SERVICE_ENDPOINT=f"http://{address}")
        run = world.run(client)
    assert run.status == "LAMBDA_E_CREDENTIALS"
    assert run.duration_ms <= IMDS_MS
    assert client == BOTOCORE or address in run.error_message


def test_an_sts_that_never_answers_costs_no_more_than_the_deadline(world: World) -> None:
    role_of_prod(world)
    world.servers["sts"].respond = world.servers["sts"].hang
    run = world.run(LIBRARY_CLIENT, "--timeout-ms", "700")
    assert (run.status, run.execution) == ("LAMBDA_E_TIMEOUT", "NONE")
    assert 700 <= run.duration_ms < 1500
    assert len(world.requests("sts")) == 1


def test_every_call_looks_again_for_keys_that_were_missing(world: World) -> None:
    """A machine gets its role after its first program."""
    keys = world.make_keys(session=True)
    with world.session(LIBRARY_CLIENT) as session:
        assert session.round().status == "LAMBDA_E_CREDENTIALS"
        world.make_instance(keys)
        assert session.round().signed_by == keys.access_key_id
