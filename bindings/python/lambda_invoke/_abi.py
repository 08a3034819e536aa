"""Loads the C library and declares its functions, as the generated table (_table.py) has them."""

from __future__ import annotations

import ctypes
import functools
import os
from typing import TYPE_CHECKING

# The rest of the package takes all that is C's from here.
from ._table import *  # noqa: F403
from ._table import FREED_BY, FUNCTIONS, HEADER_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import c_void_p

FILE_NAME = "liblambda_invoke.so.0"

# These functions work in memory alone: they wait for nothing and call nobody. So they keep the GIL. If each of them
# released it, then another thread could take it, for a while.
_IN_MEMORY = ("lambda_request_", "lambda_result_")


def _load() -> ctypes.CDLL:
    chosen = os.environ.get("LAMBDA_INVOKE_LIBRARY")
    if chosen:
        return _open(chosen, "LAMBDA_INVOKE_LIBRARY names it")
    package = os.path.dirname(os.path.abspath(__file__))
    repository = os.path.dirname(os.path.dirname(os.path.dirname(package)))
    candidates = [os.path.join(package, FILE_NAME), os.path.join(repository, "build", "lib", FILE_NAME)]
    for path in candidates:
        if os.path.exists(path):
            return _open(path, "it belongs to this package")
    try:
        found = ctypes.CDLL(FILE_NAME)
    except OSError as error:
        raise ImportError(
            f"{FILE_NAME} is neither {' nor '.join(candidates)}, and the dynamic loader does not find a usable one "
            f"({error}): install the package with pip, run 'make lib' in its repository, install the library "
            "system-wide, or set LAMBDA_INVOKE_LIBRARY to its path"
        ) from error
    return _prepare(found, FILE_NAME, "the dynamic loader found it: LD_LIBRARY_PATH, ldconfig -p")


def _open(path: str, why: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"cannot load {path} ({why}): {error}") from error
    return _prepare(library, path, why)


def _prepare(library: ctypes.CDLL, path: str, why: str) -> ctypes.CDLL:
    # The version first: a library of another age may lack other functions.
    try:
        _declare(library, "lambda_version_number")
        number = library.lambda_version_number()
        if number // 1_000_000 != HEADER_VERSION // 1_000_000 or number < HEADER_VERSION:
            raise ImportError(
                f"{path} ({why}) is version {_dotted(number)}; this package needs {_dotted(HEADER_VERSION)} or later "
                f"of the same major version"
            )
        in_memory = ctypes.PyDLL(path, handle=library._handle)
        for name in FUNCTIONS:
            if name.startswith(_IN_MEMORY):
                setattr(library, name, getattr(in_memory, name))
            _declare(library, name)
    except AttributeError as error:
        raise ImportError(f"{path} ({why}) is no usable liblambda_invoke: {error}") from error
    for pointer, name in FREED_BY.items():
        _free_with(pointer, getattr(library, name))
    return library


def _declare(library: ctypes.CDLL, name: str) -> None:
    function = getattr(library, name)
    function.restype, *function.argtypes = FUNCTIONS[name]


def _dotted(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"


def _free_with(pointer: type[c_void_p], free: Callable[[c_void_p], object]) -> None:
    """Has the pointer freed with its last reference.

    Not by a `def __del__`: Python may deliver Ctrl-C in there, and would lose it. A property over built-in callables is
    the same without a line of Python that could be interrupted: asked for, it binds free to the pointer.
    """
    bind = functools.partial(functools.partial, free)
    pointer.__del__ = property(bind)  # type: ignore[attr-defined]


library = _load()
