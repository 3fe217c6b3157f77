"""Seconds per step, for the `timings` of every value."""

from __future__ import annotations

import time


class Clock:
    """Seconds per named step, summed over repeats.

    Attributes:
        laps: name → seconds, in the order of the first lap.
    """

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Count the time since the last lap as this step's."""
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now
