"""Reads the files of differences/: how a server differs from the service's model, which the table of cases follows.

    {
      "about": what it is,
      "lacks": {ABILITY: why},                                    cases that need the ability are not for this server
      "everywhere": [{"reason", "field", "instead_of": [...], "expect"}],
      "cases": [{"reason", "names": [...], "expect": {FIELD: ...}}]
    }

"everywhere" is for what differs in every answer: the field is expected to be "expect" where the table expects one of
"instead_of". What stands under "cases" goes before that. Each has a reason, and says no more than it must: a case that
the table does not have, or that is not run, is refused here, and one fails that expects otherwise what is as the table
says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance_server import REQUEST_LOG, Description, read_description
from conformance_table import FIELDS, REQUESTS, Case, Table, TableError, read_document

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Everywhere:
    field: str
    instead_of: list[Any]
    expect: Any


@dataclass(frozen=True)
class Differences:
    description: Description
    everywhere: list[Everywhere]

    @property
    def name(self) -> str:
        return self.description.name

    def why_not(self, case: Case) -> str | None:
        return self.description.why_not(case)

    def overridden(self, case: Case) -> Mapping[str, Any]:
        """The fields that are expected to be otherwise in this case."""
        return self.description.overrides.get(case.name, {}).get("expect", {})

    def expectations(self, case: Case) -> dict[str, Any]:
        expected = dict(case.expectations)
        for rule in self.everywhere:
            if expected[rule.field] in rule.instead_of:
                expected[rule.field] = rule.expect
        return {**expected, **self.overridden(case)}


def read_differences(name: str, table: Table) -> Differences:
    path = HERE / "differences" / f"{name}.json"
    document = read_document(path, {"about", "lacks", "everywhere", "cases"})
    # The local endpoint plays all that the cases need; a server is held to all of it that it does not lack.
    known = read_description("local", table).abilities
    lacks = document["lacks"]
    if unknown := set(lacks) - known:
        raise TableError(f"{path.name}: no case needs {sorted(unknown)}")
    description = Description(
        name=name,
        # Nobody logs the requests of these servers.
        abilities=known - set(lacks) - {REQUEST_LOG},
        overrides=overrides(document["cases"], table, path.name),
        connection=None,
    )
    for case in description.overrides:
        if why := description.why_not(table.cases[case]):
            raise TableError(f"{path.name}: {case} is not run: {why}")
    for rule in (*document["everywhere"], *document["cases"], *({"reason": why} for why in lacks.values())):
        if not rule["reason"]:
            raise TableError(f"{path.name}: why? A difference needs a reason: {rule}")
    everywhere = [Everywhere(rule["field"], rule["instead_of"], rule["expect"]) for rule in document["everywhere"]]
    return Differences(description, everywhere)


def overrides(groups: list[Mapping[str, Any]], table: Table, where: str) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = {}
    for group in groups:
        if unknown := set(group["expect"]) - (set(FIELDS) - {REQUESTS}):
            raise TableError(f"{where}: no such fields: {sorted(unknown)}")
        for name in group["names"]:
            if name not in table.cases:
                raise TableError(f"{where}: there is no case {name}")
            if name in result:
                raise TableError(f"{where}: {name} stands there twice")
            result[name] = {"reason": group["reason"], "expect": group["expect"]}
    return result
