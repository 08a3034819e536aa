"""Reads the declarations of include/lambda_invoke.h, each with its comment."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "include" / "lambda_invoke.h"


class HeaderError(Exception):
    """The header contains a declaration that this module cannot read."""


@dataclass(frozen=True)
class Number:
    name: str
    value: int
    comment: str


@dataclass(frozen=True)
class Variable:
    """A parameter of a function, or a field of a struct."""

    type: str
    name: str
    comment: str = ""


@dataclass(frozen=True)
class Function:
    name: str
    returns: str
    parameters: tuple[Variable, ...]
    comment: str


@dataclass(frozen=True)
class Struct:
    name: str
    fields: tuple[Variable, ...]
    comment: str


@dataclass
class Header:
    version: tuple[int, int, int] = (0, 0, 0)
    # The comment at the top: what the library is, and the conventions.
    conventions: str = ""
    numbers: list[Number] = field(default_factory=list)
    # The opaque types.
    opaque: list[str] = field(default_factory=list)
    # The comments of these types and of lambda_status.
    type_comments: dict[str, str] = field(default_factory=dict)
    # Types of functions that the library calls, such as lambda_log_fn.
    callbacks: list[Function] = field(default_factory=list)
    structs: list[Struct] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    # The items without a comment: numbers, types, functions, and fields as `struct.field`.
    undocumented: list[str] = field(default_factory=list)

    @property
    def dotted_version(self) -> str:
        return ".".join(map(str, self.version))

    @property
    def version_number(self) -> int:
        major, minor, patch = self.version
        return major * 1_000_000 + minor * 1_000 + patch

    def struct(self, name: str) -> Struct:
        return next(struct for struct in self.structs if struct.name == name)


def read(path: Path = PATH) -> Header:
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> Header:
    header, version, rest = Header(), {}, _without_frame(text)
    if top := re.match(r"/\*\*([\s\S]*?)\*/", text):
        header.conventions = re.sub(r"\A@file\n", "", _words(top[1]))
    while rest:
        match = next((match for pattern in _FORMS if (match := pattern.match(rest))), None)
        if match is None:
            raise HeaderError(f"include/lambda_invoke.h: cannot read this declaration:\n{rest[:200]}")
        rest = rest[match.end() :].lstrip()
        found = match.groupdict()
        comment = _words(found["comment"])
        if "macro" in found:
            if found["macro"].startswith("LAMBDA_VERSION_"):
                version[found["macro"]] = found["value"]
            else:
                header.numbers.append(Number(found["macro"], int(found["value"]), comment))
        elif "opaque" in found:
            header.opaque.append(found["opaque"])
            header.type_comments[found["opaque"]] = comment
        elif "alias" in found:
            header.type_comments[found["alias"]] = comment
        elif "fields" in found:
            fields = tuple(_fields(found["fields"]))
            header.structs.append(Struct(found["struct"], fields, comment))
            header.undocumented += [f"{found['struct']}.{one.name}" for one in fields if not one.comment]
        elif "callback" in found:
            parameters = _parameters(found["parameters"])
            header.callbacks.append(Function(found["callback"], _type(found["returns"]), parameters, comment))
        elif "function" in found:
            parameters = _parameters(found["parameters"])
            header.functions.append(Function(found["function"], _type(found["returns"]), parameters, comment))
        if not comment:
            named = ("macro", "opaque", "struct", "callback", "function", "alias")
            header.undocumented += [found[group] for group in named if found.get(group)]
    major, minor, patch = (int(version[f"LAMBDA_VERSION_{part}"]) for part in ("MAJOR", "MINOR", "PATCH"))
    header.version = (major, minor, patch)
    return header


_COMMENT = r"(?:/\*\*(?P<comment>(?:(?!\*/).)*)\*/\s*)?"
_FORMS = [
    re.compile(_COMMENT + form, re.DOTALL)
    for form in (
        r"#define (?P<macro>LAMBDA_\w+) (?P<value>-?\d+|\([^\n]*\))\n",
        r"typedef struct (?P<opaque>\w+) (?P=opaque);",
        r"typedef struct (?P<struct>\w+) \{(?P<fields>[^{}]*)\} (?P=struct);",
        r"typedef int32_t (?P<alias>lambda_status);",
        r"typedef (?P<returns>[\w ]+[ *])\(\*(?P<callback>\w+)\)\((?P<parameters>[^()]*)\);",
        r"(?:LAMBDA_MUST_USE\s+)?(?P<returns>[a-z][\w ]+[ *])(?P<function>lambda_\w+)\((?P<parameters>[^()]*)\);",
    )
]
_FRAME = re.compile(
    r"^/\*\* [^\n]* \*/\n#if defined\(__GNUC__\)\n#define LAMBDA_MUST_USE [^\n]*\n#else\n#define LAMBDA_MUST_USE$|"
    r"\A/\*\*[\s\S]*?\*/|^#ifndef LAMBDA_INVOKE_H$|^#define LAMBDA_INVOKE_H$|^#include <\w+\.h>$|^#ifdef __cplusplus$"
    r'|^extern "C" \{$|^\}  /\* extern "C" \*/$|^#endif\b.*$',
    re.MULTILINE,
)


def _without_frame(text: str) -> str:
    return re.sub(_FRAME, "", text).strip()


def _words(comment: str | None) -> str:
    lines = (re.sub(r"^\s*\* ?", "", line) for line in (comment or "").strip().splitlines())
    return "\n".join(lines).strip()


def _fields(body: str) -> list[Variable]:
    found = []
    for match in re.finditer(_COMMENT + r"(?P<declaration>[^;/]+);", body, re.DOTALL):
        declared = _variable(match["declaration"])
        found.append(Variable(declared.type, declared.name, _words(match["comment"])))
    return found


def _parameters(text: str) -> tuple[Variable, ...]:
    return () if text.strip() == "void" else tuple(_variable(part) for part in text.split(","))


def _variable(text: str) -> Variable:
    match = re.fullmatch(r"(.*?)(\w+)", text.strip(), re.DOTALL)
    if match is None:
        raise HeaderError(f"include/lambda_invoke.h: cannot read {text.strip()!r}")
    return Variable(_type(match[1]), match[2])


def _type(text: str) -> str:
    """A type as `const char *`: without `struct`, and with one space before the stars."""
    words = re.sub(r"\bstruct\b", " ", text).replace("*", " * ").split()
    return re.sub(r"\* (?=\*)", "*", " ".join(words))


def wrapped(comment: str, width: int) -> list[str]:
    """The lines of a comment, filled anew; blank lines stay."""
    paragraphs = re.split(r"\n\s*\n", comment)
    lines: list[str] = []
    for number, paragraph in enumerate(paragraphs):
        if number:
            lines.append("")
        lines += textwrap.wrap(" ".join(paragraph.split()), width, break_long_words=False, break_on_hyphens=False)
    return lines
