"""Settings beside those of a call: where they come from, credentials on demand, and the log."""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import logging
import pickle
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import lambda_invoke
import pytest
from conftest import Endpoint
from lambda_invoke import (
    Client,
    ConfigError,
    Credentials,
    CredentialsError,
    Execution,
    FunctionError,
    InvalidArgumentError,
)

Make = Callable[..., Client]


@pytest.fixture
def make(endpoint: Endpoint) -> Iterator[Make]:
    """A client of the local endpoint without its credentials."""
    place = {name: endpoint.settings[name] for name in ("endpoint_url", "region")}
    clients = []

    def make(**settings: Any) -> Client:
        clients.append(Client(**{**place, **settings}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def own(endpoint: Endpoint, **settings: Any) -> Credentials:
    return Credentials(endpoint.settings["access_key_id"], endpoint.settings["secret_access_key"], **settings)


def test_each_setting_says_where_it_came_from(make: Make) -> None:
    client = make(
        use_fips=False,
        use_dual_stack=False,
        proxy="",
        app_id="orders",
        access_key_id="AKIDEXAMPLE",
        secret_access_key="hunter2hunter2",
    )
    settings = client.describe()
    for name, value in {
        "use_fips": False,
        "use_dual_stack": False,
        "proxy": None,
        "app_id": "orders",
        "credentials": "access key AKIDEXAMPLE",
    }.items():
        assert settings[name] == {"value": value, "source": "setter"}
    assert "hunter2" not in json.dumps(settings)
    client.close()
    with pytest.raises(InvalidArgumentError, match="closed"):
        client.describe()


@pytest.mark.parametrize(
    ("setting", "given", "value"),
    [
        ("region", "eu-west-3", "eu-west-3"),
        ("use_fips", True, True),
        ("use_dual_stack", True, True),
        ("proxy", "http://user:hunter2@proxy:3128", None),
        ("app_id", "orders", "orders"),
    ],
)
def test_a_setting_goes_before_the_environment(
    setting: str, given: object, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "other")
    monkeypatch.setenv("HTTPS_PROXY", "http://other")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "false")
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "false")
    arguments: dict[str, Any] = {setting: given}
    with Client(**arguments) as client:
        described = client.describe()[setting]
    assert described["source"] == "setter"
    assert described["value"] == value or (setting == "proxy" and "hunter2" not in described["value"])


def test_a_profile_and_a_ca_bundle_come_from_files(
    make: Make, endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = own(endpoint)
    file = tmp_path / "credentials"
    file.write_text(
        f"[prod]\naws_access_key_id = {keys.access_key_id}\naws_secret_access_key = {keys.secret_access_key}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    client = make(profile="prod")
    assert client.describe()["profile"] == {"value": "prod", "source": "setter"}
    assert str(file) in client.describe()["credentials"]["source"]
    assert client.invoke("echo", {"x": 1}).json() == {"x": 1}
    with pytest.raises(ConfigError, match="nobody"):
        make(profile="nobody")
    with pytest.raises(ConfigError, match="missing.pem"):
        make(ca_bundle=tmp_path / "missing.pem")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"proxy": "ftp://proxy"}, "proxy: "),
        ({"app_id": "two words"}, "app_id: "),
        ({"profile": ""}, "profile: "),
        ({"ca_bundle": ""}, "ca_bundle: "),
        ({"proxy": "http://a\0b"}, "proxy: "),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(make: Make, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        make(**settings)


def test_credentials_are_asked_for_once_by_many_threads(make: Make, endpoint: Endpoint) -> None:
    asked = []

    def provide() -> Credentials:
        asked.append(threading.get_ident())
        return own(endpoint, expires=datetime.now(timezone.utc) + timedelta(hours=1))

    client = make(credentials=provide)
    start = threading.Barrier(8)
    answers = []

    def call() -> None:
        start.wait()
        answers.append(client.invoke("echo", 1).json())

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [1] * 8
    assert len(asked) == 1
    assert asked[0] in {thread.ident for thread in threads}


def test_credentials_that_have_expired_are_asked_for_again(make: Make, endpoint: Endpoint) -> None:
    asked = []
    client = make(credentials=lambda: asked.append(1) or own(endpoint, expires=time.time() - 1))  # type: ignore[func-returns-value]
    for _ in range(3):
        client.invoke("echo", 1)
    assert len(asked) == 3


def test_what_the_callable_raises_is_the_cause(make: Make) -> None:
    refusal = RuntimeError("log in first")

    def provide() -> Credentials:
        raise refusal

    with pytest.raises(CredentialsError, match="RuntimeError: log in first") as raised:
        make(credentials=provide).invoke("echo")
    assert raised.value.__cause__ is refusal
    assert (raised.value.result.execution, raised.value.result.attempts) == (Execution.NONE, 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "TypeError: the credentials callable must return Credentials, not NoneType"),
        (("A", "hunter2"), "must return Credentials, not tuple"),
        (Credentials(None, "hunter2"), "access_key_id must be a str, not NoneType"),  # type: ignore[arg-type]
        (Credentials("A", None), "secret_access_key must be a str, not NoneType"),  # type: ignore[arg-type]
        (Credentials("A", b"hunter2"), "secret_access_key must be a str, not bytes"),  # type: ignore[arg-type]
        (Credentials("A", "s", 5), "session_token must be a str, not int"),  # type: ignore[arg-type]
        (Credentials("A", ""), "secret_access_key"),
        (Credentials("A", "hunter 2"), "secret_access_key"),
        (Credentials("A", "hunter2\0"), "NUL"),
        (Credentials("A", "hunter2\udc80"), "secret_access_key"),
        (Credentials("A", "s", expires=datetime(2026, 1, 1)), "aware"),
        (Credentials("A", "s", expires="2026-01-01"), "expires must be an aware datetime"),  # type: ignore[arg-type]
        (Credentials("A", "s", expires=True), "expires must be an aware datetime"),
        (Credentials("A", "s", expires=float("nan")), "expires: must be a finite number"),
        (Credentials("A", "s", expires=float("inf")), "expires: must be a finite number"),
    ],
)
def test_what_is_no_credentials_says_so(make: Make, given: Any, words: str) -> None:
    with pytest.raises(CredentialsError, match=words) as raised:
        make(credentials=lambda: given).invoke("echo")
    assert "hunter" not in str(raised.value)
    assert "hunter" not in repr(raised.value.__cause__)


def test_an_expiry_beyond_all_years_is_not_cut(make: Make, endpoint: Endpoint) -> None:
    asked = []

    def provide() -> Credentials:
        asked.append(1)
        # ctypes would take the lower half of it: 5 seconds after 1970.
        return own(endpoint, expires=2**64 + 5)

    client = make(credentials=provide)
    for _ in range(2):
        client.invoke("echo", 1)
    assert len(asked) == 1


def test_a_cause_that_cannot_be_shown_is_still_the_cause(make: Make) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise KeyError

    refusal = Broken()

    def provide() -> Credentials:
        raise refusal

    with pytest.raises(CredentialsError, match="Broken") as raised:
        make(credentials=provide).invoke("echo")
    assert raised.value.__cause__ is refusal


def _map(client: Client) -> object:
    return next(client.map("echo", [1], raise_on_error=True))


async def _await(client: Client) -> object:
    return await client.invoke_async("echo", 1)


@pytest.mark.parametrize(
    "call",
    [lambda client: client.invoke("echo", 1), _map, lambda client: asyncio.run(_await(client))],
    ids=["invoke", "map", "invoke_async"],
)
def test_a_callable_that_calls_with_its_own_client_is_told_so(
    make: Make, endpoint: Endpoint, call: Callable[[Client], object]
) -> None:
    inner: list[BaseException] = []

    def provide() -> Credentials:
        with pytest.raises(CredentialsError, match="its own client") as caught:
            call(client)
        inner.append(caught.value)
        return own(endpoint)

    client = make(credentials=provide)
    assert client.invoke("echo", 2).json() == 2
    assert len(inner) == 1


def test_callables_may_start_processes(make: Make, endpoint: Endpoint) -> None:
    """A fork waits for the library's locks, which may not be held meanwhile."""

    def provide() -> Credentials:
        subprocess.run([sys.executable, "-c", ""], check=True, preexec_fn=lambda: None)
        return own(endpoint)

    begin = time.monotonic()
    assert make(credentials=provide).invoke("echo", 1, timeout=30).json() == 1
    assert time.monotonic() - begin < 10


def test_stop_and_handlers_of_signals_may_call(make: Make, endpoint: Endpoint) -> None:
    client = make(credentials=lambda: own(endpoint))
    answers: list[object] = []

    def stop() -> bool:
        answers.append(client.invoke("echo", len(answers)).json())
        if len(answers) == 2:
            signal.raise_signal(signal.SIGALRM)
        return len(answers) > 2

    before = signal.signal(signal.SIGALRM, lambda *_: answers.append(client.invoke("echo", b'"signal"').json()))
    try:
        with pytest.raises(lambda_invoke.CancelledError):
            client.invoke("hanging", stop=stop, timeout=30)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert answers == [0, 1, "signal"]


@pytest.mark.parametrize("with_its_own_client", [True, False])
def test_a_handler_of_the_logger_cannot_call(make: Make, endpoint: Endpoint, with_its_own_client: bool) -> None:
    refused: list[str] = []
    clients: list[Client] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not clients:
                # Told while the client is made.
                return
            with pytest.raises(InvalidArgumentError) as caught:
                clients[0].invoke("echo", 1)
            refused.append(str(caught.value))

    logger = logging.Logger("calling", 5)
    logger.addHandler(Handler())
    other = make(credentials=lambda: own(endpoint))
    client = make(credentials=lambda: own(endpoint), logger=logger)
    clients.append(client if with_its_own_client else other)
    assert client.invoke("echo", 1).json() == 1
    assert {message.split(",")[0] for message in refused} == {"echo: a client's logger cannot invoke functions"}
    # And then it can again.
    assert other.invoke("echo", 2).json() == 2


def test_ctrl_c_in_the_callable_is_not_lost(make: Make) -> None:
    def provide() -> Credentials:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the signal came first")

    with pytest.raises(KeyboardInterrupt):
        make(credentials=provide).invoke("echo")


def test_what_ends_a_thread_comes_out_of_its_call(make: Make) -> None:
    def provide() -> Credentials:
        raise SystemExit(3)

    client, raised = make(credentials=provide), []

    def call() -> None:
        with pytest.raises(SystemExit) as caught:
            client.invoke("echo")
        raised.append(caught.value.code)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert raised == [3]


def test_what_was_raised_once_is_not_raised_again(make: Make, endpoint: Endpoint) -> None:
    """Also when something else ended that call."""
    asked = []

    def provide() -> Credentials:
        asked.append(1)
        if len(asked) == 1:
            raise RuntimeError
        return own(endpoint)

    def stop() -> bool:
        if asked:
            raise KeyError
        return False

    client = make(credentials=provide)
    with pytest.raises((KeyError, CredentialsError)):
        client.invoke("echo", 1, stop=stop)
    assert client.invoke("echo", 1).json() == 1


def test_what_was_left_behind_is_not_raised_by_the_next_call(make: Make, endpoint: Endpoint) -> None:
    """By a call that Ctrl-C cut off while it ended, or by a thread of the parent whose number a child's thread has."""
    client = make(credentials=lambda: own(endpoint))
    assert client._pointer is not None
    client._pointer.callbacks._raised[threading.get_ident()] = KeyboardInterrupt()
    assert client.invoke("echo", 1).json() == 1


def test_credentials_that_cannot_be_renewed_are_no_cause_of_other_failures(make: Make, endpoint: Endpoint) -> None:
    asked = []
    expires = int(time.time()) + 3

    def provide() -> Credentials:
        asked.append(1)
        if len(asked) > 1:
            raise RuntimeError
        return own(endpoint, expires=expires)

    client = make(credentials=provide)
    client.invoke("echo", 1)
    # Still good, and to be renewed.
    time.sleep(expires - 0.4 - time.time())
    with pytest.raises(FunctionError) as raised:
        client.invoke("failing", {"message": "a reason"})
    assert len(asked) == 2
    assert raised.value.__cause__ is None


def test_ctrl_c_in_the_logger_ends_a_call_that_waits(make: Make, endpoint: Endpoint) -> None:
    logger = logging.Logger("interrupted", 5)
    client = make(logger=logger, credentials=lambda: own(endpoint))
    logger.addFilter(lambda record: signal.raise_signal(signal.SIGINT) or False)  # type: ignore[func-returns-value]
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        client.invoke("hanging", timeout=10)
    assert time.monotonic() - begin < 1
    # The first event is that of the settings.
    with pytest.raises(KeyboardInterrupt):
        make(logger=logger)


def test_ctrl_c_in_the_logger_is_not_lost(make: Make, endpoint: Endpoint) -> None:
    logger = logging.Logger("interrupted", 5)
    client = make(logger=logger, credentials=lambda: own(endpoint))
    logger.addFilter(lambda record: signal.raise_signal(signal.SIGINT) or False)  # type: ignore[func-returns-value]
    for call in (lambda: client.invoke("echo", 1), lambda: make(logger=logger)):
        with pytest.raises(KeyboardInterrupt):
            call()


def test_a_logger_that_fails_loses_its_events_only(make: Make, endpoint: Endpoint) -> None:
    logger = logging.Logger("broken", 5)
    logger.addFilter(lambda record: 1 / 0)  # type: ignore[arg-type, return-value]
    assert make(logger=logger, credentials=lambda: own(endpoint)).invoke("echo", 1).json() == 1


def test_a_secret_is_not_printed() -> None:
    assert repr(Credentials("AKID", "hunter2", "hunter2", 5)) == "Credentials(access_key_id='AKID', expires=5)"


def test_credentials_are_a_value() -> None:
    keys = Credentials("AKID", "secret", expires=5)
    assert pickle.loads(pickle.dumps(keys)) == keys == copy.copy(keys)
    assert len({keys, Credentials("AKID", "secret", None, 5), Credentials("AKID", "other")}) == 2
    for change in (lambda: setattr(keys, "expires", 6), lambda: delattr(keys, "expires")):
        with pytest.raises(AttributeError, match="read-only"):
            change()


def test_what_happens_is_logged(make: Make, endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("lambda_invoke.tests")
    with caplog.at_level(5, logger.name):
        make(logger=logger, credentials=lambda: own(endpoint)).invoke("echo", 1)
    levels = {record.levelno for record in caplog.records}
    assert levels == {5, logging.DEBUG, logging.INFO}
    assert {"lambda_invoke::call", "lambda_invoke::credentials"} <= {record.target for record in caplog.records}  # type: ignore[attr-defined]
    assert own(endpoint).secret_access_key not in caplog.text


def test_what_a_logger_does_not_want_is_not_passed_on(make: Make, endpoint: Endpoint) -> None:
    lines: list[str] = []
    logger = logging.Logger("quiet", logging.WARNING)
    logger.addFilter(lambda record: bool(lines.append(record.getMessage())) or False)
    client = make(logger=logger, credentials=lambda: own(endpoint))
    client.invoke("echo", 1)
    assert lines == []
    assert client.describe()["log"]["value"] == "warn"


def test_a_closed_client_lets_go_of_its_callbacks(make: Make) -> None:
    class Provider:
        def __call__(self) -> Credentials:
            raise AssertionError

    provider = Provider()
    gone = weakref.ref(provider)
    client = make(credentials=provider, logger=logging.getLogger("lambda_invoke.tests"))
    client.close()
    del provider
    assert gone() is None


def test_a_client_that_is_forgotten_lets_go_of_its_callbacks(endpoint: Endpoint) -> None:
    class Provider:
        def __call__(self) -> Credentials:
            return own(endpoint)

    def call() -> weakref.ref[Provider]:
        provider = Provider()
        place = {name: endpoint.settings[name] for name in ("endpoint_url", "region")}
        client = Client(**place, credentials=provider, logger=logging.getLogger("lambda_invoke.tests"))
        threads = [threading.Thread(target=client.invoke, args=("echo", 1)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.invoke("echo", 1)
        return weakref.ref(provider)

    gc.disable()
    try:
        assert call()() is None
    finally:
        gc.enable()


def test_the_credentials_are_part_of_the_package() -> None:
    assert lambda_invoke.Credentials is Credentials
