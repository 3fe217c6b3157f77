"""Control pictures for ControlNet branches (Zhang, Rao & Agrawala 2023): the person's pose, parts and depth, drawn.

They lie in the person's place of the working frame; in the garments' places the pipeline shows black. The same
pictures are drawn for training.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vestiary.diffusion.options import DiffusionOptions
from vestiary.encoding.frames import Frame
from vestiary.errors import OptionError
from vestiary.fitting.body import ARM_RADII, LEG_RADII, measure
from vestiary.types import Joint, Part, Person

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

SURE = 0.3  # confidence of a joint that is drawn
STICK = 4 / 512  # half width of a bone and radius of a joint, as a share of the frame's shorter side
SHADE = 0.6  # of a bone's colour; joints have their full colour
BONES = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13)),
    *((1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)
FAR = 0.25  # brightness of the person's farthest point; the nearest is 1, the ground behind 0
DEPTH = 0.5  # of the pose model's, which exaggerates it
_HEAD, _TRUNK = 0.36, 0.34  # half depths in shoulder units


def _hues(count: int) -> tuple[tuple[int, int, int], ...]:
    """Colours evenly round the colour circle, from red."""
    return tuple(
        (round(r * 255), round(g * 255), round(b * 255))
        for r, g, b in (colorsys.hsv_to_rgb(number / count, 1, 1) for number in range(count))
    )


POSE_COLOURS = _hues(18)  # joints by their own number, bones by their place in `BONES`: as OpenPose has them
PART_COLOURS = np.array([(0, 0, 0), *_hues(len(Part) - 1)], np.uint8)
PART_COLOURS[2::2] //= 2  # neighbours differ in brightness too


def control_picture(kind: str, person: Person, frame: Frame, *, distance: F32 | None = None) -> Tensor:
    """`(3, H, W) float32` in 0..1: what a branch of this kind sees of a person.

    Args:
        kind: "pose", "parts" or "depth".
        person: the scan that fills the frame.
        frame: how its photo lies in the working frame.
        distance: `(h, w)` in the photo's size, from the camera, in any unit, for depth that is known exactly, as of
            synthetic people; 0 where it is not known. Without one it is estimated from the pose.

    Raises:
        OptionError: no such kind.
    """
    near = frame.person(person)
    if kind == "pose":
        inner = draw_pose(near.keypoints, near.image.shape[:2], round_to=min(frame.size))
    elif kind == "parts":
        inner = PART_COLOURS[near.parts]
    elif kind == "depth":
        known = estimated_distance(near) if distance is None else _fitted(distance, frame)
        inner = np.repeat(draw_distance(known, near.silhouette)[..., None], 3, axis=2)
    else:
        raise OptionError(f"there are no control pictures of {kind}.", hint="Choose pose, parts or depth.")
    return torch.from_numpy(frame.padded(np.ascontiguousarray(inner.transpose(2, 0, 1) / np.float32(255), np.float32)))


def controls_of(person: Person, frame: Frame, kinds: Iterable[str]) -> dict[str, Tensor]:
    """`(1, 3, H, W)` in 0..1 of each kind, as `Conditions.controls` has them."""
    return {kind: control_picture(kind, person, frame)[None] for kind in kinds}


def applies(number: int, total: int, options: DiffusionOptions) -> bool:
    """Whether the branches have a say at a step: the whole of it lies between start and end, as in diffusers.

    Args:
        number: of the step, from 1.
        total: steps.
        options: with `control_start` and `control_end`.
    """
    return (number - 1) / total >= options.control_start and number / total <= options.control_end


def draw_pose(keypoints: F32, shape: tuple[int, int], *, round_to: int) -> U8:
    """`(h, w, 3) uint8`: the skeleton in OpenPose's colours on black (Cao et al. 2019).

    Args:
        keypoints: `(18, 3)`: x, y, confidence, in the COCO-18 order.
        shape: h, w.
        round_to: the frame's shorter side, by which thickness goes.
    """
    canvas = np.zeros((*shape, 3), np.uint8)
    radius = max(1, round(STICK * round_to))
    seen = keypoints[:, 2] > SURE
    places = [(round(float(x)), round(float(y))) for x, y in keypoints[:, :2]]
    for colour, (a, b) in zip(POSE_COLOURS, BONES, strict=False):
        if not (seen[a] and seen[b]):
            continue
        (x0, y0), (x1, y1) = keypoints[a, :2], keypoints[b, :2]
        middle = (round(float(x0 + x1) / 2), round(float(y0 + y1) / 2))
        axes = (max(1, round(float(np.hypot(x1 - x0, y1 - y0)) / 2)), radius)
        angle = round(float(np.degrees(np.arctan2(y1 - y0, x1 - x0))))
        cv2.fillConvexPoly(canvas, cv2.ellipse2Poly(middle, axes, angle, 0, 360, 1), [SHADE * part for part in colour])
    for place, colour, there in zip(places, POSE_COLOURS, seen, strict=True):
        if there:
            cv2.circle(canvas, place, radius, colour, -1)
    return canvas


def draw_distance(distance: F32, silhouette: U8) -> U8:
    """`(h, w) uint8`: bright is near; 0 outside the silhouette. Only differences within the person count."""
    inside = silhouette > 127
    if not inside.any():
        return np.zeros(distance.shape, np.uint8)
    near, far = np.percentile(distance[inside], (1, 99))
    share = np.clip((far - distance) / max(float(far - near), 1e-6), 0, 1)
    return np.asarray(np.round((FAR + (1 - FAR) * share) * silhouette), np.uint8)


def estimated_distance(person: Person) -> F32:
    """`(h, w) float32` in pixels: an **estimate** from the pose alone, negative = nearer than the hips.

    Limbs, trunk and head are round rods through the joints, as thick as bodies usually are, at half the depth that the
    pose model gives them; clothes, hair and bags have the depth of the nearest point of a rod. See docs/experiments.md
    for how near that comes to the truth: not very.
    """
    body = measure(person)
    height, width = person.silhouette.shape
    surface = np.full((height, width), np.inf, np.float32)
    for a, b, thick_a, thick_b in _rods(_in_space(person)):
        _nearer(surface, a, b, thick_a * body.unit, thick_b * body.unit)
    covered = np.isfinite(surface)
    if not covered.any():
        return np.zeros((height, width), np.float32)
    blurred = cv2.GaussianBlur(_filled(surface, covered), (0, 0), max(0.03 * body.unit, 0.5))
    return np.asarray(blurred, np.float32)


def _in_space(person: Person) -> NDArray[np.float64]:
    """`(33, 3)`: joints in pixels, with the depth of the pose in metres brought to pixels by the trunk's size."""
    trunk = [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_HIP, Joint.RIGHT_HIP]
    pose, world = person.pose[:, :3].astype(np.float64), person.world.astype(np.float64)
    sizes = [np.square(points[trunk, :2] - points[trunk, :2].mean(axis=0)).sum() for points in (pose, world)]
    pose[:, 2] = DEPTH * np.sqrt(sizes[0] / max(sizes[1], 1e-9)) * world[:, 2]
    return pose


def _rods(pose: NDArray[np.float64]) -> Iterable[tuple[NDArray[np.float64], NDArray[np.float64], float, float]]:
    """Both ends (x, y, z) of every rod, and how thick they are in shoulder units."""

    def at(name: str) -> NDArray[np.float64]:
        return pose[Joint[name], :3]

    for side in ("LEFT", "RIGHT"):
        for names, radii in (("SHOULDER ELBOW WRIST INDEX", ARM_RADII), ("HIP KNEE ANKLE HEEL", LEG_RADII)):
            joints, thick = [f"{side}_{name}" for name in names.split()], (*radii, radii[-1])
            for k in range(3):
                yield at(joints[k]), at(joints[k + 1]), thick[k], thick[k + 1]
        yield at(f"{side}_SHOULDER"), at(f"{side}_HIP"), 0.8 * _TRUNK, 0.9 * _TRUNK
    neck, pelvis, ears = ((at(f"LEFT_{name}") + at(f"RIGHT_{name}")) / 2 for name in ("SHOULDER", "HIP", "EAR"))
    yield neck, pelvis, _TRUNK, _TRUNK
    yield neck, ears, 0.2, 0.2
    yield ears, ears, _HEAD, _HEAD


def _nearer(surface: F32, a: NDArray[np.float64], b: NDArray[np.float64], thick_a: float, thick_b: float) -> None:
    """Lay a rod into a map of distances, in place; the nearer surface wins."""
    reach = max(thick_a, thick_b) + 1
    height, width = surface.shape
    left, top = (max(int(np.floor(min(a[i], b[i]) - reach)), 0) for i in (0, 1))
    right, bottom = (int(np.ceil(max(a[i], b[i]) + reach)) + 1 for i in (0, 1))
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        return
    part = surface[top : min(bottom, height), left : min(right, width)]
    y, x = np.mgrid[top : top + part.shape[0], left : left + part.shape[1]].astype(np.float64)
    along = b[:2] - a[:2]
    share = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / max(float(along @ along), 1e-6), 0, 1)
    away = np.hypot(x - a[0] - share * along[0], y - a[1] - share * along[1])
    radius = thick_a + share * (thick_b - thick_a)
    front = a[2] + share * (b[2] - a[2]) - np.sqrt(np.maximum(radius**2 - away**2, 0))
    np.minimum(part, np.where(away < radius, front, np.inf), out=part, casting="same_kind")


def _filled(surface: F32, known: NDArray[np.bool_]) -> F32:
    """The map with the value of the nearest known pixel wherever none is known; at least one is."""
    _, labels = cv2.distanceTransformWithLabels((~known).view(np.uint8), cv2.DIST_L2, 5, labelType=1)
    of_label = np.zeros(int(labels.max()) + 1, np.float32)
    of_label[labels[known]] = surface[known]
    return np.where(known, surface, of_label[labels])


def _fitted(distance: F32, frame: Frame) -> F32:
    """A map of distances at the frame's inner size, each the nearest pixel's: a mean across an edge is no distance."""
    small = np.asarray(cv2.resize(np.asarray(distance, np.float32), frame.inner, interpolation=cv2.INTER_NEAREST))
    known = np.isfinite(small) & (small != 0)
    return _filled(small, known) if known.any() else np.zeros_like(small)
