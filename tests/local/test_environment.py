"""The environment of a command: whatever the caller's is, AWS clients in it mean the local endpoint."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from conftest import HELLO, PATIENCE, program, write_functions

DEAD = "http://127.0.0.1:1"
PRINT = "import json, os; print(json.dumps(dict(os.environ)))"
INVOKE = """
import botocore.session

client = botocore.session.get_session().create_client("lambda")
print(client.meta.endpoint_url, client.invoke(FunctionName="hello")["Payload"].read().decode())
"""
OTHER_SERVICES = """
import botocore.session
from botocore.config import Config

once = Config(retries={"total_max_attempts": 1})
for service, call in (("sts", "get_caller_identity"), ("s3", "list_buckets"), ("dynamodb", "list_tables")):
    try:
        getattr(botocore.session.get_session().create_client(service, config=once), call)()
    except Exception as error:
        print(type(error).__name__)
"""


class Caller:
    """Somebody with an environment, a home folder and a request log of the endpoint."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        (self.home / ".aws").mkdir(parents=True)
        self.log = folder / "requests.jsonl"
        self._functions = write_functions(folder / "functions", {"hello": HELLO})
        # Without what the tests set for themselves, so that the default places of files count.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment["HOME"] = str(self.home)

    def run(self, code: str, *options: str, wrapper: Sequence[str] = (), **variables: str) -> str:
        command = program("--log-requests", str(self.log), *options, *self._functions)
        done = subprocess.run(
            [*command, "--", *wrapper, sys.executable, "-c", code],
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return Caller(tmp_path)


def aws_settings(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("AWS_")}


def test_settings_of_the_endpoint(caller: Caller) -> None:
    options = ["--region", "eu-north-1", "--access-key-id", "id", "--secret-access-key", "secret"]
    seen = aws_settings(json.loads(caller.run(PRINT, *options)))
    url = seen.pop("AWS_ENDPOINT_URL_LAMBDA")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert seen == {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "eu-north-1",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with_token = aws_settings(json.loads(caller.run(PRINT, "--session-token", "token", *options)))
    assert with_token["AWS_SESSION_TOKEN"] == "token"


def variables_of_botocore() -> set[str]:
    """Every environment variable that a session of botocore reads, by botocore's own table."""
    names: set[str] = set()
    for _, variables, _, _ in BOTOCORE_DEFAUT_SESSION_VARIABLES.values():
        names.update([variables] if isinstance(variables, str) else variables or ())
    return names


def test_no_setting_of_the_caller_is_left(caller: Caller) -> None:
    known = {name for name in variables_of_botocore() if name.startswith("AWS_")}
    assert len(known) > 15
    ours = aws_settings(json.loads(caller.run(PRINT)))
    # And those of SDKs that are yet to come.
    foreign = dict.fromkeys([*known, "AWS_SETTING_OF_2040", "AWS_ENDPOINT_URL_STS", "AWS_"], "of the caller")
    seen = aws_settings(json.loads(caller.run(PRINT, **foreign)))
    assert seen.keys() == ours.keys()
    assert "of the caller" not in seen.values()


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "Https_Proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"])
def test_no_proxy_is_left(caller: Caller, name: str) -> None:
    assert name not in json.loads(caller.run(PRINT, **{name: DEAD}))


def test_everything_else_is_left(caller: Caller) -> None:
    mine = {
        "PATH": os.environ["PATH"],
        "HOME": str(caller.home),
        "LAMBDA_INVOKE_LOG": "debug",
        "SSL_CERT_FILE": "/ca.pem",
        "MY_AWS_REGION": "1",
        "aws_region": "2",
        "PROXY": "3",
    }
    seen = json.loads(caller.run(PRINT, **mine))
    assert {name: seen.get(name) for name in mine} == mine


def test_a_variable_can_be_set_for_the_command(caller: Caller) -> None:
    assert json.loads(caller.run(PRINT, wrapper=["env", "AWS_MAX_ATTEMPTS=1"]))["AWS_MAX_ATTEMPTS"] == "1"


HOSTILE = [
    {"AWS_ENDPOINT_URL": DEAD},
    {"AWS_ENDPOINT_URL_LAMBDA": DEAD},
    {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    {"AWS_USE_FIPS_ENDPOINT": "true"},
    {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
    {"AWS_PROFILE": "no-such-profile"},
    {"AWS_DEFAULT_PROFILE": "no-such-profile"},
    {"AWS_CONFIG_FILE": "/no/such/file"},
    {"AWS_SHARED_CREDENTIALS_FILE": "/no/such/file"},
    {"AWS_SESSION_TOKEN": "of the caller"},
    {"AWS_CREDENTIAL_EXPIRATION": "2001-01-01T00:00:00Z"},
    {"AWS_DEFAULTS_MODE": "nonsense"},
    {"AWS_MAX_ATTEMPTS": "none"},
    {"AWS_RETRY_MODE": "nonsense"},
    {"AWS_CA_BUNDLE": "/no/such/file"},
    {"AWS_DATA_PATH": "/no/such/folder"},
    {"AWS_ACCOUNT_ID_ENDPOINT_MODE": "nonsense"},
    {"AWS_REQUEST_CHECKSUM_CALCULATION": "nonsense"},
    {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such/file"},
    {"AWS_CONTAINER_CREDENTIALS_FULL_URI": DEAD},
    {"AWS_EC2_METADATA_SERVICE_ENDPOINT": DEAD},
    {"http_proxy": DEAD},
    {"HTTP_PROXY": DEAD},
    {"HTTPS_PROXY": "nonsense://"},
    {"ALL_PROXY": "socks5://127.0.0.1:1"},
    {"no_proxy": "example.com", "http_proxy": DEAD},
]


@pytest.mark.parametrize("variables", HOSTILE, ids=lambda variables: next(iter(variables)))
def test_variables_that_lead_elsewhere(caller: Caller, variables: dict[str, str]) -> None:
    url, payload = caller.run(INVOKE, **variables).split(maxsplit=1)
    assert (url.startswith("http://127.0.0.1:"), json.loads(payload)) == (True, {"hello": "world"})
    assert url != DEAD


@pytest.mark.parametrize(
    "config",
    [
        "[default]\nignore_configured_endpoint_urls = true\n",
        f"[default]\nendpoint_url = {DEAD}\n",
        f"[default]\nservices = mine\n[services mine]\nlambda =\n  endpoint_url = {DEAD}\n",
        "[default]\nuse_fips_endpoint = true\n",
        "[default]\nuse_dualstack_endpoint = true\n",
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = other\n[profile other]\n",
        "[default]\ncredential_process = /bin/false\n",
        "[default]\nretry_mode = nonsense\n",
        "[default]\nca_bundle = /no/such/file\n",
        "[default\nthis is not a configuration file",
    ],
    ids=["ignore", "endpoint", "services", "fips", "dualstack", "role", "process", "retry", "ca", "broken"],
)
@pytest.mark.parametrize("named", [False, True], ids=["in-home", "by-variable"])
def test_files_that_lead_elsewhere(caller: Caller, config: str, named: bool) -> None:
    path = caller.home / ".aws" / ("mine" if named else "config")
    path.write_text(config)
    url, payload = caller.run(INVOKE, **({"AWS_CONFIG_FILE": str(path)} if named else {})).split(maxsplit=1)
    assert (url.startswith("http://127.0.0.1:"), json.loads(payload)) == (True, {"hello": "world"})


def test_other_services_are_not_asked_elsewhere(caller: Caller) -> None:
    assert len(caller.run(OTHER_SERVICES).split()) == 3
    assert [json.loads(line)["status"] for line in caller.log.read_text().splitlines()] == [404] * 3
