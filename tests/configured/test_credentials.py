"""Where the AWS tools find keys, there they are found: first shown with botocore, then with this library."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

import pytest
from configured_servers import Answer, Request
from configured_services import ROLE_PATH, Issue, Keys, container, instance_metadata, issue
from configured_world import BOTOCORE, CLIENTS, LIBRARY_CLIENT, World, lines_of, token_file, variables_of

FAR, PAST = "2099-01-01T00:00:00Z", "2020-01-01T00:00:00Z"


@dataclass
class Found:
    # What signs the call.
    keys: Keys
    # Who is asked, beside Lambda.
    asked: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


SCENARIOS: list[Callable[[World], Found]] = []
# Those that botocore does not find, and why.
NOT_IN_BOTOCORE: dict[str, str] = {}
# Those that this library does not find, and why.
GAPS: dict[str, str] = {}


def scenario(set_up: Callable[[World], Found]) -> Callable[[World], Found]:
    SCENARIOS.append(set_up)
    return set_up


def gap(why: str) -> Callable[[Callable[[World], Found]], Callable[[World], Found]]:
    """Works in botocore, and not here."""

    def mark(set_up: Callable[[World], Found]) -> Callable[[World], Found]:
        GAPS[set_up.__name__] = why
        return scenario(set_up)

    return mark


def not_in_botocore(why: str) -> Callable[[Callable[[World], Found]], Callable[[World], Found]]:
    def mark(set_up: Callable[[World], Found]) -> Callable[[World], Found]:
        NOT_IN_BOTOCORE[set_up.__name__] = why
        return scenario(set_up)

    return mark


@scenario
def keys_in_the_environment(world: World) -> Found:
    keys = world.make_keys()
    world.set_keys(keys)
    return Found(keys)


@scenario
def session_keys_in_the_environment(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.set_keys(keys)
    return Found(keys)


@scenario
def keys_in_the_credentials_file(world: World) -> Found:
    keys = world.make_keys()
    world.credentials(f"[default]\n{lines_of(keys)}")
    return Found(keys)


@scenario
def keys_in_the_config_file(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.config(f"[default]\n{lines_of(keys)}")
    return Found(keys)


@scenario
def the_credentials_file_goes_before_the_config_file(world: World) -> Found:
    keys = world.make_keys()
    world.config(f"[default]\n{lines_of(world.make_keys())}")
    world.credentials(f"[default]\n{lines_of(keys)}")
    return Found(keys)


@scenario
def aws_profile_chooses_a_profile(world: World) -> Found:
    keys = world.make_keys()
    world.credentials(f"[default]\n{lines_of(world.make_keys())}\n[prod]\n{lines_of(keys)}")
    world.set(AWS_PROFILE="prod")
    return Found(keys)


@scenario
def aws_profile_chooses_a_profile_of_the_config_file(world: World) -> Found:
    keys = world.make_keys()
    world.config(f"[default]\n{lines_of(world.make_keys())}\n[profile prod]\n{lines_of(keys)}")
    world.set(AWS_PROFILE="prod")
    return Found(keys)


@scenario
def files_elsewhere(world: World) -> Found:
    keys = world.make_keys()
    world.credentials(f"[prod]\n{lines_of(world.make_keys())}")
    config = world.file("elsewhere/config.ini", "[profile prod]\nregion = eu-west-3\n")
    secret = world.file("elsewhere/secret.ini", f"[prod]\n{lines_of(keys)}")
    world.set(AWS_CONFIG_FILE=config, AWS_SHARED_CREDENTIALS_FILE=secret, AWS_PROFILE="prod", AWS_DEFAULT_REGION=None)
    world.functions.region = "eu-west-3"
    return Found(keys)


@scenario
def a_tilde_in_the_path_of_a_file(world: World) -> Found:
    keys = world.make_keys()
    world.file("mine", f"[default]\n{lines_of(keys)}")
    world.set(AWS_SHARED_CREDENTIALS_FILE="~/mine")
    return Found(keys)


@scenario
def a_file_as_people_write_them(world: World) -> Found:
    keys = world.make_keys(session=True)
    lines = [f"{name.upper()}={value}  " for name, value in variables_of(keys).items()]
    text = [
        "# mine",
        "; too",
        "[preview]",
        "x = y",
        "",
        "[me@example.com/x+y]",
        *lines,
        "s3 =",
        "  addressing_style = path",
    ]
    world.file(".aws/credentials", "").write_bytes("\r\n".join(text).encode())
    world.set(AWS_PROFILE="me@example.com/x+y")
    return Found(keys)


@scenario
def the_default_profile_with_the_prefix_of_others(world: World) -> Found:
    keys = world.make_keys()
    world.config(f"[profile default]\n{lines_of(keys)}")
    return Found(keys)


@scenario
def empty_variables_which_are_none(world: World) -> Found:
    keys = world.make_keys()
    world.credentials(f"[default]\n{lines_of(keys)}")
    world.set(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_SESSION_TOKEN="", AWS_EC2_METADATA_DISABLED="")
    return Found(keys)


@scenario
def a_session_token_by_its_older_variable(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.set_keys(keys)
    world.set(AWS_SESSION_TOKEN=None, AWS_SECURITY_TOKEN=keys.session_token)
    return Found(keys)


@scenario
def a_session_token_by_its_older_key(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.credentials(f"[default]\n{lines_of(keys).replace('aws_session_token', 'aws_security_token')}")
    return Found(keys)


@scenario
def a_profile_with_a_space_in_its_name(world: World) -> Found:
    keys = world.make_keys()
    world.config(f'[profile "my prod"]\n{lines_of(keys)}')
    world.set(AWS_PROFILE="my prod")
    return Found(keys)


@scenario
def a_colon_in_the_place_of_an_equals_sign(world: World) -> Found:
    keys = world.make_keys()
    world.credentials(f"[default]\n{lines_of(keys).replace(' = ', ': ')}")
    return Found(keys)


@scenario
def keys_of_the_environment_go_before_aws_profile(world: World) -> Found:
    keys = world.make_keys()
    world.set_keys(keys)
    world.credentials(f"[prod]\n{lines_of(world.make_keys())}")
    world.set(AWS_PROFILE="prod")
    return Found(keys)


@scenario
def a_profile_set_in_the_program_goes_before_keys_of_the_environment(world: World) -> Found:
    keys = world.make_keys()
    world.set_keys(world.make_keys())
    world.credentials(f"[prod]\n{lines_of(keys)}")
    return Found(keys, flags=("--profile", "prod"))


@scenario
def a_role_of_a_source_profile(world: World) -> Found:
    base = world.make_keys()
    role = world.make_role("worker", base)
    world.credentials(f"[base]\n{lines_of(base)}")
    world.config(f"[profile prod]\nrole_arn = {role.arn}\nsource_profile = base")
    world.set(AWS_PROFILE="prod")
    return Found(role.keys, asked=("sts",))


@scenario
def a_role_with_all_that_a_profile_can_say_of_it(world: World) -> Found:
    base = world.make_keys()
    role = world.make_role("worker", base, external_id="e-1", session_name="night@shift", duration=1800)
    world.credentials(f"[base]\n{lines_of(base)}")
    world.config(f"""
        [profile prod]
        role_arn = {role.arn}
        source_profile = base
        external_id = e-1
        role_session_name = night@shift
        duration_seconds = 1800
        """)
    world.set(AWS_PROFILE="prod")
    return Found(role.keys, asked=("sts",))


@scenario
def three_roles_one_after_the_other(world: World) -> Found:
    base = world.make_keys()
    first = world.make_role("first", base)
    second = world.make_role("second", first.keys)
    third = world.make_role("third", second.keys)
    world.credentials(f"[base]\n{lines_of(base)}")
    world.config(f"""
        [profile one]
        role_arn = {first.arn}
        source_profile = base
        [profile two]
        role_arn = {second.arn}
        source_profile = one
        [profile three]
        role_arn = {third.arn}
        source_profile = two
        """)
    world.set(AWS_PROFILE="three")
    return Found(third.keys, asked=("sts",))


@scenario
def a_profile_that_is_its_own_source(world: World) -> Found:
    base = world.make_keys()
    role = world.make_role("worker", base)
    world.credentials(f"[prod]\n{lines_of(base)}")
    world.config(f"[profile prod]\nrole_arn = {role.arn}\nsource_profile = prod")
    world.set(AWS_PROFILE="prod")
    return Found(role.keys, asked=("sts",))


@scenario
def a_role_for_the_keys_of_the_environment(world: World) -> Found:
    base = world.make_keys()
    role = world.make_role("worker", base)
    world.set_keys(base)
    world.config(f"[profile prod]\nrole_arn = {role.arn}\ncredential_source = Environment")
    return Found(role.keys, asked=("sts",), flags=("--profile", "prod"))


@scenario
def a_role_for_the_keys_of_the_instance(world: World) -> Found:
    base = world.make_keys(session=True)
    role = world.make_role("worker", base)
    world.make_instance(base)
    world.config(f"[profile prod]\nrole_arn = {role.arn}\ncredential_source = Ec2InstanceMetadata")
    world.set(AWS_PROFILE="prod")
    return Found(role.keys, asked=("imds", "sts"))


@scenario
def a_role_for_the_keys_of_the_container(world: World) -> Found:
    base = world.make_keys(session=True)
    role = world.make_role("worker", base)
    world.make_container(base)
    world.config(f"[profile prod]\nrole_arn = {role.arn}\ncredential_source = EcsContainer")
    world.set(AWS_PROFILE="prod")
    return Found(role.keys, asked=("container", "sts"))


def print_document(world: World, keys: Keys, **members: object) -> str:
    """A command that prints what a credential_process has to print."""
    document = {
        "Version": 1,
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.secret_access_key,
        **({"SessionToken": keys.session_token} if keys.session_token else {}),
        **members,
    }
    world.file("document.json", json.dumps(document))
    return shlex.join(["cat", str(world.home / "document.json")])


@scenario
def a_process_that_prints_keys(world: World) -> Found:
    keys = world.make_keys()
    world.config(f"[default]\ncredential_process = {print_document(world, keys)}")
    return Found(keys)


@scenario
def a_process_that_prints_session_keys_which_expire(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.credentials(f"[default]\ncredential_process = {print_document(world, keys, Expiration=FAR)}")
    return Found(keys)


@scenario
def a_process_with_quoted_arguments(world: World) -> Found:
    keys = world.make_keys()
    print_document(world, keys)
    (world.home / "document.json").rename(world.home / "my document.json")
    world.config(f'[default]\ncredential_process = cat "{world.home / "my document.json"}"')
    return Found(keys)


@gap("the command goes through a shell, as in other SDKs of AWS")
def a_process_whose_arguments_mean_something_to_a_shell(world: World) -> Found:
    keys = world.make_keys()
    print_document(world, keys)
    (world.home / "document.json").rename(world.home / "$HOME;&.json")
    world.config(f"[default]\ncredential_process = cat {world.home}/$HOME;&.json")
    return Found(keys)


@scenario
def a_role_for_the_keys_of_a_process(world: World) -> Found:
    base = world.make_keys()
    role = world.make_role("worker", base)
    world.config(f"""
        [profile base]
        credential_process = {print_document(world, base)}
        [profile prod]
        role_arn = {role.arn}
        source_profile = base
        """)
    world.set(AWS_PROFILE="prod")
    return Found(role.keys, asked=("sts",))


@scenario
def web_identity_by_the_environment(world: World) -> Found:
    token = world.vault.make_secret("web-identity-token")
    role = world.make_role("worker", token=token, session_name="pod-1")
    file = world.file("token", token)
    world.set(AWS_WEB_IDENTITY_TOKEN_FILE=file, AWS_ROLE_ARN=role.arn, AWS_ROLE_SESSION_NAME="pod-1")
    return Found(role.keys, asked=("sts",))


@scenario
def web_identity_by_the_environment_without_a_name(world: World) -> Found:
    token = world.vault.make_secret("web-identity-token")
    role = world.make_role("worker", token=token)
    world.set(AWS_WEB_IDENTITY_TOKEN_FILE=world.file("token", token), AWS_ROLE_ARN=role.arn)
    return Found(role.keys, asked=("sts",))


@scenario
def web_identity_by_a_profile(world: World) -> Found:
    token = world.vault.make_secret("web-identity-token")
    role = world.make_role("worker", token=token, session_name="pod-2")
    world.config(f"""
        [profile prod]
        role_arn = {role.arn}
        web_identity_token_file = {world.file("token", token)}
        role_session_name = pod-2
        """)
    world.set(AWS_PROFILE="prod")
    return Found(role.keys, asked=("sts",))


@scenario
def a_role_for_a_web_identity(world: World) -> Found:
    token = world.vault.make_secret("web-identity-token")
    first = world.make_role("first", token=token)
    second = world.make_role("second", first.keys)
    world.config(f"""
        [profile pod]
        role_arn = {first.arn}
        web_identity_token_file = {world.file("token", token)}
        [profile prod]
        role_arn = {second.arn}
        source_profile = pod
        """)
    world.set(AWS_PROFILE="prod")
    return Found(second.keys, asked=("sts",))


SSO_SESSION = """
    [profile prod]
    sso_session = corp
    sso_account_id = 123456789012
    sso_role_name = Reader
    [sso-session corp]
    sso_region = eu-central-1
    sso_start_url = https://start.invalid/
    sso_registration_scopes = sso:account:access
    """
SSO_START_URL = """
    [profile prod]
    sso_start_url = https://start.invalid/
    sso_region = eu-central-1
    sso_account_id = 123456789012
    sso_role_name = Reader
    """


@scenario
def an_sso_session(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_sso(keys, "corp", FAR)
    world.config(SSO_SESSION)
    world.set(AWS_PROFILE="prod")
    return Found(keys, asked=("sso",))


@scenario
def sso_with_a_start_url(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_sso(keys, "https://start.invalid/", FAR)
    world.config(SSO_START_URL)
    world.set(AWS_PROFILE="prod")
    return Found(keys, asked=("sso",))


@scenario
def an_sso_session_whose_token_has_to_be_renewed(world: World) -> Found:
    keys = world.make_keys(session=True)
    sso = world.make_sso(keys, "corp", PAST)
    sso.good = set()
    cached = json.loads((world.home / token_file("corp")).read_text())
    registration = {
        "clientId": sso.client_id,
        "clientSecret": sso.client_secret,
        "registrationExpiresAt": FAR,
        "refreshToken": sso.refresh_token,
    }
    (world.home / token_file("corp")).write_text(json.dumps({**cached, **registration}))
    world.config(SSO_SESSION)
    world.set(AWS_PROFILE="prod")
    return Found(keys, asked=("oidc", "sso"))


def token_expiring(world: World, expires: str) -> Found:
    keys = world.make_keys(session=True)
    world.make_sso(keys, "corp", expires)
    world.config(SSO_SESSION)
    world.set(AWS_PROFILE="prod")
    return Found(keys, asked=("sso",))


def in_an_hour(form: str, hours: int = 0) -> str:
    """Whose offset from UTC is so many hours."""
    return (datetime.now(timezone.utc) + timedelta(hours=1 + hours)).strftime(form)


@scenario
def an_sso_token_whose_time_ends_in_utc(world: World) -> Found:
    return token_expiring(world, in_an_hour("%Y-%m-%dT%H:%M:%SUTC"))


@scenario
def an_sso_token_whose_time_has_an_offset(world: World) -> Found:
    return token_expiring(world, in_an_hour("%Y-%m-%dT%H:%M:%S-08:00", -8))


@scenario
def an_sso_token_whose_time_has_an_offset_without_a_colon(world: World) -> Found:
    return token_expiring(world, in_an_hour("%Y-%m-%dT%H:%M:%S+0500", 5))


@scenario
def a_start_url_with_a_token_whose_time_ends_in_utc(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_sso(keys, "https://start.invalid/", in_an_hour("%Y-%m-%dT%H:%M:%SUTC"))
    world.config(SSO_START_URL)
    world.set(AWS_PROFILE="prod")
    return Found(keys, asked=("sso",))


@scenario
def a_role_for_an_sso_session(world: World) -> Found:
    base = world.make_keys(session=True)
    role = world.make_role("worker", base)
    world.make_sso(base, "corp", FAR)
    world.config(f"{SSO_SESSION}\n    [profile worker]\n    role_arn = {role.arn}\n    source_profile = prod\n")
    world.set(AWS_PROFILE="worker")
    return Found(role.keys, asked=("sso", "sts"))


@scenario
def a_container(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_container(keys)
    return Found(keys, asked=("container",))


@scenario
def a_container_with_a_token(world: World) -> Found:
    keys, token = world.make_keys(session=True), world.vault.make_secret("container-token")
    world.make_container(keys, authorization=lambda: token)
    world.set(AWS_CONTAINER_AUTHORIZATION_TOKEN=token)
    return Found(keys, asked=("container",))


@scenario
def a_container_with_a_token_in_a_file(world: World) -> Found:
    keys, token = world.make_keys(session=True), world.vault.make_secret("container-token")
    world.make_container(keys, authorization=lambda: token)
    world.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=world.file("token", token))
    # The file goes before the variable.
    world.set(AWS_CONTAINER_AUTHORIZATION_TOKEN="another")
    return Found(keys, asked=("container",))


def with_expiration(issued: Issue, expiration: str) -> Issue:
    return lambda: {**issued(), "Expiration": expiration}


@scenario
def a_container_whose_expiration_has_an_offset(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_container(keys)
    expiration = in_an_hour("%Y-%m-%dT%H:%M:%S+09:00", 9)
    world.servers["container"].respond = container(with_expiration(issue(keys), expiration))
    return Found(keys, asked=("container",))


@scenario
def an_instance_whose_expiration_has_an_offset(world: World) -> Found:
    keys = world.make_keys(session=True)
    expiration = in_an_hour("%Y-%m-%dT%H:%M:%S-08:00", -8)
    world.servers["imds"].respond = instance_metadata(world.vault, with_expiration(issue(keys), expiration))
    return Found(keys, asked=("imds",))


@scenario
def a_role_whose_arn_is_not_whole(world: World) -> Found:
    base = world.make_keys()
    role = world.make_role("worker", base)
    world.credentials(f"[base]\n{lines_of(base)}")
    world.config(f"[profile prod]\nrole_arn = {role.arn}\nsource_profile = base")
    world.set(AWS_PROFILE="prod")
    respond = world.servers["sts"].respond

    def short(request: Request) -> Answer:
        answer = respond(request)
        return replace(answer, body=answer.body.replace(f"<Arn>{role.arn}</Arn>".encode(), b"<Arn>worker</Arn>"))

    world.servers["sts"].respond = short
    return Found(role.keys, asked=("sts",))


@scenario
def a_duration_with_blanks_around_it(world: World) -> Found:
    base = world.make_keys()
    role = world.make_role("worker", base, duration=1800)
    world.credentials(f"[base]\n{lines_of(base)}")
    world.config(f"[profile prod]\nrole_arn = {role.arn}\nsource_profile = base\nduration_seconds =  1800 \t ")
    world.set(AWS_PROFILE="prod")
    return Found(role.keys, asked=("sts",))


@scenario
def an_access_key_in_one_file_beside_a_token_in_the_other(world: World) -> Found:
    keys = world.make_keys()
    world.config("[default]\naws_session_token = somebody-elses")
    world.credentials(f"[default]\n{lines_of(keys)}")
    return Found(keys)


@scenario
def credentials_of_the_environment_that_expire_later(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.set_keys(keys)
    world.set(AWS_CREDENTIAL_EXPIRATION=in_an_hour("%Y-%m-%dT%H:%M:%SZ"))
    return Found(keys)


@scenario
def an_instance_whose_list_of_roles_ends_in_a_line_break(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_instance(keys)
    listing(world, b"the-role\n")
    return Found(keys, asked=("imds",))


@not_in_botocore("takes the blanks for part of the name")
def an_instance_whose_role_has_blanks_around_it(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_instance(keys)
    listing(world, b" \tthe-role \r\n")
    return Found(keys, asked=("imds",))


@not_in_botocore("takes all lines for one name")
def an_instance_that_lists_several_roles(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_instance(keys)
    listing(world, b"\nthe-role\nanother-role\n")
    return Found(keys, asked=("imds",))


def listing(world: World, roles: bytes) -> None:
    """The instance lists its roles in this form."""
    respond = world.servers["imds"].respond
    world.servers["imds"].respond = lambda request: (
        replace(respond(request), body=roles) if request.path == ROLE_PATH else respond(request)
    )


@scenario
def an_instance_whose_token_lives_for_ever(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_instance(keys)
    respond = world.servers["imds"].respond

    def endless(request: Request) -> Answer:
        answer = respond(request)
        ttl = {name: "9223372036854775807" for name in answer.headers if name.lower().endswith("ttl-seconds")}
        return replace(answer, headers={**answer.headers, **ttl})

    world.servers["imds"].respond = endless
    return Found(keys, asked=("imds",))


@scenario
def a_container_goes_before_the_instance(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_container(keys)
    world.make_instance(world.make_keys(session=True))
    return Found(keys, asked=("container",))


@scenario
def an_instance(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_instance(keys)
    return Found(keys, asked=("imds",))


@scenario
def an_instance_that_speaks_http_1_0(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_instance(keys)
    world.servers["imds"].protocol = "HTTP/1.0"
    return Found(keys, asked=("imds",))


@scenario
def an_instance_whose_document_has_only_the_keys(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_instance(keys, extra={})
    return Found(keys, asked=("imds",))


@scenario
def an_instance_whose_keys_have_expired_by_its_own_account(world: World) -> Found:
    """Its service was down, and Lambda takes the old keys for some time: better than none."""
    keys = world.make_keys(session=True)
    world.make_instance(keys, lifetimes=[-3600])
    return Found(keys, asked=("imds",))


@scenario
def an_instance_behind_a_profile_that_says_nothing_of_keys(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_instance(keys)
    world.config("[profile prod]\noutput = json")
    world.set(AWS_PROFILE="prod")
    return Found(keys, asked=("imds",))


@not_in_botocore("raises ProfileNotFound")
def an_instance_where_aws_profile_names_none(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_instance(keys)
    world.set(AWS_PROFILE="prod")
    return Found(keys, asked=("imds",))


@not_in_botocore("raises ProfileNotFound")
def a_container_where_aws_profile_names_none(world: World) -> Found:
    keys = world.make_keys(session=True)
    world.make_container(keys)
    world.set(AWS_PROFILE="prod")
    return Found(keys, asked=("container",))


def marks(client: str, name: str) -> list[pytest.MarkDecorator]:
    is_gap = client == LIBRARY_CLIENT and name in GAPS
    return [pytest.mark.xfail(reason=GAPS[name], strict=True)] if is_gap else []


CASES = [
    pytest.param(client, set_up, id=f"{client}-{set_up.__name__}", marks=marks(client, set_up.__name__))
    for set_up in SCENARIOS
    for client in CLIENTS
    if client != BOTOCORE or set_up.__name__ not in NOT_IN_BOTOCORE
]


@pytest.mark.parametrize(("client", "set_up"), CASES)
def test_the_keys_are_found(client: str, set_up: Callable[[World], Found], world: World) -> None:
    found = set_up(world)
    run = world.run(client, *found.flags)
    assert run.signed_by == found.keys.access_key_id, str(run)
    assert run.attempts == 1
    # Only the servers of this source get requests, and none of these is refused.
    assert world.asked() == {"lambda", *found.asked}
    assert len(world.requests("lambda")) == 1


@pytest.mark.parametrize("set_up", SCENARIOS, ids=lambda set_up: set_up.__name__)
def test_making_a_client_asks_nobody(set_up: Callable[[World], Found], world: World) -> None:
    found = set_up(world)
    run = world.run(LIBRARY_CLIENT, *found.flags, "--describe-only")
    assert run.calls == []
    assert world.asked() == set()
    assert set(run.describe["credentials"]) >= {"value", "source"}


def test_botocore_finds_no_more_than_what_is_said_of_it(world: World) -> None:
    """Fails when botocore has learnt what is listed as missing there."""
    for set_up in SCENARIOS:
        if set_up.__name__ in NOT_IN_BOTOCORE:
            found = set_up(world)
            assert world.run(BOTOCORE, *found.flags).signed_by is None


@pytest.mark.parametrize("client", CLIENTS)
def test_a_renewed_sso_token_is_kept_for_the_other_tools(client: str, world: World) -> None:
    found = an_sso_session_whose_token_has_to_be_renewed(world)
    assert world.run(client).signed_by == found.keys.access_key_id
    kept = json.loads((world.home / token_file("corp")).read_text())
    assert world.requests("sso")[0].header("x-amz-sso_bearer_token") == kept["accessToken"]
    assert kept["expiresAt"] > "2026"
    assert (world.home / token_file("corp")).stat().st_mode & 0o777 == 0o600
