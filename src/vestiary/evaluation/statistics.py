"""Means with their uncertainty: bootstrap and Wilson intervals, and paired comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = "1"
DRAWS = 2000
LEVEL = 0.95
Verdict = Literal["first", "second", "undecided"]


@dataclass(frozen=True)
class Estimate:
    """A mean and how sure it is.

    Attributes:
        value: the mean; None when there is nothing to average.
        low: lower end of the 95 % interval; None below two values.
        high: upper end.
        count: how many values.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int

    def as_dict(self) -> dict[str, Any]:
        """As plain data, the form of result files."""
        return {"value": self.value, "low": self.low, "high": self.high, "count": self.count}


def bootstrap(values: Sequence[float], *, seed: int = 0) -> Estimate:
    """The mean of some values with its percentile bootstrap interval (Efron, 1979): 2,000 draws with replacement.

    Values that are not finite (the PSNR of equal pictures) are left out and not counted.
    """
    kept = np.array([value for value in values if math.isfinite(value)], np.float64)
    if len(kept) < 2:
        return Estimate(float(kept[0]) if len(kept) else None, None, None, len(kept))
    low, high = np.quantile(_resampled_means(kept, seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(kept.mean()), float(low), float(high), len(kept))


def _resampled_means(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    rounds = max(1, 4_000_000 // len(values))  # so that large sets need no large table
    means = [
        values[rng.integers(0, len(values), (min(rounds, DRAWS - done), len(values)))].mean(axis=1)
        for done in range(0, DRAWS, rounds)
    ]
    return np.concatenate(means)


def wilson(count: int, total: int) -> Estimate:
    """A share with its Wilson score interval (1927), which holds for few trials and for shares near 0 and 1.

    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    """
    if total == 0:
        return Estimate(None, None, None, 0)
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share = count / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total**2)) / (1 + z * z / total)
    return Estimate(share, max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)), total)


@dataclass(frozen=True)
class Difference:
    """How much a measure changes from the first system to the second on the same pairs.

    Attributes:
        estimate: mean of second - first, with its interval.
        better: which system the interval favours.
        wins: on how many pairs the second is better, and on how many the first is.
    """

    estimate: Estimate
    better: Verdict
    wins: tuple[int, int]


def paired(first: Sequence[float], second: Sequence[float], *, higher_is_better: bool, seed: int = 0) -> Difference:
    """The paired comparison: the bootstrap interval of the mean of the differences, pair by pair.

    Args:
        first: values of the first system.
        second: values of the second, in the same order of pairs.
        higher_is_better: which way the measure points.
        seed: of the draws.
    """
    differences = [b - a for a, b in zip(first, second, strict=True)]
    estimate = bootstrap(differences, seed=seed)
    sign = 1 if higher_is_better else -1
    wins = sum(sign * d > 0 for d in differences), sum(sign * d < 0 for d in differences)
    return Difference(estimate, verdict(estimate, higher_is_better=higher_is_better), wins)


def verdict(difference: Estimate, *, higher_is_better: bool) -> Verdict:
    """Which of two systems a difference (second - first) favours: undecided while the interval holds 0."""
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return "undecided"
    return "second" if (difference.low > 0) == higher_is_better else "first"
