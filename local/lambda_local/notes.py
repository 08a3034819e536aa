"""Messages for people, on stderr; stdout is for the ready line alone."""

from __future__ import annotations

import sys


def note(message: str) -> None:
    print(f"lambda-local: {message}", file=sys.stderr, flush=True)
