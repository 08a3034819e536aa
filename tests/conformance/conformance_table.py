"""Reads cases.json: what is set, what must come of it, and for whom a case is meant. README.md explains the forms."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).resolve().parent
LANGUAGES = ("c", "cpp", "python", "go")
# The lines of the protocol that make a call. The response of a stream is read as it is made.
OPERATIONS = ("invoke", "stream")

NUMBERS = ("http_status", "attempts", "unknown_attempts", "retry_after_ms")
WORDS = ("status", "execution")
TEXTS = (
    "function_error",
    "error_type",
    "error_message",
    "throttle_reason",
    "request_id",
    "executed_version",
    "durable_execution_arn",
    "content_type",
)
BYTES = ("payload", "log", *TEXTS)
# What a runner answers, in this order.
ANSWERED = (*WORDS, *NUMBERS, *BYTES)
# How many requests of the call reached the endpoint: not a field of the result, but what its counts are held against.
REQUESTS = "requests"
FIELDS = (*ANSWERED, REQUESTS)

SHOWN = 300


class TableError(Exception):
    """Something in the table, or in a server's description, that has no meaning."""


@dataclass(frozen=True)
class Case:
    name: str
    settings: Mapping[str, Any]
    expectations: Mapping[str, Any]
    operation: str
    needs: frozenset[str]
    # Why a language cannot express it.
    not_in: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    cases: Mapping[str, Case]
    # Statuses that no case can lead to, and why.
    not_covered: Mapping[str, str]


def read_table(path: Path = HERE / "cases.json") -> Table:
    document = read_document(path, {"about", "not_covered", "set", "expect", "cases"})
    bases = Bases(document["expect"])
    for name in document["expect"]:
        bases.complete(name)
    cases: dict[str, Case] = {}
    for entry in document["cases"]:
        case = read_case(entry, document["set"], bases)
        if case.name in cases:
            raise TableError(f"two cases have the name {case.name}")
        cases[case.name] = case
    return Table(cases, document["not_covered"])


def read_document(path: Path, members: set[str]) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)
    except ValueError as problem:
        raise TableError(f"{path.name}: {problem}") from None
    if unknown := set(document) - members:
        raise TableError(f"{path.name}: unknown members {sorted(unknown)}")
    return document


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError(f"a member occurs twice among {[name for name, _ in pairs]}")
    return result


class Bases:
    """Expectations with a name, which others begin from."""

    def __init__(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        self._entries = entries

    def complete(self, name: str) -> dict[str, Any]:
        if name not in self._entries:
            raise TableError(f'"like": there is no {name!r}; there are {sorted(self._entries)}')
        return self.extend(self._entries[name], name)

    def extend(self, entry: Mapping[str, Any], where: str) -> dict[str, Any]:
        own = {field: value for field, value in entry.items() if field != "like"}
        result = {**(self.complete(entry["like"]) if "like" in entry else {}), **own}
        if unknown := set(result) - set(FIELDS):
            raise TableError(f"{where}: no such fields: {sorted(unknown)}")
        if missing := set(FIELDS) - set(result):
            raise TableError(f"{where}: a case expects something of every field, but says nothing of {sorted(missing)}")
        return result


def read_case(entry: Mapping[str, Any], settings: Mapping[str, Any], bases: Bases) -> Case:
    name = entry.get("name", "a case without a name")
    if unknown := set(entry) - {"name", "about", "operation", "needs", "not_in", "set", "expect"}:
        raise TableError(f"{name}: unknown members {sorted(unknown)}")
    not_in = entry.get("not_in", {})
    if unknown := set(not_in) - set(LANGUAGES):
        raise TableError(f"{name}: no such languages: {sorted(unknown)}")
    operation = entry.get("operation", "invoke")
    if operation not in OPERATIONS:
        raise TableError(f"{name}: {operation!r} is not an operation; there are {OPERATIONS}")
    return Case(
        name=name,
        settings={**settings, **entry["set"]},
        expectations=bases.extend(entry["expect"], name),
        operation=operation,
        needs=frozenset(entry.get("needs", ())),
        not_in=not_in,
    )


@dataclass(frozen=True)
class Places:
    """What a case can only name: it is known once everything is started."""

    # Of the server under test: endpoint_url, region, access_key_id ...; None for what it does not have.
    server: Mapping[str, str | None]
    # Endpoints that do not answer, by what is wrong with them.
    endpoints: Mapping[str, str]
    # Different for each call, so that a function can count the attempts of one.
    call: str


def to_bytes(value: Any, places: Places) -> bytes | None:
    """What a value stands for; None: it is not set."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value).encode()
    if isinstance(value, dict):
        form = FORMS.get(frozenset(value))
        if form is not None:
            return form(value, places)
    raise TableError(f"no such form of a value: {value!r}")


def join(value: dict[str, Any], places: Places) -> bytes:
    return b"".join(to_bytes(part, places) or b"" for part in value["join"])


def from_server(value: dict[str, Any], places: Places) -> bytes | None:
    return to_bytes(places.server[value["server"]], places)


FORMS: dict[frozenset[str], Callable[[dict[str, Any], Places], bytes | None]] = {
    frozenset({"base64"}): lambda value, _: base64.b64decode(value["base64"], validate=True),
    frozenset({"repeat", "times"}): lambda value, _: value["repeat"].encode() * value["times"],
    frozenset({"every_byte"}): lambda value, _: bytes(range(256)) * value["every_byte"],
    frozenset({"join"}): join,
    frozenset({"server"}): from_server,
    frozenset({"endpoint"}): lambda value, places: places.endpoints[value["endpoint"]].encode(),
    frozenset({"script"}): lambda value, places: json.dumps(
        {"call": places.call, "attempts": value["script"]}
    ).encode(),
}


def mismatch(field: str, expected: Any, found: Any, places: Places) -> str | None:
    """What is wrong with `found`, bytes or a number or a word or None; None if nothing is."""
    if expected == "any":
        return None
    wrong = judge(expected, found, places)
    return None if wrong is None else f"{field}: {wrong}\n    found {show(found)}"


def judge(expected: Any, found: Any, places: Places) -> str | None:
    tests = [name for name in TESTS if isinstance(expected, dict) and name in expected]
    if not tests:
        wanted = expected if isinstance(found, (int, str)) else to_bytes(expected, places)
        return None if found == wanted else f"expected {show(wanted)}"
    if unknown := set(expected) - set(tests):
        raise TableError(f"no such tests: {sorted(unknown)}")
    if found is None:
        return f"expected something with {show(expected)}"
    wrong = [text for name in tests if (text := TESTS[name](expected[name], found, places)) is not None]
    return "; ".join(wrong) or None


def parts(wanted: Any, places: Places) -> list[bytes]:
    return [to_bytes(part, places) or b"" for part in (wanted if isinstance(wanted, list) else [wanted])]


def contains(wanted: Any, found: bytes, places: Places) -> str | None:
    missing = [part for part in parts(wanted, places) if part not in found]
    return f"expected also {', '.join(map(show, missing))}" if missing else None


def lacks(unwanted: Any, found: bytes, places: Places) -> str | None:
    present = [part for part in parts(unwanted, places) if part in found]
    return f"must not have {', '.join(map(show, present))}" if present else None


def matches(pattern: str, found: bytes, _: Places) -> str | None:
    return None if re.search(pattern.encode(), found) else f"expected a match of {pattern}"


def is_json(wanted: Any, found: bytes, _: Places) -> str | None:
    try:
        same = json.loads(found) == wanted
    except ValueError:
        return "expected JSON"
    return None if same else f"expected {show(json.dumps(wanted).encode())}, or JSON that says the same"


def between(bounds: list[int], found: int, _: Places) -> str | None:
    least, most = bounds
    return None if least <= found <= most else f"expected {least} to {most}"


TESTS: dict[str, Callable[[Any, Any, Places], str | None]] = {
    "contains": contains,
    "lacks": lacks,
    "matches": matches,
    "json": is_json,
    "between": between,
}


def show(value: Any) -> str:
    text = repr(value)
    length = f", {len(value)} bytes" if isinstance(value, bytes) else ""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters{length})"
