"""Generates files from include/lambda_invoke.h: the Python table, the Go numbers and the lists of the ABI.

`make header` runs it after it has renewed the header; tests/abi/test_generated.py fails if a file is stale.

The lists of the ABI in tests/abi are records: an entry keeps the version that added it, and this program rejects a
header in which an entry is missing or different.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Callable

from c_header import ROOT, Function, Header, HeaderError, Number, Variable, read, wrapped

NOTICE = "Generated from include/lambda_invoke.h by tools/generate_bindings.py (make header); do not edit."
WIDTH = 120

# Only lambda_stream_next returns these; no result has them.
OF_STREAMS = ("LAMBDA_END", "LAMBDA_PENDING")

# The functions that free an object, where they are not called _free.
FREED_BY = {"lambda_stream": "lambda_stream_finish"}

# The families of numbers other than statuses, by prefix: the Go type, and the prefix of its constants.
GO_FAMILIES = {
    "LAMBDA_EXECUTION_": ("Execution", "Execution"),
    "LAMBDA_INVOCATION_": ("InvocationType", "Invocation"),
    "LAMBDA_LOG_TYPE_": ("LogType", "LogType"),
    "LAMBDA_RETRY_": ("RetryMode", "Retry"),
    # Go uses the levels of slog.
    "LAMBDA_LOG_LEVEL_": None,
}
GO_INITIALISMS = {"api", "arn", "http", "id", "io", "json", "ok", "tls", "url"}

PLAIN_CTYPES = {
    "int": "c_int",
    "int32_t": "c_int32",
    "lambda_status": "c_int32",
    "uint32_t": "c_uint32",
    "int64_t": "c_int64",
    "uint64_t": "c_uint64",
    "size_t": "c_size_t",
    "const char *": "c_char_p",
    "const void *": "c_void_p",
    "void *": "c_void_p",
    "const uint8_t *": "POINTER(c_uint8)",
    "const uint8_t **": "POINTER(c_void_p)",
    "size_t *": "POINTER(c_size_t)",
}


class AbiError(Exception):
    """The header breaks the ABI for programs that were built earlier."""


def is_status(number: Number) -> bool:
    return not number.name.startswith(tuple(GO_FAMILIES))


def without_prefix(name: str) -> str:
    return re.sub("^LAMBDA_(E_)?", "", name)


def numbers_of(header: Header, prefix: str | tuple[str, ...]) -> list[Number]:
    return [number for number in header.numbers if number.name.startswith(prefix)]


def statuses(header: Header) -> list[Number]:
    return [number for number in header.numbers if is_status(number) and number.name not in OF_STREAMS]


def handles(header: Header) -> list[str]:
    """Returns the types that the caller owns, which are those with a function that frees them."""
    functions = {function.name for function in header.functions}
    types = [*header.opaque, *(struct.name for struct in header.structs)]
    return [name for name in types if freed_by(name) in functions]


def freed_by(name: str) -> str:
    return FREED_BY.get(name, f"{name}_free")


# The Python table


def python_table(header: Header) -> str:
    lines = [
        f"PACKAGE_VERSION = {quoted(header.dotted_version)}",
        "# LAMBDA_VERSION_NUMBER of the header.",
        f"HEADER_VERSION = {header.version_number:_}",
    ]
    for prefix in ("LAMBDA_INVOCATION_", "LAMBDA_LOG_TYPE_", "LAMBDA_RETRY_", "LAMBDA_LOG_LEVEL_", OF_STREAMS):
        lines.append("")
        for number in numbers_of(header, prefix):
            lines += [f"# {line}" for line in wrapped(python_words(number.comment), WIDTH - 2)]
            lines.append(f"{without_prefix(number.name)} = {number.value}")
    lines += ["", "", *python_enum(header, "Status", "OpenStatus", statuses(header), "What became of a call.")]
    executions = numbers_of(header, "LAMBDA_EXECUTION_")
    lines += ["", "", *python_enum(header, "Execution", "OpenExecution", executions, "Did the function run?")]
    names = {**{name: pointer_class(name) for name in handles(header)}, "lambda_string": "StringPointer"}
    for name in names.values():
        lines += ["", "", f"class {name}(Pointer):", "    pass"]
    lines += ["", "", "FREED_BY = {"]
    lines += [f"    {kind}: {quoted(freed_by(name))}," for name, kind in names.items()]
    lines += ["}", "", "", "class ResultStruct(ctypes.Structure):", "    _fields_ = ["]
    fields = header.struct("lambda_result").fields
    lines += [f"        ({quoted(one.name)}, {field_ctype(one, fields, header)})," for one in fields]
    lines += ["    ]", "", "", "# A callback receives pointers as numbers, since Python only passes them on."]
    for callback in header.callbacks:
        if callback.name != "lambda_release_fn":
            taken = [callback_ctype(one.type) for one in callback.parameters]
            kinds = ", ".join([callback_ctype(callback.returns), *taken])
            lines.append(f"{callback_class(callback.name)} = ctypes.CFUNCTYPE({kinds})")
    lines += ["", "# The return type, then the parameters'.", "FUNCTIONS: dict[str, tuple[Any, ...]] = {"]
    for function in header.functions:
        lines += python_function(function, header)
    lines.append("}")
    body = "\n".join(lines) + "\n"
    used = set(re.findall(r"\b(c_\w+|POINTER)\b", body))
    imports = "".join(f"    {name},\n" for name in sorted(used, key=natural))
    return (
        f'"""{NOTICE}"""\n\nfrom __future__ import annotations\n\nimport ctypes\nfrom ctypes import (\n{imports})\n'
        f"from typing import Any\n\nfrom ._base import OpenExecution, OpenStatus, Pointer\n\n{body}"
    )


def python_enum(header: Header, name: str, base: str, numbers: list[Number], doc: str) -> list[str]:
    lines = [f"class {name}({base}):", f'    """{doc}"""', ""]
    for number in numbers:
        short = without_prefix(number.name).replace("EXECUTION_", "")
        lines.append(f"    {short} = {quoted(short)}, {number.value}")
        comment = wrapped(python_words(number.comment).replace("\\", "\\\\"), WIDTH - 10)
        if comment and comment[0].startswith('"'):
            comment[0] = "\\" + comment[0]
        if len(comment) == 1:
            lines.append(f'    """{comment[0]}"""')
        else:
            lines += [f'    """{comment[0]}', *(f"    {line}".rstrip() for line in comment[1:]), '    """']
    return lines


def python_words(comment: str) -> str:
    """A comment of the header with Python's names in it."""
    comment = re.sub(r"\bLAMBDA_EXECUTION_([A-Z_]*[A-Z])\b", r"Execution.\1", comment)
    comment = re.sub(r"\bLAMBDA_(?:E_)?(OK|FUNCTION_ERROR|(?<=E_)[A-Z_]*[A-Z])\b", r"Status.\1", comment)
    return re.sub(r"\b([a-z]+_[a-z_]+)_(?:ms|us)\b", r"\1", comment)


def python_function(function: Function, header: Header) -> list[str]:
    kinds = [ctype(function.returns, header), *(ctype(one.type, header) for one in function.parameters)]
    line = f"    {quoted(function.name)}: ({', '.join(kinds)}{',' if len(kinds) == 1 else ''}),"
    if len(line) <= WIDTH:
        return [line]
    return [f"    {quoted(function.name)}: (", *(f"        {kind}," for kind in kinds), "    ),"]


def ctype(kind: str, header: Header) -> str:
    if kind == "void":
        return "None"
    if kind == "char *":
        # It is not const, so the caller owns it.
        return "StringPointer"
    if kind in PLAIN_CTYPES:
        return PLAIN_CTYPES[kind]
    if kind == "lambda_release_fn":
        return "c_void_p"
    if kind in {callback.name for callback in header.callbacks}:
        return callback_class(kind)
    name, _, stars = kind.replace("const ", "").partition(" ")
    if name in handles(header):
        return pointer_class(name) if stars == "*" else f"POINTER({pointer_class(name)})"
    if name in header.opaque and stars == "*":
        return "c_ssize_t"
    raise HeaderError(f"tools/generate_bindings.py: there is no ctypes type for {kind!r}; add one")


def field_ctype(one: Variable, fields: tuple[Variable, ...], header: Header) -> str:
    has_length = f"{one.name}_len" in {other.name for other in fields}
    # These are bytes with a length: c_char_p would end them at a NUL.
    return "POINTER(c_char)" if one.type == "const char *" and has_length else ctype(one.type, header)


def callback_ctype(kind: str) -> str:
    if kind.endswith("*"):
        return "c_ssize_t"
    return "None" if kind == "void" else PLAIN_CTYPES[kind]


def pointer_class(name: str) -> str:
    return f"{camel(name.replace('lambda_', '', 1), set())}Pointer"


def callback_class(name: str) -> str:
    return camel(name.replace("lambda_", "", 1), set())


def quoted(text: str) -> str:
    return f'"{text}"'


def natural(name: str) -> list[object]:
    """Sorts c_uint8 before c_uint32, and constants first."""
    return [not name.isupper(), *(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name))]


# The Go numbers


def go_numbers(header: Header) -> str:
    major = header.version[0]
    lines = [
        f"// Code {NOTICE[0].lower()}{NOTICE[1:]}".replace("; do not edit.", ". DO NOT EDIT."),
        "",
        "package lambdainvoke",
        "",
        "/*",
        "#include <lambda_invoke.h>",
        "",
        "// Functions are only added within a major version.",
        f"#if LAMBDA_VERSION_MAJOR != {major} || LAMBDA_VERSION_NUMBER < {header.version_number}",
        f'#error "this Go package needs lambda_invoke.h of a version from {header.dotted_version} on and below '
        f'{major + 1}.0.0"',
        "#endif",
        "*/",
        'import "C"',
    ]
    families = [("Status", "Status", statuses(header))]
    families += [(*names, numbers_of(header, prefix)) for prefix, names in GO_FAMILIES.items() if names]
    for kind, prefix, numbers in families:
        if kind == "RetryMode":
            lines += ["", "// Greater by one than the library's numbers: the zero value means that none is set."]
        else:
            lines.append("")
        lines.append("const (")
        for number in numbers:
            lines += [f"\t// {line}".rstrip() for line in wrapped(go_words(number.comment, header), WIDTH - 7)]
            shift = " + 1" if kind == "RetryMode" else ""
            lines.append(f"\t{go_name(number, prefix)} {kind} = C.{number.name}{shift}")
        lines.append(")")
    lines += ["", "var executionNames = map[Execution]string{"]
    executions = numbers_of(header, "LAMBDA_EXECUTION_")
    width = max(len(go_name(number, "Execution")) for number in executions) + 1
    for number in executions:
        key = f"{go_name(number, 'Execution')}:"
        lines.append(f"\t{key:<{width}} {quoted(number.name.replace('LAMBDA_EXECUTION_', ''))},")
    lines.append("}")
    return "\n".join(lines) + "\n"


def go_name(number: Number, prefix: str) -> str:
    family = next((begin for begin in GO_FAMILIES if number.name.startswith(begin)), None)
    short = number.name[len(family) :] if family else without_prefix(number.name)
    return prefix + camel(short.lower(), GO_INITIALISMS)


def go_words(comment: str, header: Header) -> str:
    """Replaces the C names in a comment of the header by Go's."""
    names = {number.name: go_name(number, "Status") for number in statuses(header)}
    for prefix, family in GO_FAMILIES.items():
        if family:
            names.update({number.name: go_name(number, family[1]) for number in numbers_of(header, prefix)})
    comment = re.sub(r"\bLAMBDA_\w+\b", lambda match: names.get(match[0], match[0]), comment)
    fields = r"(?<![\w])(?!lambda_)[a-z]+(?:_[a-z]+)+\b(?!\()"
    return re.sub(fields, lambda match: camel(re.sub("_(ms|us)$", "", match[0]), GO_INITIALISMS), comment)


def camel(words: str, initialisms: set[str]) -> str:
    return "".join(word.upper() if word in initialisms else word.capitalize() for word in words.split("_"))


# The lists of the ABI


def symbol_list(header: Header, old: str) -> str:
    known = dict(line.split() for line in old.splitlines())
    declared = {function.name for function in header.functions}
    refuse_removal(known, declared, "tests/abi/symbols.txt")
    return "".join(f"{name} {known.get(name, header.dotted_version)}\n" for name in sorted(declared))


def number_list(header: Header, old: str) -> str:
    rows = [line.split() for line in old.splitlines()]
    known = {name: (int(value), since) for name, value, since in rows}
    refuse_removal(known, {number.name for number in header.numbers}, "tests/abi/numbers.txt")
    lines = []
    for number in header.numbers:
        value, since = known.get(number.name, (number.value, header.dotted_version))
        if value != number.value:
            raise AbiError(f"{number.name} is {number.value}, but programs were built with {value}: see ABI.md")
        lines.append(f"{number.name} {value} {since}\n")
    return "".join(lines)


def prototype_list(header: Header, old: str) -> str:
    top, _, _ = old.partition("\n\n#include")
    known = {match[1]: match[0] for match in re.finditer(r"^\w.*?\b(lambda_\w+)\((?!\*).*;$", old, re.MULTILINE)}
    declared = {function.name: prototype(function, header) for function in header.functions}
    refuse_removal(known, declared, "tests/abi/prototypes.c")
    for name, line in known.items():
        if line != declared[name]:
            raise AbiError(
                f"{name} is declared as\n  {declared[name]}\nbut programs were built with\n  {line}\nsee ABI.md"
            )
    lines = "".join(f"{declared[name]}\n" for name in sorted(declared))
    return f"{top}\n\n#include <lambda_invoke.h>\n\n{lines}"


def prototype(function: Function, header: Header) -> str:
    parameters = ", ".join(plain_type(one.type, header) for one in function.parameters) or "void"
    returns = function.returns if function.returns.endswith("*") else f"{function.returns} "
    return f"{returns}{function.name}({parameters});"


def plain_type(kind: str, header: Header) -> str:
    """Writes out the type of a callback, since that is also part of the ABI that programs were built with."""
    callback = next((callback for callback in header.callbacks if callback.name == kind), None)
    if callback is None:
        return kind
    parameters = ", ".join(plain_type(one.type, header) for one in callback.parameters) or "void"
    return f"{callback.returns} (*)({parameters})"


def refuse_removal(known: Iterable[str], declared: Iterable[str], where: str) -> None:
    missing = sorted(set(known) - set(declared))
    if missing:
        raise AbiError(
            f"the header no longer has {', '.join(missing)}, listed in {where}: programs that were built with it would "
            "not load. ABI.md describes how a function or number is retired"
        )


GENERATED: dict[str, Callable[[Header, str], str]] = {
    "bindings/python/lambda_invoke/_table.py": lambda header, _: python_table(header),
    "bindings/go/numbers.go": lambda header, _: go_numbers(header),
    "tests/abi/symbols.txt": symbol_list,
    "tests/abi/numbers.txt": number_list,
    "tests/abi/prototypes.c": prototype_list,
}


def generate(header: Header, root: Path = ROOT) -> dict[Path, str]:
    """Returns the current text of each generated file, by path."""
    texts = {}
    for name, make in GENERATED.items():
        path = root / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        texts[path] = make(header, old)
    return texts


def main() -> None:
    try:
        texts = generate(read())
    except (AbiError, HeaderError, OSError) as error:
        sys.exit(f"generate_bindings.py: {error}")
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
