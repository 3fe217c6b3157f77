"""The pose of a person: 33 landmarks in the photo and in metres, and a mask of the body (BlazePose, full model)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.person.detector import Detection, Roi, body_roi, detect
from vestiary.person.tflite import network
from vestiary.types import Joint, freeze

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture, Points

Floats = NDArray[np.float32]

SIDE = 256
LANDMARKS = 39  # 33 of the body, 2 that give the next region of interest, 4 unused
HEATMAP_WINDOW = 7
MIN_HEAT = 0.5
MIN_SCORE = 0.5
CONTRADICTION = 0.05  # of the square's side

# COCO-18 order: nose, neck, then right and left shoulder, elbow, wrist, right and left hip, knee, ankle, eyes, ears.
_OPENPOSE = (
    *(Joint.NOSE, None),
    *(Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST),
    *(Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST),
    *(Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
    *(Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE),
    *(Joint.RIGHT_EYE, Joint.LEFT_EYE, Joint.RIGHT_EAR, Joint.LEFT_EAR),
)


def _mirror_order() -> list[int]:
    """For each of the 39 points, the one that the mirror shows in its place."""
    names = {joint.name: int(joint) for joint in Joint}
    swapped = {"LEFT": "RIGHT", "RIGHT": "LEFT"}
    order = [names["_".join(swapped.get(word, word) for word in joint.name.split("_"))] for joint in Joint]
    return [*order, *range(len(order), LANDMARKS)]


_MIRROR = _mirror_order()


@dataclass(frozen=True, eq=False)
class Pose:
    """The pose of one person.

    Attributes:
        landmarks: `(33, 4) float32`: x, y, z in pixels (z relative to the hips, negative = nearer), confidence 0..1.
        world: `(33, 3) float32`: metres, origin between the hips, x to the picture's right, y down, z away.
        mask: `(H, W) uint8` soft mask of this person, from the network's 256 × 256 grid.
        score: 0..1, how sure the network is that there is a person.
        roi: the square it looked at.
        next_roi: the square to look at in the next frame of a film.
    """

    landmarks: Points
    world: Points
    mask: Mask
    score: float
    roi: Roi
    next_roi: Roi | None = None

    def __post_init__(self) -> None:
        freeze(self)


def detect_people(image: Picture) -> list[Detection]:
    """The people in a picture, largest first.

    Args:
        image: `(H, W, 3) uint8` sRGB.
    """
    return detect(image)


def estimate_pose(image: Picture, detection: Detection) -> Pose:
    """The pose of a detected person.

    The network looks three times: at the detector's square, which is rough; at the square that its own auxiliary points
    describe; and at the mirror image of that. The last two are averaged. Against shaking the first square, this halves
    the landmarks' spread.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        detection: from `detect_people` of the same picture.
    """
    raw = _Raw.look(image, detection.roi)
    again = _Raw.look(image, raw.next_roi()) if raw.score >= MIN_SCORE else raw
    if again.score >= MIN_SCORE:
        raw = again.averaged(_Raw.look(image, again.roi, mirrored=True))
    return raw.pose(image.shape[:2])


def estimate_pose_at(image: Picture, roi: Roi) -> Pose:
    """The pose from a single look at a square that is known to hold the person: a frame of a film after the first.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        roi: `next_roi` of the frame before.
    """
    return _Raw.look(image, roi).pose(image.shape[:2])


def openpose18(landmarks: Points) -> Points:
    """`(18, 3) float32`: x, y, confidence in the OpenPose (COCO-18) order; the neck is midway between the shoulders."""
    left, right = landmarks[Joint.LEFT_SHOULDER], landmarks[Joint.RIGHT_SHOULDER]
    neck = np.array([*(left[:2] + right[:2]) / 2, min(left[3], right[3])], np.float32)
    return np.stack([neck if joint is None else landmarks[joint][[0, 1, 3]] for joint in _OPENPOSE]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Raw:
    """What the landmark network said of one square, still in the square's own pixels."""

    roi: Roi
    points: Floats  # (39, 5): x, y, z, visibility, presence
    world: Floats  # (39, 3)
    mask: Floats  # (256, 256) 0..1
    score: float

    @staticmethod
    def look(image: Picture, roi: Roi, *, mirrored: bool = False) -> _Raw:
        tensor = crop(image, roi, SIDE).astype(np.float32) / np.float32(255)
        tensor = np.ascontiguousarray(tensor[:, ::-1]) if mirrored else tensor
        points, score, mask, heat, world = network("pose_landmark_full")(tensor)
        decoded = points.reshape(LANDMARKS, 5).copy()
        decoded[:, 3:] = _sigmoid(decoded[:, 3:])
        decoded[:, :2] = _refine(decoded[:, :2], _sigmoid(heat))
        raw = _Raw(roi, decoded, world.reshape(LANDMARKS, 3).copy(), _sigmoid(mask[..., 0]), float(score[0]))
        return raw._mirrored() if mirrored else raw

    def _mirrored(self) -> _Raw:
        """What was seen in the mirror, as it is."""
        points, world = self.points[_MIRROR], self.world[_MIRROR]
        points[:, 0] = SIDE - 1 - points[:, 0]
        world[:, 0] *= -1
        return _Raw(self.roi, points, world, self.mask[:, ::-1], self.score)

    def averaged(self, other: _Raw) -> _Raw:
        """The mean of two looks at one square; where they contradict each other, the more confident one counts."""
        share = np.full((LANDMARKS, 1), 0.5, np.float32)
        apart = np.hypot(*(self.points - other.points)[:, :2].T) > CONTRADICTION * SIDE
        mine, theirs = self.points[:, 3:].min(axis=1), other.points[:, 3:].min(axis=1)
        share[apart, 0] = (mine >= theirs)[apart]
        return _Raw(
            self.roi,
            self.points * share + other.points * (1 - share),
            self.world * share + other.world * (1 - share),
            (self.mask + other.mask) * np.float32(0.5),
            (self.score + other.score) / 2,
        )

    def in_photo(self) -> Floats:
        """`(39, 3)`: x, y, z in pixels of the photo."""
        matrix = self.roi.to_photo(SIDE)
        placed = self.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        return np.column_stack([placed, self.points[:, 2] * self.roi.side / SIDE]).astype(np.float32)

    def next_roi(self) -> Roi:
        placed = self.in_photo()
        return body_roi((float(placed[33, 0]), float(placed[33, 1])), (float(placed[34, 0]), float(placed[34, 1])))

    def pose(self, size: tuple[int, ...]) -> Pose:
        confidence = self.points[:33, 3:].min(axis=1)
        cos, sin = np.cos(self.roi.angle), np.sin(self.roi.angle)
        world = self.world[:33].copy()
        world[:, :2] = world[:, :2] @ np.array([[cos, sin], [-sin, cos]], np.float32)
        return Pose(
            landmarks=np.column_stack([self.in_photo()[:33], confidence]).astype(np.float32),
            world=world.astype(np.float32),
            mask=uncrop(self.mask, self.roi, size),
            score=self.score,
            roi=self.roi,
            next_roi=self.next_roi(),
        )


def crop(image: Picture, roi: Roi, pixels: int) -> Picture:
    """`(pixels, pixels, 3) uint8`: the square of the photo, upright; outside the photo its border goes on."""
    image, roi = _window(image, roi)
    shrink = max(1, int(roi.side / pixels))
    if shrink > 1:  # bilinear sampling alone would skip pixels
        height, width = image.shape[:2]
        image = cv2.resize(image, (max(1, width // shrink), max(1, height // shrink)), interpolation=cv2.INTER_AREA)
        sx, sy = image.shape[1] / width, image.shape[0] / height
        roi = Roi((roi.x + 0.5) * sx - 0.5, (roi.y + 0.5) * sy - 0.5, roi.side * (sx + sy) / 2, roi.angle)
    flags, border = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE
    drawn = cv2.warpAffine(image, roi.to_photo(pixels), (pixels, pixels), flags=flags, borderMode=border)
    return np.asarray(drawn, np.uint8)


def _window(image: Picture, roi: Roi) -> tuple[Picture, Roi]:
    """The part of the photo that the square touches, so that the cost does not depend on the rest."""
    reach = roi.side * (abs(np.cos(roi.angle)) + abs(np.sin(roi.angle))) / 2 + 2
    height, width = image.shape[:2]
    x0, y0 = (int(np.clip(centre - reach, 0, size - 1)) for centre, size in ((roi.x, width), (roi.y, height)))
    x1, y1 = (int(np.clip(centre + reach, 1, size)) for centre, size in ((roi.x, width), (roi.y, height)))
    part = image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    return part, Roi(roi.x - x0, roi.y - y0, roi.side, roi.angle)


def uncrop(mask: Floats, roi: Roi, size: tuple[int, ...]) -> Mask:
    """`(H, W) uint8`: a mask `0..1` of the square, laid back into a photo of this size."""
    drawn = np.round(mask * 255).astype(np.uint8)
    return np.asarray(cv2.warpAffine(drawn, roi.to_photo(mask.shape[0]), (size[1], size[0])), np.uint8)


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))), np.float32)


def _refine(points: Floats, heat: Floats) -> Floats:
    """`(39, 2)`: each point moved to the centre of its heat map's mass nearby, where the heat map is sure."""
    cells = heat.shape[0]
    refined, reach = points.copy(), HEATMAP_WINDOW // 2
    for index, (x, y) in enumerate(points * cells / SIDE):
        column, row = int(x), int(y)
        if not (0 <= column < cells and 0 <= row < cells):
            continue
        left, top = max(0, column - reach), max(0, row - reach)
        window = heat[top : row + reach + 1, left : column + reach + 1, index]
        if window.max() >= MIN_HEAT:
            rows, columns = np.mgrid[0 : window.shape[0], 0 : window.shape[1]]
            mass = window.sum()
            refined[index] = ((columns * window).sum() / mass + left, (rows * window).sum() / mass + top)
            refined[index] *= SIDE / cells
    return refined
