"""Roles: keys of an STS that somebody else wrote, for invocations of the same server.

Nothing is set but by the environment and the shared files, as users of emulators do. Every scenario is shown with boto3
first: what works there is to work here. The user that the files know may assume roles and do nothing else, so that an
invocation that is let through is the role's; a recorder in between tells which keys signed what, and the server whose
they are.

The servers are not AWS. If one differs from the service's model, then the test names the difference and its reason.
"""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from conformance_runners import LIBRARY
from conformance_server import ROOT, environment
from recorder import Exchange, recorder
from servers import ACCOUNT, REGION, Keys, Server, allow, client, make_user, post
from test_emulators import HERE, REFUSALS, compile_c

pytestmark = pytest.mark.timeout(120)

RUN_S = 60.0
CLOCK_S = 60.0

# An OpenID Connect provider as EKS has one for each cluster, and what its tokens say about a pod.
ISSUER = "oidc.eks.example.com/id/7"
SUBJECT = "system:serviceaccount:shop:orders"
AUDIENCE = "sts.amazonaws.com"

SESSION = "Ada=1,@x.-"
EXTERNAL_ID = "order-7/8:@,=+"
INVOKE = ("lambda:InvokeFunction", "lambda:Invoke")


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def session_arn(role: str, session: str) -> str:
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"


def trust(action: str, principal: dict[str, Any], **equal: str) -> str:
    """A trust policy with what its conditions want to be equal."""
    statement = {"Effect": "Allow", "Action": f"sts:{action}", "Principal": principal}
    if equal:
        statement["Condition"] = {"StringEquals": equal}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True)
class World:
    """A server with the roles, and the one user who may assume them."""

    server: Server
    source: Keys


@contextlib.contextmanager
def letting_through(server: Server, requests: str) -> Iterator[None]:
    """moto checks all requests but the first ones, and can be told how many those are."""
    if server.name != "moto":
        yield
        return
    post(f"{server.endpoint_url}/moto-api/reset-auth", requests.encode(), "text/plain")
    try:
        yield
    finally:
        post(f"{server.endpoint_url}/moto-api/reset-auth", b"0", "text/plain")


def make_world(server: Server) -> World:
    with letting_through(server, "inf"):
        # The root user of ministack; moto takes anybody now.
        return World(server, make_roles(client("iam", server.endpoint_url, Keys("test", "test"))))


@pytest.fixture(scope="session")
def ministack_world(ministack: Server) -> World:
    return make_world(ministack)


@pytest.fixture(scope="session")
def moto_world(moto: Server) -> World:
    return make_world(moto)


@pytest.fixture(params=["ministack", "moto"])
def world(request: pytest.FixtureRequest) -> World:
    return request.getfixturevalue(f"{request.param}_world")


def make_roles(iam: Any) -> Keys:
    source = make_user(iam, "source", "sts:AssumeRole")
    user = f"arn:aws:iam::{ACCOUNT}:user/source"

    def make(name: str, trusted: str, *actions: str) -> None:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)
        if actions:
            iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=allow(*actions))

    make("invoker", trust("AssumeRole", {"AWS": user}), *INVOKE)
    make("partner", trust("AssumeRole", {"AWS": user}, **{"sts:ExternalId": EXTERNAL_ID}), *INVOKE)
    make("idle", trust("AssumeRole", {"AWS": user}))
    make("closed", trust("AssumeRole", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/another"}), *INVOKE)
    make("between", trust("AssumeRole", {"AWS": user}), "sts:AssumeRole")
    # moto takes nobody for a role's session unless the policy names that session.
    trusted = [principal for role in ("between", "pod") for principal in (role_arn(role), session_arn(role, SESSION))]
    make("last", trust("AssumeRole", {"AWS": trusted}), *INVOKE)

    iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=[AUDIENCE], ThumbprintList=["9" * 40])
    provider = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"}
    conditions = {f"{ISSUER}:sub": SUBJECT, f"{ISSUER}:aud": AUDIENCE}
    make("pod", trust("AssumeRoleWithWebIdentity", provider, **conditions), "sts:AssumeRole", *INVOKE)
    return source


def token(subject: str) -> str:
    """A token of the provider, without a valid signature: ministack checks its claims, moto not even those."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    now = int(time.time())
    claims = {"iss": f"https://{ISSUER}", "sub": subject, "aud": AUDIENCE, "iat": now, "exp": now + 3600}
    return ".".join([part(b'{"alg": "RS256"}'), part(json.dumps(claims).encode()), part(b"unsigned")])


@pytest.fixture(scope="session")
def program(folder: Path) -> Path:
    made = folder / "by_environment"
    paths = [f"-I{ROOT / 'include'}", f"-L{LIBRARY}", f"-Wl,-rpath,{LIBRARY}"]
    compile_c("by_environment.c", made, *paths, "-llambda_invoke")
    return made


@pytest.fixture(params=["boto3", "library"])
def command(request: pytest.FixtureRequest) -> list[str]:
    """The reference, then what is tested."""
    if request.param == "boto3":
        return [sys.executable, str(HERE / "by_environment.py")]
    return [str(request.getfixturevalue("program"))]


# Where a program is told to call, by the variables with which it is told.
ENDPOINTS = {
    "one-endpoint": {"AWS_ENDPOINT_URL": "all"},
    "own-endpoint": {"AWS_ENDPOINT_URL": "all", "AWS_ENDPOINT_URL_STS": "sts"},
}


@dataclass(frozen=True)
class Answer:
    status: str
    execution: str
    http_status: int
    error_type: str
    text: str


@dataclass(frozen=True)
class Setting:
    """The profiles of AWS_PROFILE, `work`, and others; variables; and whom the token is about."""

    config: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    subject: str = SUBJECT
    # Others than those of the user who may assume roles.
    source: dict[str, str] = field(default_factory=dict)


def run(
    command: list[str], world: World, setting: Setting, folder: Path, endpoints: str = "one-endpoint"
) -> tuple[list[Answer], list[Exchange]]:
    """What a program gets for its calls, and what was said on the way."""
    (folder / "token").write_text(token(setting.subject))
    (folder / "config").write_text(setting.config.replace("TOKEN", str(folder / "token")))
    keys = {
        "aws_access_key_id": world.source.access_key_id,
        "aws_secret_access_key": world.source.secret_access_key,
        **setting.source,
    }
    lines = ["[source]", *(f"{name} = {value}" for name, value in keys.items())]
    (folder / "credentials").write_text("\n".join(lines))
    own = {
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        # boto3 does not read AWS_REGION.
        "AWS_DEFAULT_REGION": REGION,
        **{name: value.replace("TOKEN", str(folder / "token")) for name, value in setting.variables.items()},
    }
    places = ENDPOINTS[endpoints]
    with recorder(world.server.endpoint_url, *places.values()) as between:
        own.update({variable: between.urls[place] for variable, place in places.items()})
        done = subprocess.run(
            [*command, "describe"],
            env={**environment(), "HOME": str(folder), **own},
            capture_output=True,
            text=True,
            timeout=RUN_S,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert keys["aws_secret_access_key"] not in done.stdout
    answers = []
    for line in done.stdout.splitlines():
        status, execution, http_status, error_type, text = line.split("\t", 4)
        answers.append(Answer(status, execution, int(http_status), error_type, text))
    return answers, between.exchanges


def check_ran(world: World, answers: list[Answer]) -> None:
    for answer in answers:
        assert (answer.status, answer.http_status) == ("LAMBDA_OK", 200), answer
        # boto3 does not say.
        assert answer.execution in ("RAN", "")
        # moto gives the payload back, and ministack runs the function.
        found = json.loads(answer.text)
        assert (found["event"] if world.server.name == "ministack" else found) == {}
    assert len(answers) == 2


@dataclass(frozen=True)
class Assumed:
    """A role, and what the request for its keys must say."""

    role: str
    # None: whatever the program calls a session that nobody named.
    session: str | None
    parameters: dict[str, str] = field(default_factory=dict)
    action: str = "AssumeRole"


@dataclass(frozen=True)
class Scenario:
    setting: Setting
    assumed: list[Assumed]


def profiles(**keys: dict[str, str]) -> Setting:
    """Profiles, of which `work` is the one that counts."""
    lines = []
    for name, values in keys.items():
        lines += [f"[profile {name}]", *(f"{key} = {value}" for key, value in values.items())]
    return Setting("\n".join(lines), {"AWS_PROFILE": "work"})


def role(name: str, **more: str) -> dict[str, str]:
    """The properties of a role in a profile."""
    return {"role_arn": role_arn(name), **more}


WEB_IDENTITY = "AssumeRoleWithWebIdentity"
OF_A_POD = {"AWS_WEB_IDENTITY_TOKEN_FILE": "TOKEN", "AWS_ROLE_ARN": role_arn("pod")}
POD = role("pod", web_identity_token_file="TOKEN", role_session_name=SESSION)

SCENARIOS = {
    "role": Scenario(profiles(work=role("invoker", source_profile="source")), [Assumed("invoker", None)]),
    "all-that-a-profile-says": Scenario(
        profiles(
            work=role(
                "partner",
                source_profile="source",
                external_id=EXTERNAL_ID,
                role_session_name=SESSION,
                duration_seconds="1800",
            )
        ),
        [Assumed("partner", SESSION, {"ExternalId": EXTERNAL_ID, "DurationSeconds": "1800"})],
    ),
    "two-roles": Scenario(
        profiles(
            work=role("last", source_profile="between", duration_seconds="1200"),
            between=role("between", source_profile="source", role_session_name=SESSION),
        ),
        [Assumed("between", SESSION), Assumed("last", None, {"DurationSeconds": "1200"})],
    ),
    "web-identity": Scenario(Setting(variables=OF_A_POD), [Assumed("pod", None, action=WEB_IDENTITY)]),
    "named-web-identity": Scenario(
        Setting(variables={**OF_A_POD, "AWS_ROLE_SESSION_NAME": SESSION}),
        [Assumed("pod", SESSION, action=WEB_IDENTITY)],
    ),
    "web-identity-of-a-profile": Scenario(profiles(work=POD), [Assumed("pod", SESSION, action=WEB_IDENTITY)]),
    "web-identity-and-a-role": Scenario(
        profiles(work=role("last", source_profile="pod", role_session_name="work"), pod=POD),
        [Assumed("pod", SESSION, action=WEB_IDENTITY), Assumed("last", "work")],
    ),
}


@pytest.mark.parametrize("endpoints", ENDPOINTS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_roles(world: World, name: str, endpoints: str, command: list[str], tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    # Where moto checks, it breaks on a request without a signature, which is how web identities ask, and answers 500.
    unsigned = sum(assumed.action == WEB_IDENTITY for assumed in scenario.assumed)
    with letting_through(world.server, str(unsigned)):
        answers, exchanges = run(command, world, scenario.setting, tmp_path, endpoints)
        check_ran(world, answers)
        check_exchanges(world, scenario.assumed, exchanges)
    of_sts = ENDPOINTS[endpoints].get("AWS_ENDPOINT_URL_STS", "all")
    expected = [of_sts] * len(scenario.assumed) + ["all", "all"]
    assert [exchange.place for exchange in exchanges] == expected


def check_exchanges(world: World, assumed: list[Assumed], exchanges: list[Exchange]) -> None:
    """Every step is signed with the keys that the one before gave, and the invocations with the last ones."""
    # The second call needs no keys of its own.
    assert [exchange.what for exchange in exchanges] == [*(step.action for step in assumed), "lambda", "lambda"]
    signer: str | None = world.source.access_key_id
    for step, exchange in zip(assumed, exchanges):
        assert exchange.signer == (None if step.action == WEB_IDENTITY else signer)
        wanted = {"RoleArn": role_arn(step.role), **step.parameters}
        if step.session is not None:
            wanted["RoleSessionName"] = step.session
        assert wanted.items() <= exchange.parameters.items()
        signer = exchange.given("AccessKeyId")
        assert signer.startswith("ASIA")
        check_keys(world, step, exchange)
    for exchange in exchanges[len(assumed) :]:
        assert exchange.signer == signer


def check_keys(world: World, step: Assumed, exchange: Exchange) -> None:
    """The server tells whose they are, and when they expire."""
    session = exchange.parameters["RoleSessionName"]
    keys = Keys(*(exchange.given(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))
    identity = client("sts", world.server.endpoint_url, keys).get_caller_identity()
    assert identity["Arn"] == session_arn(step.role, session)
    if "DurationSeconds" in step.parameters:
        expires = datetime.fromisoformat(exchange.given("Expiration").replace("Z", "+00:00")).timestamp()
        assert abs(expires - time.time() - int(step.parameters["DurationSeconds"])) < CLOCK_S


def test_the_user_alone_may_not_invoke(world: World, command: list[str], tmp_path: Path) -> None:
    answers, exchanges = run(command, world, Setting(variables={"AWS_PROFILE": "source"}), tmp_path)
    check_denied(world, answers, f"arn:aws:iam::{ACCOUNT}:user/source")
    assert [exchange.signer for exchange in exchanges] == [world.source.access_key_id] * 2


def test_a_role_that_may_not_invoke(world: World, command: list[str], tmp_path: Path) -> None:
    """Lambda's refusal names the session, not the user."""
    setting = profiles(work=role("idle", source_profile="source", role_session_name=SESSION))
    answers, exchanges = run(command, world, setting, tmp_path)
    check_denied(world, answers, session_arn("idle", SESSION))
    assert [exchange.what for exchange in exchanges] == ["AssumeRole", "lambda", "lambda"]


def check_denied(world: World, answers: list[Answer], whom: str) -> None:
    for answer in answers:
        code = REFUSALS[world.server.name]["AccessDeniedException"]
        assert (answer.status, answer.http_status) == ("LAMBDA_E_SERVICE", 403), answer
        # boto3 does not read moto's XML, and shows all of it.
        assert code in f"{answer.error_type} {answer.text}"
        assert f"User: {whom} is not authorized to perform: lambda:Invoke" in answer.text
    assert len(answers) == 2


def of_source(name: str, external_id: dict[str, str] | None = None, **source: str) -> Setting:
    """A role of the user's, or of the same with other keys."""
    return replace(profiles(work=role(name, source_profile="source", **(external_id or {}))), source=source)


# With the code that STS has for it.
REFUSED = {
    "another-is-trusted": (of_source("closed"), "AccessDenied"),
    "another-external-id": (of_source("partner", {"external_id": "order-9"}), "AccessDenied"),
    "a-wrong-secret": (of_source("invoker", aws_secret_access_key="hunter2"), "SignatureDoesNotMatch"),
    "an-unknown-key": (of_source("invoker", aws_access_key_id="AKIAUNKNOWNUNKNOWN00"), "InvalidClientTokenId"),
    # The first may only invoke.
    "the-second-role": (
        profiles(work=role("last", source_profile="invoker"), invoker=role("invoker", source_profile="source")),
        "AccessDenied",
    ),
}
NO_EXTERNAL_ID = of_source("partner")
ANOTHER_SUBJECT = Setting(variables=OF_A_POD, subject="system:serviceaccount:shop:bills")
REFUSED_BY_MINISTACK = {
    "an-unknown-role": of_source("nowhere"),
    "no-external-id": NO_EXTERNAL_ID,
    "another-subject": ANOTHER_SUBJECT,
    "an-unknown-role-for-a-token": Setting(variables={**OF_A_POD, "AWS_ROLE_ARN": role_arn("nowhere")}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_roles(world: World, name: str, command: list[str], tmp_path: Path) -> None:
    setting, code = REFUSED[name]
    check_no_keys(world, code, *run(command, world, setting, tmp_path))


@pytest.mark.parametrize("name", REFUSED_BY_MINISTACK)
def test_what_ministack_refuses(ministack_world: World, name: str, command: list[str], tmp_path: Path) -> None:
    """It looks closer than moto, which gives keys even for roles that it has not got."""
    found = run(command, ministack_world, REFUSED_BY_MINISTACK[name], tmp_path)
    check_no_keys(ministack_world, "AccessDenied", *found)


def check_no_keys(world: World, code: str, answers: list[Answer], exchanges: list[Exchange]) -> None:
    for answer in answers:
        assert answer.status == "LAMBDA_E_CREDENTIALS", answer
        assert answer.execution in ("NONE", "")
        if world.server.name == "moto" and answer.execution == "NONE":
            # Its refusals have an <Errors> around the <Error>, as those of EC2 have, not of STS. boto3 looks there as
            # well; AWS's SDK for Rust, with which the library asks STS, does not, and knows the status alone.
            assert "HTTP 403" in answer.text
        else:
            assert code in answer.text
    assert len(answers) == 2
    # Nothing was sent to Lambda.
    assert {exchange.what for exchange in exchanges} <= {"AssumeRole", WEB_IDENTITY}


@pytest.mark.parametrize("setting", [NO_EXTERNAL_ID, ANOTHER_SUBJECT], ids=["no-external-id", "another-subject"])
def test_what_moto_does_not_refuse(moto_world: World, setting: Setting, command: list[str], tmp_path: Path) -> None:
    """It takes a condition for met by a request that leaves the value out, and does not look at tokens."""
    with letting_through(moto_world.server, "1" if setting is ANOTHER_SUBJECT else "0"):
        answers, _ = run(command, moto_world, setting, tmp_path)
    check_ran(moto_world, answers)
