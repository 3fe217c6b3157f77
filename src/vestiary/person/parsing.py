"""What every pixel of a person photo shows: the 20 parts of `Part`.

The network is `networks/parser.onnx` (trained by `vestiary.training.parser`, card in `docs/models/parser.md`). It sees
the person's box at 320 × 224 with joint heat maps and the silhouette, and answers with 17 classes at half that size; of
somebody tall it sees the halves too (`views`). A guided filter brings the answer to the photo's edges, and the pose
tells left from right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary import inference
from vestiary.person.framing import HEIGHT, WIDTH
from vestiary.person.hands import complete_hands
from vestiary.person.limbs import with_sides
from vestiary.person.skin import settle_sleeves
from vestiary.person.tidy import tidy
from vestiary.person.views import halves, look, parse_views

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture, Points

Floats = NDArray[np.float32]

# What the network tells apart, in the order of its output. Sides are told apart afterwards.
CLASSES = (
    *("background", "hair", "face", "neck", "arm", "hand", "leg", "top", "outerwear", "dress", "skirt", "trousers"),
    *("shorts", "shoes", "bag", "hat", "accessory"),
)
OFF_BODY = frozenset({"background", "hair", "bag", "hat", "accessory", "shoes"})  # may lie outside the silhouette
FINEST = 704  # long side of the grid on which parts are decided; larger photos get its edges, smoothly enlarged
SEEN, SEEN_NEARER = 320, 480  # long side of the grid on which the network's answers are put together
RADIUS, SMOOTHNESS = 6, 2e-3  # of the guided filter, in pixels of that grid and squared colour (0..1)


@dataclass(frozen=True)
class Grid:
    """The stretch of the photo that the network saw, at some resolution that is not above the photo's.

    Attributes:
        box: x0, y0, x1, y1 in whole pixels of the photo, x1 and y1 not included.
        size: (width, height) of the grid.
    """

    box: tuple[int, int, int, int]
    size: tuple[int, int]

    @classmethod
    def over(cls, matrix: Floats, shape: tuple[int, ...], finest: int = FINEST) -> Grid:
        """The grid, with a long side of at most `finest`, over what the network's input shows of a photo."""
        (x0, y0), (x1, y1) = ((np.array(p) - matrix[:, 2]) / matrix[0, 0] for p in ((-0.5, -0.5), (WIDTH, HEIGHT)))
        left, top = max(0, int(x0)), max(0, int(y0))
        right, bottom = min(shape[1], int(np.ceil(x1)) + 1), min(shape[0], int(np.ceil(y1)) + 1)
        scale = min(1.0, finest / max(right - left, bottom - top))
        size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
        return cls((left, top, right, bottom), size)

    def matrix(self) -> Floats:
        """`(2, 3)` from the photo to the grid."""
        x0, y0, x1, y1 = self.box
        sx, sy = self.size[0] / (x1 - x0), self.size[1] / (y1 - y0)
        return np.array([[sx, 0, (0.5 - x0) * sx - 0.5], [0, sy, (0.5 - y0) * sy - 0.5]], np.float32)

    def cut(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The photo, or a mask of it, on the grid."""
        x0, y0, x1, y1 = self.box
        return np.asarray(cv2.resize(picture[y0:y1, x0:x1], self.size, interpolation=cv2.INTER_AREA), np.uint8)

    def lay_back(self, labels: Mask, shape: tuple[int, ...]) -> Mask:
        """Labels of the grid in a photo of this shape, 0 elsewhere; each pixel takes the label of most share."""
        x0, y0, x1, y1 = self.box
        whole = np.zeros(shape[:2], np.uint8)
        if self.size == (x1 - x0, y1 - y0):
            whole[y0:y1, x0:x1] = labels
            return whole
        window, best = whole[y0:y1, x0:x1], np.zeros((y1 - y0, x1 - x0), np.uint8)
        for label in np.unique(labels):
            share = cv2.resize((labels == label).astype(np.uint8) * 255, best.shape[::-1])
            window[share > best] = label
            np.maximum(best, share, out=best)
        return whole


def parse_parts(image: Picture, pose: Points, silhouette: Mask) -> Mask:
    """What every pixel shows, `(H, W) uint8` of `Part`.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        pose: `(33, 4) float32`: x, y, z in pixels, confidence.
        silhouette: `(H, W) uint8` soft mask of the person.

    Raises:
        WeightsError: the model file is missing or broken.
    """
    shares, grid = parse_probabilities(image, pose, silhouette)
    to_grid = grid.matrix()
    placed = pose.astype(np.float32)
    placed[:, :2] = pose[:, :2] @ to_grid[:, :2].T + to_grid[:, 2]
    photo = grid.cut(image)
    labels = settle_sleeves(tidy(shares, grid.cut(silhouette), CLASSES), photo, CLASSES)
    labels = complete_hands(labels, photo, placed, CLASSES)
    return grid.lay_back(with_sides(labels, placed, CLASSES), image.shape)


def parse_probabilities(image: Picture, pose: Points, silhouette: Mask) -> tuple[Floats, Grid]:
    """How likely each of `CLASSES` is, `(17, h, w) float32` in 0..1, and the grid that these maps lie on.

    Args and errors as `parse_parts`.
    """
    logits, matrix = look(image, pose, silhouette, answer)
    grid = Grid.over(matrix, image.shape)
    coarse = Grid.over(matrix, image.shape, SEEN_NEARER if halves(pose, silhouette) else SEEN)
    place = coarse.matrix(), coarse.size
    shares = parse_views(image, pose, silhouette, answer, place, CLASSES, whole=(logits, matrix))
    shares = _to_edges(shares, coarse.cut(image), grid.cut(image), _between(coarse.matrix(), grid.matrix()))
    _heed_silhouette(shares, grid.cut(silhouette))
    return shares, grid


def answer(picture: Floats, hints: Floats) -> Floats:
    """What the shipped network says: `(1, 3, 320, 224)`, `(1, 19, 160, 112)` → logits `(1, 17, 160, 112)`."""
    (logits,) = inference.session("parser").run(["logits"], {"image": picture, "hints": hints})
    return np.asarray(logits, np.float32)


def _between(source: Floats, target: Floats) -> Floats:
    """The map from the target grid to the source grid, both given as maps from the photo."""
    square = np.vstack([target, [[0, 0, 1]]])
    return np.asarray(np.vstack([source, [[0, 0, 1]]]) @ np.linalg.inv(square), np.float32)[:2]


def _to_edges(shares: Floats, seen: Picture, photo: Picture, to_seen: Floats) -> Floats:
    """The shares on the photo's grid, following its edges: the fast guided filter (He & Sun 2015) with a colour guide.

    Args:
        shares: `(17, h', w')`.
        seen: the picture on their grid, `(h', w', 3)`.
        photo: the finer picture, `(h, w, 3)`.
        to_seen: from the finer grid to the network's input.
    """
    guide = seen.astype(np.float32) / 255
    fine = cv2.merge([*cv2.split(photo.astype(np.float32) / 255), np.ones(photo.shape[:2], np.float32)])
    mean = _blur(guide)
    covariance = np.stack([_blur(guide * guide[..., [k]]) for k in range(3)], -2) - mean[..., None] * mean[..., None, :]
    inverse = np.linalg.inv(covariance + SMOOTHNESS * np.eye(3, dtype=np.float32))
    result = np.zeros((len(shares), *photo.shape[:2]), np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for index in np.flatnonzero(shares.max((1, 2)) > 0.2):
        share = shares[index][..., None]
        average = _blur(share)
        slope = np.einsum("hwij,hwj->hwi", inverse, _blur(guide * share) - mean * average[..., None])
        offset = average - cv2.transform(slope * mean, np.ones((1, 3), np.float32))
        linear = _blur(np.dstack([slope, offset]))
        linear = cv2.warpAffine(linear, to_seen, photo.shape[1::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
        result[index] = cv2.transform(cv2.multiply(linear, fine), np.ones((1, 4), np.float32))
    return np.clip(result, 0, 1, out=result)


def _blur(picture: NDArray[Any]) -> Floats:
    return np.asarray(cv2.blur(picture, (2 * RADIUS + 1,) * 2), np.float32)


def _heed_silhouette(shares: Floats, silhouette: Mask) -> None:
    """Make body and clothes less likely outside the silhouette, and the background inside it."""
    inside = silhouette.astype(np.float32) / 255
    for index, name in enumerate(CLASSES):
        if name not in OFF_BODY:
            shares[index] *= 0.3 + 0.7 * np.minimum(inside * 4, 1)
    shares[0] *= 0.3 + 0.7 * np.minimum((1 - inside) * 4, 1)
