"""The One Euro filter: still when the signal is still, quick when it moves.

Casiez, Roussel & Vogel, "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems",
CHI 2012.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


class OneEuro:
    """Smooths an array of values that come one after another at any rate.

    Args:
        cutoff: Hz below which changes pass when the signal stands still; lower = steadier.
        slope: Hz of cutoff per unit of speed; higher = less lag.
        speed_cutoff: Hz, of the filter on the speed itself.
    """

    def __init__(self, *, cutoff: float, slope: float, speed_cutoff: float = 1.0) -> None:
        self.cutoff, self.slope, self.speed_cutoff = cutoff, slope, speed_cutoff
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next value passes unchanged."""
        self._value: F64 | None = None
        self._speed: F64 | None = None
        self._time = 0.0

    def move(self, by: NDArray[np.floating]) -> None:
        """Take it as known that the signal has moved by this much since the last value: it comes without lag."""
        if self._value is not None:
            self._value = self._value + by

    def __call__(self, value: NDArray[np.floating], time: float) -> F64:
        """The smoothed value.

        Args:
            value: of the same shape every time.
            time: seconds; a value that does not come later than the last one changes nothing.
        """
        new = np.asarray(value, np.float64)
        if self._value is None or self._speed is None:
            self._value, self._speed, self._time = new, np.zeros_like(new), time
            return new
        step = time - self._time
        if step <= 0:
            return self._value
        share = _share(self.speed_cutoff, step)
        self._speed = share * (new - self._value) / step + (1 - share) * self._speed
        share = _share(self.cutoff + self.slope * np.abs(self._speed), step)
        self._value = share * new + (1 - share) * self._value
        self._time = time
        return self._value


def _share(cutoff: float | F64, step: float) -> float | F64:
    """How much of the new value is taken: eq. 4 and 5 of the paper."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * step))
