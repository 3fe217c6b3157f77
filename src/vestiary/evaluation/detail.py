"""How much of a garment's own look survives on the person, for any engine: print, texture, colour.

Nothing here knows how the picture was made: the flat garment and the result are compared directly. Arms, hair and the
picture's border hide a part of every garment, so not even a photo of the real thing reaches 1 in `print_kept`;
where the true photo is known, its own value is given beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vestiary.evaluation.torso import Region, worn_region, worn_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Garment, Mask, Person, Picture

    Points = NDArray[np.float32]

VERSION = "2"
ENOUGH = 60  # findable points; with fewer they are creases, and the garment has no print to lose
RATIO = 0.85  # Lowe's test: the second best match must be that much worse
SPREAD = 0.04  # of the garment's diagonal: how far a point may lie from a smooth warp's place
ALIKE = 300.0**2  # squared distance of descriptors (of length 512) beyond which nothing is alike
FARTHEST = 1e9
GROUP = 6  # points that must agree on one affine map: torso, sleeves and legs each have their own
LARGEST = 600.0  # pixels of the garment's diagonal at which prints are compared, at most


@dataclass(frozen=True)
class Matches:
    """Points of the flat garment that were found again.

    Attributes:
        flat: `(n, 2) float32`, where they are in the garment's picture.
        worn: `(n, 2) float32`, where they are in the result.
        findable: how many points could have been found.
    """

    flat: Points
    worn: Points
    findable: int

    @property
    def kept(self) -> float | None:
        """The share of the findable points that was found, 0..1; None for a plain garment."""
        return min(len(self.flat) / self.findable, 1.0) if self.findable >= ENOUGH else None


class FlatPrint:
    """The points of a garment's print, at the size at which this person wears it."""

    def __init__(self, garment: Garment, person: Person) -> None:
        self.scale = worn_scale(garment, person)
        self.zoom = min(1.0, LARGEST / (self.scale * float(np.hypot(*garment.alpha.shape))))  # of the person photo
        self.scale *= self.zoom
        size = tuple(max(32, round(side * self.scale)) for side in garment.alpha.shape[::-1])
        image = cv2.resize(garment.image, size, interpolation=cv2.INTER_AREA if self.scale < 1 else cv2.INTER_CUBIC)
        alpha = cv2.resize(garment.alpha, size, interpolation=cv2.INTER_AREA)
        self.diagonal = float(np.hypot(*size))
        width = max(3, round(0.02 * self.diagonal))  # the outline is no print: stay away from it
        core = cv2.erode(np.where(alpha > 200, 255, 0).astype(np.uint8), np.ones((width, width), np.uint8))
        grey = cv2.cvtColor(np.where(alpha[..., None] > 0, image, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
        self.size = (size[0], size[1])
        self.points, self.signs = _find(grey, core)
        self.findable = self._findable(grey, core)

    def _findable(self, grey: Mask, core: Mask) -> NDArray[np.bool_]:
        """Which points are found again in a turned, squeezed and softened copy: not those of a repeating pattern."""
        matrix = np.array([[0.82, 0.08, 0.06 * grey.shape[1]], [-0.08, 0.98, 0.06 * grey.shape[0]]], np.float32)
        size = grey.shape[::-1]
        turned = cv2.warpAffine(grey, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        turned = cv2.GaussianBlur(turned, (0, 0), 0.7)
        points, signs = _find(turned, cv2.warpAffine(core, matrix, size))
        pairs = _matched(self.signs, signs)
        wanted = self.points[pairs[:, 0]] @ matrix[:, :2].T + matrix[:, 2]
        near = np.hypot(*(points[pairs[:, 1]] - wanted).T) < 3 if len(pairs) else np.zeros(0, bool)
        found = np.zeros(len(self.points), bool)
        found[pairs[near, 0]] = True
        return found

    def matches(self, result: Picture, where: Mask) -> Matches:
        """The points that the result shows where a smooth warp puts them.

        SIFT (Lowe, "Distinctive image features from scale-invariant keypoints", 2004) with the ratio test; then groups
        of at least six points that share an affine map (RANSAC, Fischler and Bolles 1981), largest first. The largest
        group's map then takes the result back to the flat garment's frame for a second look, near each point's own
        place: what was squeezed and turned counts as found, what was blurred or drawn anew does not.

        Args:
            result: `(H, W, 3) uint8`, of the person photo's size.
            where: `(H, W) uint8`, 255 = where the garment may be.
        """
        count = int(self.findable.sum())
        none = np.zeros((0, 2), np.float32)
        if count < ENOUGH or not where.any():
            return Matches(none, none, count)
        x, y, width, height = cv2.boundingRect(where)
        size = max(1, round(width * self.zoom)), max(1, round(height * self.zoom))
        area = (slice(y, y + height), slice(x, x + width))
        grey = cv2.resize(cv2.cvtColor(result[area], cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        inside = cv2.resize(where[area], size, interpolation=cv2.INTER_NEAREST)
        points, signs = _find(grey, inside)
        rows = np.flatnonzero(self.findable)
        pairs = _matched(self.signs[rows], signs)
        places = {int(rows[row]): points[other] for row, other in pairs}
        kept, matrix = self._smooth(places)
        if matrix is not None:
            places = {**self._second_look(grey, inside, matrix, rows), **kept}
            kept, _ = self._smooth(places)
        chosen = sorted(kept)
        worn = np.array([kept[row] for row in chosen], np.float32).reshape(-1, 2)
        corner = np.array((x, y), np.float32)
        return Matches(self.points[chosen] / np.float32(self.scale), worn / np.float32(self.zoom) + corner, count)

    def _smooth(self, places: dict[int, Points]) -> tuple[dict[int, Points], NDArray[np.float64] | None]:
        """Those places that belong to a group which shares a believable affine map, and the largest group's map."""
        rows = np.array(sorted(places), np.intp)
        if len(rows) < GROUP:
            return {}, None
        flat, worn = self.points[rows], np.array([places[int(row)] for row in rows], np.float32)
        kept, matrix = _groups(flat, worn, SPREAD * self.diagonal)
        return {int(row): places[int(row)] for row in rows[kept]}, matrix

    def _second_look(
        self, grey: Mask, inside: Mask, matrix: NDArray[np.float64], rows: NDArray[np.intp]
    ) -> dict[int, Points]:
        """Matches in the result as it looks in the flat garment's frame, near their own places: row → place."""
        way = cv2.WARP_INVERSE_MAP
        turned = cv2.warpAffine(grey, matrix, self.size, flags=cv2.INTER_LINEAR | way, borderMode=cv2.BORDER_REPLICATE)
        points, signs = _find(turned, cv2.warpAffine(inside, matrix, self.size, flags=cv2.INTER_NEAREST | way))
        far = np.hypot(*np.moveaxis(self.points[rows][:, None] - points[None], 2, 0)) > 1.5 * SPREAD * self.diagonal
        pairs = _matched(self.signs[rows], signs, far)
        back = points @ matrix[:, :2].T + matrix[:, 2]
        return {int(rows[row]): back[other].astype(np.float32) for row, other in pairs}


def _find(grey: Mask, where: Mask) -> tuple[Points, Points]:
    detector: Any = cv2.SIFT_create  # type: ignore[attr-defined]
    found, signs = detector(nfeatures=1500, contrastThreshold=0.03).detectAndCompute(grey, where)
    points = np.array([point.pt for point in found], np.float32).reshape(-1, 2)
    return points, (signs if signs is not None else np.zeros((0, 128), np.float32))


def _matched(one: Points, other: Points, barred: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
    """`(n, 2)` indices of the descriptors that are each other's best match, well before the second best."""
    if len(one) < 2 or len(other) < 2:
        return np.zeros((0, 2), np.intp)
    squares = np.square(one).sum(1)[:, None] + np.square(other).sum(1)[None] - 2 * one @ other.T
    if barred is not None:
        squares[barred] = FARTHEST
    best = squares.argmin(axis=1)
    two = np.partition(squares, 1, axis=1)[:, :2]
    mutual = squares.argmin(axis=0)[best] == np.arange(len(one))
    clear = (two[:, 0] < RATIO**2 * two[:, 1]) & (two[:, 0] < ALIKE)
    rows = np.flatnonzero(mutual & clear)
    return np.column_stack([rows, best[rows]])


def _groups(flat: Points, worn: Points, spread: float) -> tuple[NDArray[np.bool_], NDArray[np.float64] | None]:
    """Which matches belong to a group that shares a believable affine map, and the map of the largest one."""
    kept = np.zeros(len(flat), bool)
    first = None
    left = np.arange(len(flat))
    cv2.setRNGSeed(0)
    while len(left) >= GROUP:
        matrix, inside = cv2.estimateAffine2D(
            flat[left], worn[left], method=cv2.RANSAC, ransacReprojThreshold=spread, maxIters=1000, confidence=0.99
        )
        chosen = left[inside.ravel() > 0] if inside is not None else left[:0]
        if matrix is None or len(chosen) < GROUP or not _believable(matrix):
            break
        kept[chosen] = True
        first = matrix if first is None else first
        left = np.setdiff1d(left, chosen)
    return kept, first


def _believable(matrix: NDArray[np.float64]) -> bool:
    """No mirror image, and no side shrunk below 0.4 or stretched beyond 2.5 times."""
    sides = np.linalg.svd(matrix[:, :2], compute_uv=False)
    return bool(np.linalg.det(matrix[:, :2]) > 0 and sides[0] < 2.5 and sides[1] > 0.4)


def texture_kept(garment: Garment, person: Person, result: Picture) -> float | None:
    """How much fine structure the middle of the garment shows, as a share of the flat garment's at the same size.

    The ratio of the mean absolute values of L* between the scales of 1 and 3 pixels: 1 = as crisp as the garment's
    photo, below = blurred, above = folds or noise were added. None where the middle is not in the picture.
    """
    flat, worn = worn_region(garment, person, result)
    if flat is None or worn is None:
        return None
    energies = [_fine(region) for region in (worn, flat)]
    return energies[0] / energies[1] if energies[1] > 0.2 else None


def colour_shift(garment: Garment, person: Person, result: Picture) -> float | None:
    """How far the garment's hue and saturation drifted: distance in the a*b* plane of CIELAB, about 0 to 100.

    Between the means over the middle of the garment, on the person and flat. Lightness does not count, since light may
    rightly change; 2 is hardly seen, 10 is another shade. None where the middle is not in the picture.
    """
    flat, worn = worn_region(garment, person, result)
    if flat is None or worn is None:
        return None
    means = [lab(region.image)[region.mask > 0].mean(axis=0) for region in (flat, worn)]
    return float(np.hypot(*(means[0] - means[1])[1:]))


def lab(image: Picture) -> NDArray[np.float32]:
    """`(H, W, 3) float32` CIELAB (D65): L* 0..100, a*, b*."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _fine(region: Region) -> float:
    """The mean absolute value of L* between the scales of 1 and 3 pixels."""
    light = lab(region.image)[..., 0]
    band = cv2.GaussianBlur(light, (0, 0), 0.7) - cv2.GaussianBlur(light, (0, 0), 3)
    inside = cv2.erode(region.mask, np.ones((7, 7), np.uint8)) > 0
    return float(np.abs(band[inside]).mean()) if inside.sum() > 100 else 0.0
