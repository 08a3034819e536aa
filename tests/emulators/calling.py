"""Calls a server through the C ABI."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any

from conformance_runners import Runner
from servers import Keys, Server


class Caller:
    """The conformance suite's runner for C, again and again: one that a call has broken must not fail all others."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._runner: Runner | None = None

    def __enter__(self) -> Caller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        if self._runner is not None:
            self._runner.kill()

    def invoke(self, settings: Iterable[tuple[str, bytes]], operation: str = "invoke") -> dict[str, Any]:
        if self._runner is None or not self._runner.alive:
            self._runner = Runner("c", self._command)
        return self._runner.call(settings, operation)

    def call(
        self, server: Server, function_name: str, keys: Keys | None = None, **settings: str | bytes
    ) -> dict[str, Any]:
        """Settings by the protocol's names, `config_` for `config.`; the answer's texts as str."""
        called, name = server.called(function_name)
        keys = keys or called.keys
        complete = {
            "config.endpoint_url": called.endpoint_url,
            "config.region": called.value("region"),
            "config.access_key_id": keys.access_key_id,
            "config.secret_access_key": keys.secret_access_key,
            "config.session_token": keys.session_token,
            "function_name": name,
            **{setting.replace("config_", "config."): value for setting, value in settings.items()},
        }
        found = self.invoke((name, as_bytes(value)) for name, value in complete.items() if value is not None)
        return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def as_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
