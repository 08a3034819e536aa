"""Region, endpoint, retries and the name of the application, from wherever the AWS tools take them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from configured_servers import json_answer
from configured_world import BOTOCORE, CLIENTS, LIBRARY_CLIENT, REGION, World

MEMBERS = {
    *("region", "endpoint_url", "use_fips", "use_dual_stack", "profile", "credentials", "ca_bundle", "proxy", "app_id"),
    *("connect_timeout_ms", "timeout_ms", "max_attempts", "retry", "max_connections", "max_response_bytes", "log"),
}


@dataclass
class Setting:
    """What describe() shows for a setting, and how the setting is made."""

    name: str
    value: object
    # Parts of its `source`.
    source: tuple[str, ...]
    set_up: Callable[[World], object]
    flags: tuple[str, ...] = ()
    # botocore differs.
    not_in_botocore: bool = False


def environment(**variables: object) -> Callable[[World], object]:
    return lambda world: world.set(**variables)


def profile(text: str, **variables: object) -> Callable[[World], object]:
    """Keys of profile prod, which is selected; the region and endpoint are those of the profile alone."""

    def set_up(world: World) -> None:
        world.config(f"[profile prod]\n{text}\n")
        world.set(AWS_PROFILE="prod", **variables)

    return set_up


NOWHERE = {"AWS_DEFAULT_REGION": None, "AWS_ENDPOINT_URL_LAMBDA": None}
OWN = f"https://lambda.{REGION}.amazonaws.com"
FIPS = "https://lambda-fips.us-east-2.amazonaws.com"
DUAL = "https://lambda.us-east-2.api.aws"
BOTH = "https://lambda-fips.us-east-2.api.aws"
US = {"AWS_DEFAULT_REGION": "us-east-2", "AWS_ENDPOINT_URL_LAMBDA": None}
SERVICES = "services = here\n[services here]\nlambda =\n  endpoint_url = http://service.invalid/s"

SETTINGS = {
    "a region by AWS_REGION": Setting(
        "region",
        "sa-east-1",
        ("AWS_REGION",),
        environment(AWS_REGION="sa-east-1", AWS_DEFAULT_REGION=None),
        not_in_botocore=True,
    ),
    "AWS_REGION before AWS_DEFAULT_REGION": Setting(
        "region", "sa-east-1", ("AWS_REGION",), environment(AWS_REGION="sa-east-1"), not_in_botocore=True
    ),
    "a region by AWS_DEFAULT_REGION": Setting(
        "region", "sa-east-1", ("AWS_DEFAULT_REGION",), environment(AWS_DEFAULT_REGION="sa-east-1")
    ),
    "a region by profile": Setting("region", "sa-east-1", ("prod", "config"), profile("region = sa-east-1", **NOWHERE)),
    "the environment's region before the profile's": Setting(
        "region", REGION, ("AWS_DEFAULT_REGION",), profile("region = sa-east-1")
    ),
    "a region by setter": Setting("region", "sa-east-1", ("setter",), lambda _: None, flags=("--region", "sa-east-1")),
    "AWS's own endpoint": Setting("endpoint_url", OWN, ("default",), environment(AWS_ENDPOINT_URL_LAMBDA=None)),
    "an endpoint by AWS_ENDPOINT_URL": Setting(
        "endpoint_url",
        "http://all.invalid/a",
        ("AWS_ENDPOINT_URL",),
        environment(AWS_ENDPOINT_URL="http://all.invalid/a", AWS_ENDPOINT_URL_LAMBDA=None),
    ),
    "AWS_ENDPOINT_URL_LAMBDA before AWS_ENDPOINT_URL": Setting(
        "endpoint_url",
        "http://lambda.invalid/l",
        ("AWS_ENDPOINT_URL_LAMBDA",),
        environment(AWS_ENDPOINT_URL="http://all.invalid/a", AWS_ENDPOINT_URL_LAMBDA="http://lambda.invalid/l"),
    ),
    "an endpoint by profile": Setting(
        "endpoint_url",
        "http://profile.invalid/p",
        ("prod", "config"),
        profile("endpoint_url = http://profile.invalid/p", AWS_ENDPOINT_URL_LAMBDA=None),
    ),
    "an endpoint by services section": Setting(
        "endpoint_url", "http://service.invalid/s", ("prod", "config"), profile(SERVICES, AWS_ENDPOINT_URL_LAMBDA=None)
    ),
    "the service's before all services' of a profile": Setting(
        "endpoint_url",
        "http://service.invalid/s",
        ("prod", "config"),
        profile(f"endpoint_url = http://profile.invalid/p\n{SERVICES}", AWS_ENDPOINT_URL_LAMBDA=None),
    ),
    "AWS_ENDPOINT_URL before the services section": Setting(
        "endpoint_url",
        "http://all.invalid/a",
        ("AWS_ENDPOINT_URL",),
        profile(SERVICES, AWS_ENDPOINT_URL="http://all.invalid/a", AWS_ENDPOINT_URL_LAMBDA=None),
    ),
    "an endpoint by setter": Setting(
        "endpoint_url",
        "http://set.invalid/s",
        ("setter",),
        lambda _: None,
        flags=("--endpoint-url", "http://set.invalid/s"),
    ),
    "endpoints of the environment ignored": Setting(
        "endpoint_url", OWN, ("default",), environment(AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true")
    ),
    "endpoints of a profile ignored": Setting(
        "endpoint_url", OWN, ("default",), profile(f"ignore_configured_endpoint_urls = true\n{SERVICES}")
    ),
    "an endpoint by setter, others ignored": Setting(
        "endpoint_url",
        "http://set.invalid/s",
        ("setter",),
        environment(AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true"),
        flags=("--endpoint-url", "http://set.invalid/s"),
    ),
    "FIPS by environment": Setting("endpoint_url", FIPS, (), environment(AWS_USE_FIPS_ENDPOINT="true", **US)),
    "FIPS by profile": Setting("endpoint_url", FIPS, (), profile("use_fips_endpoint = true", **US)),
    "FIPS by setter": Setting("endpoint_url", FIPS, (), environment(**US), flags=("--fips", "1")),
    "dual stack by environment": Setting(
        "endpoint_url", DUAL, (), environment(AWS_USE_DUALSTACK_ENDPOINT="true", **US)
    ),
    "dual stack by profile": Setting("endpoint_url", DUAL, (), profile("use_dualstack_endpoint = true", **US)),
    "dual stack by setter": Setting("endpoint_url", DUAL, (), environment(**US), flags=("--dual-stack", "1")),
    "FIPS and dual stack": Setting(
        "endpoint_url", BOTH, (), environment(AWS_USE_FIPS_ENDPOINT="true", **US), flags=("--dual-stack", "1")
    ),
    "the region of a pseudo region": Setting(
        "region", "us-east-1", (), environment(AWS_DEFAULT_REGION="fips-us-east-1", AWS_ENDPOINT_URL_LAMBDA=None)
    ),
    "a pseudo region that begins with fips": Setting(
        "endpoint_url",
        "https://lambda-fips.us-east-1.amazonaws.com",
        (),
        environment(AWS_DEFAULT_REGION="fips-us-east-1", AWS_ENDPOINT_URL_LAMBDA=None),
    ),
    "a pseudo region that ends in fips": Setting(
        "endpoint_url",
        "https://lambda-fips.us-gov-west-1.amazonaws.com",
        (),
        profile("region = us-gov-west-1-fips", **NOWHERE),
    ),
    "a pseudo region by setter": Setting(
        "endpoint_url",
        "https://lambda-fips.us-west-2.amazonaws.com",
        (),
        environment(**NOWHERE),
        flags=("--region", "us-west-2-fips"),
    ),
    "blanks around a region": Setting(
        "region",
        "sa-east-1",
        ("AWS_DEFAULT_REGION",),
        environment(AWS_DEFAULT_REGION=" sa-east-1\n"),
        not_in_botocore=True,
    ),
    "blanks around an endpoint": Setting(
        "endpoint_url",
        "http://blank.invalid",
        ("AWS_ENDPOINT_URL_LAMBDA",),
        environment(AWS_ENDPOINT_URL_LAMBDA="\thttp://blank.invalid \r\n"),
        not_in_botocore=True,
    ),
    "blanks around a number": Setting("max_attempts", 5, ("AWS_MAX_ATTEMPTS",), environment(AWS_MAX_ATTEMPTS=" 5\n")),
    "blanks around true": Setting(
        "endpoint_url", FIPS, (), environment(AWS_USE_FIPS_ENDPOINT=" True ", **US), not_in_botocore=True
    ),
    "blanks around the name of a profile": Setting(
        "region",
        "sa-east-1",
        ("prod",),
        lambda world: (profile("region = sa-east-1", **NOWHERE)(world), world.set(AWS_PROFILE=" prod\n")),
        not_in_botocore=True,
    ),
    "nothing but blanks, which is nothing": Setting(
        "region", "sa-east-1", (), environment(AWS_REGION=" ", AWS_DEFAULT_REGION="sa-east-1")
    ),
    "AWS_PROFILE before AWS_DEFAULT_PROFILE": Setting(
        "profile", "prod", ("AWS_PROFILE",), profile("", AWS_DEFAULT_PROFILE="other"), not_in_botocore=True
    ),
    "attempts by environment": Setting("max_attempts", 5, ("AWS_MAX_ATTEMPTS",), environment(AWS_MAX_ATTEMPTS=5)),
    "attempts by profile": Setting("max_attempts", 4, ("prod", "config"), profile("max_attempts = 4")),
    "attempts by setter": Setting(
        "max_attempts",
        2,
        ("setter",),
        environment(AWS_MAX_ATTEMPTS=5),
        flags=("--max-attempts", "2"),
        not_in_botocore=True,
    ),
    "attempts by default": Setting("max_attempts", 3, ("default",), lambda _: None, not_in_botocore=True),
    "a profile by AWS_PROFILE": Setting("profile", "prod", ("AWS_PROFILE",), profile(""), not_in_botocore=True),
    "a profile by AWS_DEFAULT_PROFILE": Setting(
        "profile", "prod", ("AWS_DEFAULT_PROFILE",), environment(AWS_DEFAULT_PROFILE="prod"), not_in_botocore=True
    ),
    "the default profile": Setting("profile", "default", ("default",), lambda _: None, not_in_botocore=True),
}


CASES = [
    pytest.param(client, setting, id=f"{client}-{name}")
    for name, setting in SETTINGS.items()
    for client in CLIENTS
    if client != BOTOCORE or not setting.not_in_botocore
]


@pytest.mark.parametrize(("client", "setting"), CASES)
def test_a_setting_is_found(client: str, setting: Setting, world: World) -> None:
    setting.set_up(world)
    run = world.run(client, *setting.flags, "--describe-only")
    assert run.describe is not None, str(run)
    found = run.describe[setting.name]
    value = found["value"].rstrip("/") if setting.name == "endpoint_url" else found["value"]
    assert value == setting.value
    if client == LIBRARY_CLIENT:
        assert all(part in found["source"] for part in setting.source), found
        assert world.asked() == set()


def test_a_description_says_of_every_setting_where_it_comes_from(world: World) -> None:
    described = world.run(LIBRARY_CLIENT, "--describe-only").describe
    assert set(described) >= MEMBERS
    assert all(set(member) == {"value", "source"} for member in described.values())
    assert all(isinstance(member["source"], str) and member["source"] for member in described.values())


def test_a_description_changes_with_nothing_but_the_settings(world: World) -> None:
    keys = world.make_keys(session=True)
    world.make_instance(keys)
    with world.session(LIBRARY_CLIENT) as session:
        first = session.round()
        assert first.signed_by == keys.access_key_id
        world.config("[default]\nregion = sa-east-1")
        assert session.round().describe == first.describe


def test_a_bad_level_of_the_log_stops_no_program(world: World) -> None:
    keys = world.make_keys()
    world.set_keys(keys)
    world.set(LAMBDA_INVOKE_LOG="bogus")
    run = world.run(LIBRARY_CLIENT, "--log-level", "2")
    assert run.signed_by == keys.access_key_id
    assert run.describe["log"]["value"] == "warn"
    assert 'LAMBDA_INVOKE_LOG is ignored: "bogus" is not a level' in run.describe["log"]["source"]
    assert 'LAMBDA_INVOKE_LOG is ignored: "bogus"' in run.stderr


def test_a_profile_that_no_file_has_is_a_warning(world: World) -> None:
    """botocore refuses it. Here the environment may have all that a call needs, but the call may go elsewhere."""
    world.set_keys(world.make_keys())
    world.config("[prod]\nregion = sa-east-1")
    world.set(AWS_PROFILE="prod", LAMBDA_INVOKE_LOG="warn")
    run = world.run(LIBRARY_CLIENT)
    assert run.status == "LAMBDA_OK"
    assert "AWS_PROFILE: profile prod: no such profile" in run.stderr
    assert "[profile prod]" in run.stderr


@pytest.mark.parametrize(
    ("text", "is_warned"),
    [
        ("output = json\n  endpoint_url = http://localhost:4566", True),
        ("output = json\n\n  # not this\n  endpoint_url = http://localhost:4566", True),
        ("s3 =\n  addressing_style = path", False),
        ("s3 =\n\n  addressing_style = path\n  x = y", False),
        ("output = json\n  and more", False),
        ("  output = json\n  cli_pager =\nx = y=z", False),
    ],
)
def test_a_property_that_continues_another_is_a_warning(text: str, is_warned: bool, world: World) -> None:
    """The AWS tools read it so too, without a word: the call goes to AWS instead of the endpoint that was meant."""
    world.set_keys(world.make_keys())
    world.file(".aws/config", f"[default]\n{text}\n")
    run = world.run(LIBRARY_CLIENT)
    assert run.status == "LAMBDA_OK"
    assert ("output of profile default" in run.stderr and "indented deeper" in run.stderr) == is_warned


# Every setting whose value is a URL, and how it is set.
URLS: dict[str, Callable[[World, str], object]] = {
    **{
        name: lambda world, url, name=name: world.set(**{name: url})
        for name in (
            *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO"),
            *("AWS_ENDPOINT_URL_SSO_OIDC", "AWS_ENDPOINT_URL_SIGNIN", "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
            *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
        )
    },
    **{
        name: lambda world, url, name=name: profile(
            f"{name} = {url}", AWS_ENDPOINT_URL_LAMBDA=None, AWS_EC2_METADATA_SERVICE_ENDPOINT=None
        )(world)
        for name in ("endpoint_url", "ec2_metadata_service_endpoint")
    },
    "services": lambda world, url: profile(SERVICES.replace("http://service.invalid/s", url), **NOWHERE)(world),
}


@pytest.mark.parametrize("flags", [(), ("--describe-only",)])
@pytest.mark.parametrize(
    "form", ["http://u:{}@h.invalid:1/x", "http://{}@h.invalid/", "ftp://u:{}@h", "http://u:{}@h:port", "u:{}@h:1"]
)
@pytest.mark.parametrize("name", URLS)
def test_no_url_shows_its_password(name: str, form: str, flags: tuple[str, ...], world: World) -> None:
    """Neither in what is described nor in the message and the log: the world looks for secrets in all of them."""
    world.set(AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:1")
    URLS[name](world, form.format(world.vault.make_secret("url-password")))
    run = world.run(LIBRARY_CLIENT, *flags)
    assert run.describe is not None or run.status == "LAMBDA_E_CONFIG"


@pytest.mark.parametrize("client", CLIENTS)
def test_without_a_region_the_message_says_where_to_set_one(client: str, world: World) -> None:
    world.set_keys(world.make_keys())
    world.set(AWS_DEFAULT_REGION=None)
    run = world.run(client)
    assert (run.status, world.asked()) == ("LAMBDA_E_CONFIG", set())
    if client == LIBRARY_CLIENT:
        assert re.search("AWS_REGION.*profile", run.error_message)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("set_up", "prefix"),
    [
        (lambda world, url: world.set(AWS_ENDPOINT_URL_LAMBDA=f"{url}/a/b"), "/a/b"),
        (lambda world, url: world.set(AWS_ENDPOINT_URL_LAMBDA=f"{url}/a/"), "/a"),
        (lambda world, url: world.set(AWS_ENDPOINT_URL_LAMBDA=None, AWS_ENDPOINT_URL=f"{url}/c%20d"), "/c%20d"),
        (lambda world, url: profile(f"endpoint_url = {url}/e", AWS_ENDPOINT_URL_LAMBDA=None)(world), "/e"),
    ],
    ids=["two parts", "a slash at the end", "an escape", "of a profile"],
)
def test_the_path_of_an_endpoint_is_kept_and_signed(
    client: str, set_up: Callable[[World, str], None], prefix: str, world: World
) -> None:
    keys = world.make_keys()
    world.set_keys(keys)
    set_up(world, world.servers["lambda"].url)
    run = world.run(client)
    assert run.signed_by == keys.access_key_id, str(run)
    assert world.functions.prefixes == [prefix]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_profile_region_signs(client: str, world: World) -> None:
    keys = world.make_keys()
    world.set_keys(keys)
    profile("region = sa-east-1", AWS_DEFAULT_REGION=None)(world)
    world.functions.region = "sa-east-1"
    assert world.run(client).signed_by == keys.access_key_id


@pytest.mark.parametrize(
    ("set_up", "flags", "name"),
    [
        (environment(AWS_USE_FIPS_ENDPOINT="true"), (), "AWS_USE_FIPS_ENDPOINT"),
        (environment(AWS_USE_DUALSTACK_ENDPOINT="true"), (), "AWS_USE_DUALSTACK_ENDPOINT"),
        (profile("use_fips_endpoint = true"), (), "use_fips_endpoint"),
        (environment(), ("--fips", "1"), "use_fips"),
        (environment(), ("--dual-stack", "1"), "use_dual_stack"),
    ],
)
def test_a_custom_endpoint_has_no_variants(
    set_up: Callable[[World], object], flags: tuple[str, ...], name: str, world: World
) -> None:
    """botocore drops the variant without a word: whoever asked for FIPS would not get it."""
    world.set_keys(world.make_keys())
    set_up(world)
    run = world.run(LIBRARY_CLIENT, *flags)
    assert (run.status, run.execution) == ("LAMBDA_E_CONFIG", "NONE")
    assert world.asked() == set()
    assert name in run.error_message
    assert "AWS_ENDPOINT_URL_LAMBDA" in run.error_message


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("set_up", "attempts"),
    [
        (environment(AWS_MAX_ATTEMPTS=1), 1),
        (environment(AWS_MAX_ATTEMPTS=2), 2),
        (profile("max_attempts = 2"), 2),
        (environment(AWS_RETRY_MODE="standard"), 3),
        (environment(AWS_RETRY_MODE="adaptive", AWS_MAX_ATTEMPTS=2), 2),
        (environment(AWS_RETRY_MODE="legacy", AWS_MAX_ATTEMPTS=2), 2),
        (profile("retry_mode = standard\nmax_attempts = 2"), 2),
    ],
    ids=["one", "two", "profile", "standard", "adaptive", "legacy", "standard by profile"],
)
def test_as_many_attempts_are_made_as_are_set(
    client: str, set_up: Callable[[World], object], attempts: int, world: World
) -> None:
    world.set_keys(world.make_keys())
    set_up(world)
    throttled = json_answer(
        429, {"message": "Rate Exceeded.", "Type": "User"}, x_amzn_ErrorType="TooManyRequestsException"
    )
    world.servers["lambda"].respond = lambda _: throttled
    run = world.run(client)
    assert (run.http_status, run.error_type, run.attempts) == (429, "TooManyRequestsException", attempts)
    assert len(world.requests("lambda")) == attempts


def test_no_variable_and_no_file_allows_a_function_to_run_twice(world: World) -> None:
    world.set_keys(world.make_keys())
    profile("retry_mode = standard\nmax_attempts = 5")(world)
    world.set(AWS_RETRY_MODE="adaptive", AWS_MAX_ATTEMPTS=9)
    world.servers["lambda"].respond = lambda _: json_answer(503, {"message": "who knows"})
    run = world.run(LIBRARY_CLIENT)
    assert (run.status, run.execution, run.attempts) == ("LAMBDA_E_SERVICE", "UNKNOWN", 1)
    assert run.describe["retry"]["value"] == "safe"


# How botocore rejects each of them. botocore takes a value that is neither true nor false for false.
REFUSED = [
    ("AWS_MAX_ATTEMPTS", "0", CLIENTS),
    ("AWS_MAX_ATTEMPTS", "many", CLIENTS),
    ("AWS_MAX_ATTEMPTS", "-1", CLIENTS),
    ("AWS_RETRY_MODE", "always", CLIENTS),
    ("AWS_REGION", "eu central 1", [LIBRARY_CLIENT]),
    ("AWS_DEFAULT_REGION", "eu.central.1/x", [LIBRARY_CLIENT]),
    ("AWS_ENDPOINT_URL_LAMBDA", "lambda", CLIENTS),
    ("AWS_USE_FIPS_ENDPOINT", "perhaps", [LIBRARY_CLIENT]),
    ("AWS_USE_DUALSTACK_ENDPOINT", "perhaps", [LIBRARY_CLIENT]),
]
REFUSALS = [(client, variable, value) for variable, value, clients in REFUSED for client in clients]


@pytest.mark.parametrize(("client", "variable", "value"), REFUSALS)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(
    client: str, variable: str, value: str, world: World
) -> None:
    world.set_keys(world.make_keys())
    world.set(**{variable: value})
    run = world.run(client)
    assert (run.status, run.attempts) == ("LAMBDA_E_CONFIG", 0)
    assert client == BOTOCORE or variable in run.error_message
    assert world.asked() == set()


@pytest.mark.parametrize(
    ("key", "value"), [("max_attempts", "0"), ("retry_mode", "always"), ("use_fips_endpoint", "?")]
)
def test_a_bad_value_is_refused_by_its_profile_and_file(key: str, value: str, world: World) -> None:
    world.set_keys(world.make_keys())
    profile(f"{key} = {value}")(world)
    run = world.run(LIBRARY_CLIENT)
    assert run.status == "LAMBDA_E_CONFIG"
    for part in (key, "prod", str(world.home / ".aws/config")):
        assert part in run.error_message


def test_a_file_that_nobody_can_parse_is_named_with_its_line(world: World) -> None:
    world.set_keys(world.make_keys())
    config = world.config("[default]\nregion = sa-east-1\n[never closed\n")
    run = world.run(LIBRARY_CLIENT)
    assert run.status == "LAMBDA_E_CONFIG"
    assert re.search(f"{re.escape(str(config))}.*3", run.error_message) or re.search("3.*config", run.error_message)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("set_up", "flags"),
    [
        (environment(AWS_SDK_UA_APP_ID="billing"), ()),
        (profile("sdk_ua_app_id = billing"), ()),
        (environment(AWS_SDK_UA_APP_ID="another"), ("--app-id", "billing")),
    ],
    ids=["environment", "profile", "setter"],
)
def test_the_application_names_itself(
    client: str, set_up: Callable[[World], object], flags: tuple[str, ...], world: World
) -> None:
    keys = world.make_keys()
    world.set_keys(keys)
    set_up(world)
    assert world.run(client, *flags).signed_by == keys.access_key_id
    user_agent = world.requests("lambda")[0].header("user-agent") or ""
    assert "app/billing" in user_agent.split()
