"""How near a set of pictures is to a set of real ones, by features of both: Fréchet distance and KID.

The functions take features and do not care which network they are from: with Inception's they are FID and KID, with
those of EfficientNet-Lite0 they are `lite0_frechet` and `lite0_kid`, whose values mean nothing beside FID and KID.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from vestiary.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Features = NDArray[np.float64]
    Distance = Callable[[Features, Features], float]

VERSION = "1"
SUBSET, SUBSETS = 1000, 100  # of KID, as in its authors' code
HALVES = 100


def frechet(one: Features, other: Features) -> float:
    """The Fréchet distance of the normal distributions with the means and covariances of two sets of features.

        d² = |μ₁ - μ₂|² + Tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½)

    Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017 (FID). With
    Σ = AᵀA the trace of the root is the sum of the singular values of A₁A₂ᵀ: exact for singular covariances too, where
    the matrix root is not. The estimate is biased upwards for small sets: compare only sets of the same size.

    Args:
        one: `(n, d)`.
        other: `(m, d)`; n and m are at least 2.

    Raises:
        InputError: a set is too small, or they are of different networks.
    """
    one, other = _checked(one, other)
    roots = [_root(features) for features in (one, other)]
    shift = float(np.square(one.mean(axis=0) - other.mean(axis=0)).sum())
    cross = float(np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum())
    spread = float(sum(np.square(root).sum() for root in roots))
    return max(shift + spread - 2 * cross, 0.0)


def kid(one: Features, other: Features, *, seed: int = 0) -> float:
    """The kernel distance: unbiased squared maximum mean discrepancy with the kernel `k(x, y) = (x·y / d + 1)³`.

        MMD² = Σ_{i≠j} k(xᵢ, xⱼ) / n(n-1) + Σ_{i≠j} k(yᵢ, yⱼ) / m(m-1) - 2 Σ_{ij} k(xᵢ, yⱼ) / nm

    Bińkowski, Sutherland, Arbel and Gretton, "Demystifying MMD GANs", 2018 (KID). Unbiased whatever the sizes, so it
    may be negative. Sets of more than 1,000 are judged by the mean over 100 subsets of 1,000, as in the authors' code.

    Args:
        one: `(n, d)`.
        other: `(m, d)`.
        seed: of the subsets.

    Raises:
        InputError: a set is too small, or they are of different networks.
    """
    one, other = _checked(one, other)
    if max(len(one), len(other)) <= SUBSET:
        return _mmd2(one, other)
    rng = np.random.default_rng(seed)
    size = min(SUBSET, len(one), len(other))
    draws = (
        (one[rng.choice(len(one), size, replace=False)], other[rng.choice(len(other), size, replace=False)])
        for _ in range(SUBSETS)
    )
    return float(np.mean([_mmd2(a, b) for a, b in draws]))


def interval(
    distance: Distance, one: Features, other: Features, *, seed: int = 0, paired: bool = True, level: float = 0.95
) -> tuple[float, float] | None:
    """A confidence interval of a distance between two sets, by leaving half of them out again and again.

    The delete-half jackknife (Shao and Wu, "A general theory for jackknife variance estimation", 1989): the values of
    random halves vary about their mean as the value of the whole set varies about the truth, so the interval is the
    value plus the quantiles of those deviations. A bootstrap would draw pictures twice, which raises both distances.

    Args:
        distance: `frechet` or `kid`.
        one: `(n, d)`.
        other: `(m, d)`.
        seed: of the halves.
        paired: row i of both belongs to the same pair (then n = m), and is left out of both together.
        level: of confidence.

    Returns:
        Its two ends; None when there are fewer than 8 rows to leave out.
    """
    if min(len(one), len(other)) < 8:
        return None
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(HALVES):
        rows = rng.choice(len(one), len(one) // 2, replace=False)
        columns = rows if paired else rng.choice(len(other), len(other) // 2, replace=False)
        values.append(distance(one[rows], other[columns]))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]) - np.mean(values)
    centre = distance(one, other)
    return float(centre + low), float(centre + high)


def _root(features: Features) -> Features:
    """A with AᵀA = the covariance, of as few rows as possible."""
    root: Features = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    if len(root) <= root.shape[1]:
        return root
    return np.asarray(np.linalg.qr(root, mode="r"), np.float64)


def _mmd2(one: Features, other: Features) -> float:
    n, m = len(one), len(other)
    width = one.shape[1]

    def kernel(a: Features, b: Features) -> Features:
        return np.asarray((a @ b.T / width + 1) ** 3, np.float64)

    within = [(table.sum() - np.trace(table)) for table in (kernel(one, one), kernel(other, other))]
    return float(within[0] / (n * (n - 1)) + within[1] / (m * (m - 1)) - 2 * kernel(one, other).mean())


def _checked(one: Features, other: Features) -> tuple[Features, Features]:
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1]:
        hint = "Take the features of both from the same network."
        raise InputError(f"features of shapes {one.shape} and {other.shape} cannot be compared.", hint=hint)
    if min(len(one), len(other)) < 2:
        raise InputError("a distribution needs at least two pictures.", hint="Hand in more pairs.")
    return one, other
