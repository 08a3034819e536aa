"""The library that C and C++ programs are tested with: that of `make lib`, or one for another system (tests/dist)."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = Path(os.environ.get("TEST_LIBRARY", ROOT / "build" / "lib"))
# The command that runs a program of that system here, such as an emulator of its processor.
EMULATOR = shlex.split(os.environ.get("TEST_EMULATOR", ""))
# The programs, and the library that they are linked with, are instrumented (make sanitize).
WATCHES_THREADS = "-fsanitize=thread" in os.environ.get("CC", "")


def allowed_s(seconds: int) -> int:
    """Returns how long a program may take, given its limit by itself: ThreadSanitizer slows down even light rounds."""
    return 5 * seconds if WATCHES_THREADS else seconds
