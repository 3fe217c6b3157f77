"""Waiting in tests: as long as it takes on a slow machine that has other things to do, and not without end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

SECONDS = 120.0
Found = TypeVar("Found")


def until(condition: Callable[[], Found], *, said: Callable[[], object] = lambda: "") -> Found:
    """What the condition gives, once that is true; `said` tells more about waiting in vain."""
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, f"it did not happen: {said()}"
        time.sleep(0.02)
    return found
