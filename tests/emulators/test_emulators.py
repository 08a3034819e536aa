"""What only a server that somebody else wrote can tell: who may call, with which keys and which clock, what a name
means, and whether a function ran. Everything goes through the C ABI; boto3 only sets the servers up.

The servers are not AWS. If one differs from the service's model, then the test names the difference and its reason.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from calling import Caller
from conformance_runners import LIBRARY, WARNINGS
from conformance_server import ROOT, environment
from relay import relay
from servers import ACCOUNT, REGION, Emulator, Keys, Server

pytestmark = pytest.mark.timeout(120)

HERE = Path(__file__).resolve().parent
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:describe"
PATIENCE_S = 30.0
POLL_S = 0.02


def check(found: dict[str, Any], **expected: Any) -> None:
    wrong = {name: found[name] for name, value in expected.items() if found[name] != value}
    # All of the answer, for the reason is often in another field than the one that is wrong.
    assert not wrong, f"wrong: {wrong}, expected: {expected}, found: {found}"


def check_ran(found: dict[str, Any], attempts: int = 1) -> Any:
    """Gives what the function returned."""
    check(found, status="LAMBDA_OK", execution="RAN", http_status=200, attempts=attempts, unknown_attempts=0)
    return json.loads(found["payload"])


def check_refused(found: dict[str, Any], http_status: int, error_type: str | None) -> None:
    check(
        found, status="LAMBDA_E_SERVICE", execution="NONE", http_status=http_status, error_type=error_type, attempts=1
    )


@pytest.fixture(params=["ministack", "moto"])
def strict(request: pytest.FixtureRequest) -> Server:
    """A server that looks at keys and signatures."""
    return request.getfixturevalue(request.param)


# What a server answers to keys that are wrong. Lambda's own codes are in the first column.
REFUSALS = {
    # The same as Lambda's.
    "ministack": {
        "InvalidSignatureException": "InvalidSignatureException",
        "UnrecognizedClientException": "UnrecognizedClientException",
        "AccessDeniedException": "AccessDeniedException",
    },
    # It answers as the query services (IAM, STS) do, whose codes are older, and in XML.
    "moto": {
        "InvalidSignatureException": "SignatureDoesNotMatch",
        "UnrecognizedClientException": "InvalidClientTokenId",
        "AccessDeniedException": "AccessDenied",
    },
}


def test_the_right_secret(strict: Server, caller: Caller) -> None:
    check_ran(caller.call(strict, "describe", payload="{}"))


def test_a_wrong_secret(strict: Server, caller: Caller) -> None:
    wrong = replace(strict.keys, secret_access_key="wrong")
    found = caller.call(strict, "describe", wrong, payload="{}")
    check_refused(found, 403, REFUSALS[strict.name]["InvalidSignatureException"])


def test_an_unknown_key(strict: Server, caller: Caller) -> None:
    wrong = replace(strict.keys, access_key_id="AKIAUNKNOWNUNKNOWN00")
    found = caller.call(strict, "describe", wrong, payload="{}")
    check_refused(found, 403, REFUSALS[strict.name]["UnrecognizedClientException"])


def test_a_user_who_may_not_invoke(strict: Server, caller: Caller) -> None:
    found = caller.call(strict, "describe", strict.stranger, payload="{}")
    check_refused(found, 403, REFUSALS[strict.name]["AccessDeniedException"])


def test_the_right_session_token(strict: Server, caller: Caller) -> None:
    check_ran(caller.call(strict, "describe", strict.session, payload="{}"))


@pytest.mark.parametrize("token", [None, "FwoGZXIvYXdzEwrong"], ids=["none", "another"])
def test_a_session_without_its_token(strict: Server, caller: Caller, token: str | None) -> None:
    found = caller.call(strict, "describe", replace(strict.session, session_token=token), payload="{}")
    check_refused(found, 403, REFUSALS[strict.name]["UnrecognizedClientException"])


def test_a_session_with_a_wrong_secret(strict: Server, caller: Caller) -> None:
    found = caller.call(strict, "describe", replace(strict.session, secret_access_key="wrong"), payload="{}")
    check_refused(found, 403, REFUSALS[strict.name]["InvalidSignatureException"])


def test_every_header_that_is_signed(strict: Server, caller: Caller) -> None:
    """Two signers that are not ours work out the signature of all that a request can hold."""
    found = caller.call(
        strict,
        "describe:live",
        strict.session,
        qualifier="live",
        payload='{"name": "Grüße"}',
        client_context_json='{"custom": {"k": "ü"}}',
        log_type="Tail",
        tenant_id='a  tenant, with ~ "all"',
        durable_execution_name="order 7/8",
        trace_header="Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    )
    check_ran(found)


def test_every_key_will_do_for_rie(rie: Server, caller: Caller) -> None:
    """It reads no credentials at all."""
    check_ran(caller.call(rie, "describe", Keys("any", "thing", "at-all"), payload="{}"))


@pytest.mark.parametrize(
    "payload",
    ['{ "b":1,\n\t"a" : 2 }\n', '"Grüße, 世界 🚀 \u0000 e\u0301"', "no JSON", " ", "x" * 5_000_000],
    ids=["spaces", "unicode", "no-json", "a-space", "large"],
)
def test_payloads_byte_for_byte(moto: Server, caller: Caller, payload: str) -> None:
    """Only moto gives back what it got: it runs nothing."""
    found = caller.call(moto, "describe", payload=payload)
    check(found, status="LAMBDA_OK", payload=payload)


def compile_c(source: str, program: Path, *options: str) -> None:
    compiler = shlex.split(os.environ.get("CC", "cc"))
    # The libraries among the options come after what needs them.
    command = [*compiler, "-std=c11", "-O1", *WARNINGS, str(HERE / source), "-o", str(program), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(params=["-3600", "3600"], ids=["an-hour-slow", "an-hour-fast"])
def skewed(request: pytest.FixtureRequest, runner_command: list[str], tmp_path: Path) -> Iterator[Caller]:
    """A caller whose clock is wrong: only it takes the time from the shim, the server has the right one."""
    shim = tmp_path / "shift_clock.so"
    compile_c("shift_clock.c", shim, "-fPIC", "-shared")
    with Caller(["env", f"LD_PRELOAD={shim}", f"CLOCK_SHIFT_S={request.param}", *runner_command]) as shifted:
        yield shifted


def test_a_wrong_clock_is_noticed_by_the_server(ministack: Server, skewed: Caller) -> None:
    found = skewed.call(ministack, "describe", payload="{}", config_max_attempts="1")
    check_refused(found, 403, "InvalidSignatureException")
    assert re.search(": Signature (expired|not yet current): ", found["error_message"])


def test_a_wrong_clock_is_set_right_by_the_servers(ministack: Server, skewed: Caller) -> None:
    """The refusal has a Date header, and the second attempt is signed with the server's time."""
    assert check_ran(skewed.call(ministack, "describe", payload='"right"'), attempts=2)["event"] == "right"


def test_a_wrong_clock_and_a_wrong_secret(ministack: Server, skewed: Caller) -> None:
    """Setting the clock right helps once, and does not hide the other error."""
    wrong = replace(ministack.keys, secret_access_key="wrong")
    found = skewed.call(ministack, "describe", wrong, payload="{}")
    check(found, status="LAMBDA_E_SERVICE", execution="NONE", error_type="InvalidSignatureException", attempts=2)
    assert "signature we calculated does not match" in found["error_message"]


def test_moto_takes_every_clock(moto: Server, skewed: Caller) -> None:
    """It works the signature out for the time that the request names, and does not compare that with its own."""
    check_ran(skewed.call(moto, "describe", payload="{}"))


@pytest.mark.parametrize(
    ("name", "qualifier", "version", "suffix"),
    [
        ("describe", None, "$LATEST", ""),
        ("describe", "$LATEST", "$LATEST", ":$LATEST"),
        ("describe", "1", "1", ":1"),
        ("describe", "live", "2", ":live"),
        ("describe:$LATEST", None, "$LATEST", ":$LATEST"),
        ("describe:1", None, "1", ":1"),
        ("describe:live", None, "2", ":live"),
        ("describe:live", "live", "2", ":live"),
        (ARN, None, "$LATEST", ""),
        (ARN, "1", "1", ":1"),
        (f"{ARN}:$LATEST", None, "$LATEST", ":$LATEST"),
        (f"{ARN}:1", None, "1", ":1"),
        (f"{ARN}:live", None, "2", ":live"),
    ],
)
def test_names(ministack: Server, caller: Caller, name: str, qualifier: str | None, version: str, suffix: str) -> None:
    settings = {} if qualifier is None else {"qualifier": qualifier}
    found = caller.call(ministack, name, payload="1", **settings)
    seen = check_ran(found)
    assert found["executed_version"] == version
    assert (seen["version"], seen["arn"]) == (version, ARN + suffix)


@pytest.mark.parametrize(
    "name", [f"{ACCOUNT}:function:describe", "function:describe", f"{ACCOUNT}:function:describe:live"]
)
def test_partial_arns_are_unknown_to_ministack(ministack: Server, caller: Caller, name: str) -> None:
    """Lambda knows them; it takes all before the first colon for the name."""
    found = caller.call(ministack, name, payload="1")
    check_refused(found, 404, "ResourceNotFoundException")
    assert found["error_message"].endswith(f":function:{name.split(':')[0]}")


@pytest.mark.parametrize(
    "name", [f"{ACCOUNT}:function:describe", "function:describe:live", f"{ARN}:$LATEST", "describe:live", "nowhere"]
)
def test_moto_takes_every_name(moto: Server, caller: Caller, name: str) -> None:
    """It looks nothing up when it runs nothing; but the path that it works the signature out for has the name in it."""
    assert check_ran(caller.call(moto, name, payload="1")) == 1


@pytest.mark.parametrize("name", ["another", ARN, f"{ACCOUNT}:function:describe", "function:live"])
def test_rie_has_one_name(rie: Server, caller: Caller, name: str) -> None:
    """Its one function is called "function", without a qualifier; what its HTTP server does not know is plain 404."""
    found = caller.call(rie, name, payload="1")
    check_refused(found, 404, None)
    check(found, error_message=f"{name}: 404 page not found", content_type="text/plain; charset=utf-8")


@pytest.mark.parametrize("qualifier", ["nobody", "99"])
def test_an_unknown_qualifier(ministack: Server, caller: Caller, qualifier: str) -> None:
    found = caller.call(ministack, "describe", qualifier=qualifier, payload="1")
    check_refused(found, 404, "ResourceNotFoundException")
    assert found["error_message"].endswith(f": Function not found: {ARN}:{qualifier}")


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} was not made within {PATIENCE_S} s"
        time.sleep(POLL_S)


def marking(ran: Path, until: Path | None = None) -> str:
    """The event of the function `marking`."""
    return json.dumps({"ran": str(ran), **({} if until is None else {"until": str(until)})})


def test_an_event_is_queued_and_runs(ministack: Server, caller: Caller, tmp_path: Path) -> None:
    ran, until = tmp_path / "ran", tmp_path / "until"
    found = caller.call(ministack, "marking", invocation_type="Event", payload=marking(ran, until))
    # The function cannot have ended: what it waits for is not there.
    check(found, status="LAMBDA_OK", execution="QUEUED", http_status=202, payload="", attempts=1)
    wait_for(ran)
    until.touch()
    check_room(ministack, caller, tmp_path)


def check_room(server: Server, caller: Caller, folder: Path) -> None:
    """Waits until the function, of which only one may run, has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = caller.call(server, "marking", retry="none", payload=marking(folder / "room"))
        if found["status"] != "LAMBDA_E_THROTTLED" or time.monotonic() > deadline:
            break
    assert check_ran(found) == "marked"


def test_a_dry_run_does_not_run(ministack: Server, caller: Caller, tmp_path: Path) -> None:
    dry, wet = tmp_path / "dry", tmp_path / "wet"
    found = caller.call(ministack, "marking", invocation_type="DryRun", payload=marking(dry))
    check(found, status="LAMBDA_OK", execution="NONE", http_status=204, payload="", attempts=1)
    # Only one may run at a time: what was begun before this one would have ended.
    assert check_ran(caller.call(ministack, "marking", payload=marking(wet))) == "marked"
    assert wet.exists()
    assert not dry.exists()


def test_a_dry_run_by_one_who_may_not_invoke(ministack: Server, caller: Caller, tmp_path: Path) -> None:
    found = caller.call(
        ministack, "marking", ministack.stranger, invocation_type="DryRun", payload=marking(tmp_path / "dry")
    )
    check_refused(found, 403, "AccessDeniedException")


@pytest.mark.parametrize(
    ("invocation_type", "http_status", "execution"), [("Event", 202, "QUEUED"), ("DryRun", 204, "NONE")]
)
def test_types_on_moto(moto: Server, caller: Caller, invocation_type: str, http_status: int, execution: str) -> None:
    """It answers with the payload even where there can be none: a 202 with a body, a 204 that claims a length."""
    found = caller.call(moto, "describe", invocation_type=invocation_type, payload="1234567890")
    check(found, status="LAMBDA_OK", execution=execution, http_status=http_status, payload="")


# What the function `printing` answers to the first call and to those after an event and a dry run.
ANSWERS = {
    "ministack": ['"printed"'] * 3,
    # It repeats the payload.
    "moto": [f'{{"text": "{text}"}}' for text in ("first", "after the event", "after the dry run")],
}


def test_calls_of_one_client(strict: Server, tmp_path: Path) -> None:
    """Whatever a server sends with a 202 or a 204, the next call gets its own response."""
    program = tmp_path / "same_client"
    paths = [f"-I{ROOT / 'include'}", f"-L{LIBRARY}", f"-Wl,-rpath,{LIBRARY}"]
    compile_c("same_client.c", program, *paths, "-llambda_invoke")
    settings = {
        "AWS_ENDPOINT_URL_LAMBDA": strict.endpoint_url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": strict.session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": strict.session.secret_access_key,
        "AWS_SESSION_TOKEN": strict.session.session_token,
    }
    done = subprocess.run(
        [str(program), "printing"], env={**environment(), **settings}, capture_output=True, text=True, timeout=60
    )
    first, after_event, after_dry_run = ANSWERS[strict.name]
    assert done.stdout.splitlines() == [
        f"LAMBDA_OK RAN 200 {first}",
        "LAMBDA_OK QUEUED 202 ",
        f"LAMBDA_OK RAN 200 {after_event}",
        "LAMBDA_OK NONE 204 ",
        f"LAMBDA_OK RAN 200 {after_dry_run}",
    ]
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("invocation_type", ["Event", "DryRun"])
def test_rie_runs_whatever_the_type(rie: Server, caller: Caller, tmp_path: Path, invocation_type: str) -> None:
    """It ignores the header; the result tells what happened, not what was asked for."""
    ran = tmp_path / "ran"
    found = caller.call(rie, "marking", invocation_type=invocation_type, payload=marking(ran))
    assert check_ran(found) == "marked"
    assert ran.exists()


def test_the_log(ministack: Server, caller: Caller) -> None:
    found = caller.call(ministack, "printing", log_type="Tail", payload='{"text": "Grüße\\nand more"}')
    assert check_ran(found) == "printed"
    # Lambda's own lines, START and END and REPORT, it keeps out; the last line break too.
    assert found["log"] == "Grüße\nand more"


def test_the_end_of_a_long_log(ministack: Server, caller: Caller) -> None:
    found = caller.call(ministack, "printing", log_type="Tail", payload=json.dumps({"text": "0123456789" * 1000 + "."}))
    assert check_ran(found) == "printed"
    assert found["log"] == ("0123456789" * 1000 + ".")[-4096:]


@pytest.mark.parametrize("log_type", [None, "None"])
def test_no_log_unless_asked_for(ministack: Server, caller: Caller, log_type: str | None) -> None:
    settings = {} if log_type is None else {"log_type": log_type}
    check(caller.call(ministack, "printing", payload='{"text": "quiet"}', **settings), status="LAMBDA_OK", log=None)


@pytest.mark.parametrize("name", ["moto", "rie"])
def test_servers_without_a_log(request: pytest.FixtureRequest, caller: Caller, name: str) -> None:
    """moto runs nothing that could write one, and RIE has it on its own standard output only."""
    server = request.getfixturevalue(name)
    found = caller.call(server, "printing", log_type="Tail", payload='{"text": "lost"}')
    check_ran(found)
    assert found["log"] is None


class Blocked:
    """The one place of the function `marking`, taken by a call of another process; `found` is what became of it."""

    def __init__(self, server: Server, command: list[str], folder: Path) -> None:
        self._server = server
        self._ran, self._until = folder / "first", folder / "until"
        self._caller = Caller(command)
        self._thread = threading.Thread(target=self._call)
        self.found: dict[str, Any] = {}

    def _call(self) -> None:
        self.found = self._caller.call(self._server, "marking", payload=marking(self._ran, self._until))

    def __enter__(self) -> Blocked:
        self._thread.start()
        wait_for(self._ran)
        return self

    def release(self) -> None:
        self._until.touch()

    def __exit__(self, *_: object) -> None:
        self.release()
        self._thread.join(PATIENCE_S)
        self._caller.end()

    def check_ran(self) -> None:
        assert check_ran(self.found) == "marked"


def test_throttled_while_the_only_one_runs(
    ministack: Server, caller: Caller, runner_command: list[str], tmp_path: Path
) -> None:
    with Blocked(ministack, runner_command, tmp_path) as first:
        found = caller.call(ministack, "marking", retry="none", payload=marking(tmp_path / "second"))
    check(
        found,
        status="LAMBDA_E_THROTTLED",
        execution="NONE",
        http_status=429,
        attempts=1,
        error_type="TooManyRequestsException",
        throttle_reason="ReservedFunctionConcurrentInvocationLimitExceeded",
        retry_after_ms=1000,
    )
    assert not (tmp_path / "second").exists()
    first.check_ran()


def test_throttled_until_there_is_room(
    ministack: Server, caller: Caller, runner_command: list[str], tmp_path: Path
) -> None:
    """The first attempt is refused, which lets the other call end; the second, a second later, finds the room."""
    with Blocked(ministack, runner_command, tmp_path) as first, relay(ministack.endpoint_url, 429) as between:
        releasing = threading.Thread(target=lambda: between.seen.wait(PATIENCE_S) and first.release())
        releasing.start()
        through = replace(ministack, endpoint_url=between.url)
        found = caller.call(through, "marking", payload=marking(tmp_path / "second"))
        releasing.join()
    check(found, status="LAMBDA_OK", execution="RAN", attempts=2, unknown_attempts=0)
    assert (tmp_path / "second").exists()
    first.check_ran()


ALL_THAT_A_HANDLER_SEES = {
    "client_context_json": '{"custom": {"k": "Grüße"}}',
    "tenant_id": "a  tenant",
    "durable_execution_name": "order-7",
    "trace_header": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
}


def test_the_client_context_and_the_tenant(rie: Server, caller: Caller) -> None:
    """RIE hands them on to AWS's own runtime; the durable execution's name and the trace it drops."""
    seen = check_ran(caller.call(rie, "describe", payload="1", **ALL_THAT_A_HANDLER_SEES))
    assert seen["client_context"] == {"custom": {"k": "Grüße"}}
    assert seen["tenant_id"] == "a  tenant"
    assert (seen["durable_execution_name"], seen["trace_header"]) == (None, None)


def test_ministack_drops_what_only_handlers_see(ministack: Server, caller: Caller) -> None:
    """It has nothing to hand them on with, but the call must not fail for it."""
    seen = check_ran(caller.call(ministack, "describe", payload="1", **ALL_THAT_A_HANDLER_SEES))
    assert (seen["client_context"], seen["tenant_id"]) == (None, None)
    assert (seen["durable_execution_name"], seen["trace_header"]) == (None, None)


def test_moto_never_throttles(moto: Server, caller: Caller) -> None:
    """It keeps the reserved concurrency of 0, and counts nothing against it."""
    check_ran(caller.call(moto, "full", payload="{}"))


def test_a_function_that_fails_on_rie(rie: Server, caller: Caller) -> None:
    """It sends no X-Amz-Function-Error; only the payload tells, which is not for the library to guess."""
    found = caller.call(rie, "failing", payload='{"how": "raise", "message": "none left"}')
    payload = check_ran(found)
    assert (payload["errorType"], payload["errorMessage"]) == ("OutOfStock", "none left")
    assert found["function_error"] is None


def test_rie_cuts_long_payloads(rie: Server, caller: Caller) -> None:
    """Lambda refuses them with 413; it runs the function with the first 6,291,556 bytes, which are no JSON any more."""
    found = caller.call(rie, "describe", payload=json.dumps("x" * 6_500_000))
    assert check_ran(found)["errorType"] == "Runtime.UnmarshalError"


def test_ministack_takes_payloads_of_any_size(ministack: Server, caller: Caller) -> None:
    """Lambda refuses them with 413."""
    assert (
        check_ran(caller.call(ministack, "describe", payload=json.dumps("x" * 6_500_000)))["event"] == "x" * 6_500_000
    )


def test_a_function_that_takes_too_long_on_rie(rie: Server, caller: Caller) -> None:
    """It answers with a line of text, as if the function had returned it."""
    found = caller.call(rie, "failing", payload='{"how": "sleep"}')
    check(found, status="LAMBDA_OK", execution="RAN", payload="Task timed out after 1.00 seconds", function_error=None)


def test_a_server_that_dies(rie: Emulator, runner_command: list[str], tmp_path: Path) -> None:
    """Its process is ended while the function runs: the library has sent all of the request, and knows no more."""
    with Blocked(rie, runner_command, tmp_path) as call:
        rie.stop("marking")
    check(
        call.found,
        status="LAMBDA_E_IO",
        execution="UNKNOWN",
        http_status=0,
        attempts=1,
        unknown_attempts=1,
    )
