"""A body that keeps its measures from frame to frame: averages over time, and opinions that do not flip."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.body import Body, Limb, Side

F64 = NDArray[np.float64]
T = TypeVar("T", bound=Hashable)
SETTLING = 0.6  # seconds in which a measure follows a change of the body
KNOWN = 0.35  # share of the recent past in which a measure was seen, below which it counts as hidden


class Average:
    """An exponential average over time of an array in which NaN stands for what could not be seen."""

    def __init__(self, settling: float = SETTLING) -> None:
        self._settling = settling
        self._mean: F64 | None = None
        self._known: F64 | None = None
        self._time = 0.0

    def __call__(self, value: NDArray[np.floating], time: float) -> F64:
        """The average; NaN where little has been seen of late."""
        new = np.asarray(value, np.float64)
        seen = np.isfinite(new)
        if self._mean is None or self._known is None or self._mean.shape != new.shape:
            self._mean, self._known, self._time = np.where(seen, new, 0.0), seen.astype(np.float64), time
            return np.where(seen, new, np.nan)
        share = 1 - np.exp(-max(time - self._time, 0.0) / self._settling)
        self._time = time
        weight = np.where(seen, share, 0.0)
        self._known = (1 - share) * self._known + weight
        pull = np.where(self._known > 0, weight / np.maximum(self._known, 1e-9), 0.0)
        self._mean = self._mean + pull * (np.where(seen, new, 0.0) - self._mean)
        return np.where(self._known > KNOWN, self._mean, np.nan)


class Majority(Generic[T]):
    """The set of things that most of the last few frames agree on."""

    def __init__(self, frames: int = 5) -> None:
        self._seen: deque[frozenset[T]] = deque(maxlen=frames)

    def __call__(self, value: frozenset[T]) -> frozenset[T]:
        """What was in more than half of the sets so far."""
        self._seen.append(value)
        every = frozenset().union(*self._seen)
        return frozenset(item for item in every if 2 * sum(item in past for past in self._seen) > len(self._seen))


class BodyAverage:
    """The body's widths and thicknesses, in shoulder units, averaged over time; where it stands is left as it is."""

    def __init__(self) -> None:
        self._averages: dict[str, Average] = {}
        self._behind: Majority[Side] = Majority()

    def __call__(self, body: Body, time: float) -> Body:
        """The body with the measures of the recent past."""

        def mean(name: str, value: NDArray[np.floating]) -> F64:
            return self._averages.setdefault(name, Average())(value, time)

        unit = float(mean("unit", np.array([body.unit / max(body.torso, 1e-6)]))[0]) * body.torso
        tops = mean("tops", np.array(body.shoulder_tops) / body.unit) * unit
        limbs: dict[str, dict[Side, Limb]] = {}
        for kind in ("arms", "legs"):
            limbs[kind] = {}
            for side, limb in getattr(body, kind).items():
                name = f"{side} {kind}"
                limbs[kind][side] = replace(
                    limb,
                    radii=mean(f"{name} radii", limb.radii / body.unit) * unit,
                    skin=mean(f"{name} skin", limb.skin / body.unit) * unit,
                    edge=mean(f"{name} edge", limb.edge / body.unit) * unit,
                )
        return replace(
            body,
            unit=unit,
            widths=mean("widths", body.widths / body.unit) * unit,
            outline=mean("outline", body.outline / body.unit) * unit,
            shoulder_tops=(float(tops[0]), float(tops[1])),
            behind=self._behind(body.behind),
            arms=limbs["arms"],
            legs=limbs["legs"],
        )
