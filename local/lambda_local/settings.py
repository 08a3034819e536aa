"""A function's settings: constants of its file, read without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LATEST = "$LATEST"


class SettingsError(Exception):
    """Names the file, the constant and what it must be."""


@dataclass(frozen=True)
class Settings:
    concurrency: int = 10
    timeout: float = 3.0
    versions: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    raw: bool = False
    # Only for a file that defines respond() in place of handler():
    responds: bool = False
    unsigned: bool = False
    before_body: bool = False

    def version(self, qualifier: str | None) -> str | None:
        """The version that a qualifier stands for; None if there is no such qualifier."""
        qualifier = qualifier or LATEST
        if qualifier == LATEST or qualifier in self.versions:
            return qualifier
        return self.aliases.get(qualifier)


def read_settings(path: Path) -> Settings:
    try:
        module = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError):
        # The function exists all the same; its first invocation reports what is wrong with its code.
        return Settings()
    constants: dict[str, ast.expr] = {}
    functions = set()
    for statement in module.body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    constants[target.id] = statement.value
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            constants[statement.target.id] = statement.value
        elif isinstance(statement, ast.FunctionDef):
            functions.add(statement.name)
    reader = Reader(path, constants)
    versions = tuple(reader.read("VERSIONS", [], is_versions, 'a list of numbers in quotes, such as ["1", "2"]'))
    aliases = reader.read("ALIASES", {}, is_aliases, 'a dict of names and versions, such as {"live": "2"}')
    for alias, version in aliases.items():
        if version != LATEST and version not in versions:
            raise SettingsError(
                f"{path}: ALIASES: {alias!r} stands for version {version!r}, which VERSIONS does not name"
            )
    return Settings(
        concurrency=reader.read("CONCURRENCY", 10, is_count, "a number of invocations, 0 or more"),
        timeout=float(reader.read("TIMEOUT", 3.0, is_seconds, "a number of seconds above 0")),
        versions=versions,
        aliases=aliases,
        raw=reader.read("RAW", False, is_flag, "True or False"),
        responds="respond" in functions and "handler" not in functions,
        unsigned=reader.read("UNSIGNED", False, is_flag, "True or False"),
        before_body=reader.read("BEFORE_BODY", False, is_flag, "True or False"),
    )


@dataclass(frozen=True)
class Reader:
    path: Path
    constants: Mapping[str, ast.expr]

    def read(self, name: str, default: Any, valid: Any, wanted: str) -> Any:
        if name not in self.constants:
            return default
        expression = self.constants[name]
        try:
            value = ast.literal_eval(expression)
        except (ValueError, TypeError):
            value = None
        if not valid(value):
            raise SettingsError(
                f"{self.path}:{expression.lineno}: {name} must be {wanted}, "
                "written as a literal: the file is not run to read it"
            )
        return value


def is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def is_seconds(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value <= 900


def is_flag(value: Any) -> bool:
    return type(value) is bool


def is_versions(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(one, str) and re.fullmatch(r"[0-9]+", one) for one in value
    )


def is_aliases(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(alias, str) and re.fullmatch(r"(?!\d+$)[A-Za-z0-9_-]+", alias) and isinstance(version, str)
        for alias, version in value.items()
    )
