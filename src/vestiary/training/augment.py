"""Variations of what a network is trained on: one picture, and all that lies on it, changed together.

A `Scene` (scene.py) holds pictures, masks, part maps and points that share one frame; `draw` decides what happens to it
and `apply` does it. Both are pure: the same scene and the same generator state give the same bytes. A mirrored scene
has left and right exchanged in part maps, joints and landmarks: a left arm is the left arm of whom one sees.

Written here with OpenCV rather than taken from a library: albumentations (MIT, no release since May 2025) takes 4 to 6
seconds to import and knows neither which joints and labels change places in a mirror nor points with a depth and a
confidence; kornia works on tensors, after the loader's workers, where it would compete with the training for the same
cores. What was left to write was a homography and a table of 256 brightnesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from vestiary.training.scene import MIRROR, Draw, Occluder, Scene, apply

if TYPE_CHECKING:
    from vestiary.types import Facing, Garment, Person

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]


class Augmentation(BaseModel):
    """How much each variation may do. 0 switches one off; chances are per scene."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mirror: float = Field(default=0.5, ge=0, le=1, description="Chance of a mirror image.")
    rotate: float = Field(default=6.0, ge=0, le=180, description="Degrees, up to, either way.")
    scale: float = Field(default=0.15, ge=0, le=1, description="Larger or smaller by up to this, as a power of e.")
    shift: float = Field(default=0.05, ge=0, le=0.5, description="Of the picture's sides, up to, either way.")
    crop: float = Field(default=0.3, ge=0, le=1, description="Chance that a window of the picture fills the frame.")
    crop_least: float = Field(default=0.6, gt=0, le=1, description="The smallest window, as a share of the sides.")
    viewpoint: float = Field(
        default=0.05, ge=0, le=0.3, description="Perspective: one side nearer by up to this share."
    )
    exposure: float = Field(default=0.5, ge=0, le=3, description="Stops, up to, either way; in linear light.")
    gamma: float = Field(default=0.2, ge=0, le=1, description="Exponent between exp(-gamma) and exp(gamma).")
    temperature: float = Field(
        default=0.15, ge=0, le=1, description="Red against blue light, by up to this power of e."
    )
    noise: float = Field(default=0.02, ge=0, le=0.3, description="Standard deviation in mid tones, up to, of 0..1.")
    jpeg: float = Field(default=0.3, ge=0, le=1, description="Chance of JPEG traces.")
    jpeg_least: int = Field(default=35, ge=5, le=95, description="The lowest JPEG quality.")
    occlude: float = Field(default=0.2, ge=0, le=1, description="Chance of something in front.")
    occlude_most: float = Field(
        default=0.3, gt=0, le=1, description="Its largest side, as a share of the picture's longer one."
    )


NONE = Augmentation(
    mirror=0, rotate=0, scale=0, shift=0, crop=0, viewpoint=0,
    exposure=0, gamma=0, temperature=0, noise=0, jpeg=0, occlude=0,
)  # fmt: skip


def draw(
    size: tuple[int, int],
    rng: np.random.Generator,
    amounts: Augmentation,
    *,
    mirrored: bool | None = None,
    objects: Sequence[U8] = (),
) -> Draw:
    """What shall happen to a scene of this size.

    Args:
        size: width and height.
        rng: where all randomness comes from.
        amounts: how much of each.
        mirrored: decided beforehand, for a garment that must go with its wearer's mirror image.
        objects: `(h, w, 4) uint8` cut-outs to lay in front; patches of colour without them.
    """

    def either(most: float) -> float:
        return float(rng.uniform(-most, most))

    tossed = bool(rng.random() < amounts.mirror)
    degrees = either(amounts.rotate)
    mirrored = tossed if mirrored is None else mirrored
    return Draw(
        mirrored=mirrored,
        matrix=_matrix(size, rng, amounts, mirrored, degrees),
        degrees=degrees,
        stops=either(amounts.exposure),
        gamma=float(np.exp(either(amounts.gamma))),
        warmth=either(amounts.temperature),
        noise=float(rng.uniform(0, amounts.noise)),
        noise_seed=int(rng.integers(2**31)),
        quality=int(rng.integers(amounts.jpeg_least, 96)) if rng.random() < amounts.jpeg else None,
        occluders=tuple(_occluders(size, rng, amounts, objects)),
    )


def vary(scene: Scene, rng: np.random.Generator, amounts: Augmentation, *, objects: Sequence[U8] = ()) -> Scene:
    """A random variation of the scene."""
    return apply(scene, draw(scene.size, rng, amounts, objects=objects))


def vary_pair(
    person: Person,
    garment: Garment,
    rng: np.random.Generator,
    amounts: Augmentation,
    *,
    garment_amounts: Augmentation | None = None,
    objects: Sequence[U8] = (),
) -> tuple[Person, Garment]:
    """A person and a garment varied: mirrored together (a print is the wrong way round on both), else on their own."""
    of_person = draw(person.image.shape[1::-1], rng, amounts, objects=objects)
    own = garment_amounts or amounts.model_copy(update={"crop": 0.0, "occlude": 0.0})
    of_garment = draw(garment.image.shape[1::-1], rng, own, mirrored=of_person.mirrored)
    return vary_person(person, of_person), vary_garment(garment, of_garment)


def vary_person(person: Person, drawn: Draw) -> Person:
    """The scanned person after the variation, as if the varied photo had been scanned."""
    points = {"pose": person.pose, "keypoints": person.keypoints}
    scene = Scene({"image": person.image}, {"silhouette": person.silhouette}, {"parts": person.parts}, points)
    new = apply(scene, drawn)
    turn = np.radians(drawn.degrees)
    world = person.world[MIRROR[33]] * np.array([-1, 1, 1], np.float32) if drawn.mirrored else person.world.copy()
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]], np.float32)
    world[:, :2] = world[:, :2] @ spin
    other = {"left": "right", "right": "left"}
    swap = other if drawn.mirrored else {}
    rows, columns = (np.flatnonzero((new.masks["silhouette"] > 127).any(axis)) for axis in (1, 0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1) if len(rows) else (0, 0, 0, 0)
    return replace(
        person,
        image=new.pictures["image"],
        silhouette=new.masks["silhouette"],
        parts=new.parts["parts"],
        pose=new.points["pose"],
        keypoints=new.points["keypoints"],
        world=world,
        facing=cast("Facing", swap.get(person.facing, person.facing)),
        arm_in_front=frozenset(swap.get(side, side) for side in person.arm_in_front),
        box=box,
    )


def vary_garment(garment: Garment, drawn: Draw) -> Garment:
    """The garment after the variation."""
    scene = Scene({"image": garment.image}, {"alpha": garment.alpha}, points={"landmarks": garment.landmarks})
    new = apply(scene, drawn)
    return replace(garment, image=new.pictures["image"], alpha=new.masks["alpha"], landmarks=new.points["landmarks"])


def _matrix(
    size: tuple[int, int], rng: np.random.Generator, amounts: Augmentation, mirrored: bool, degrees: float
) -> F64:
    """`(3, 3)` from the old frame to the new one of the same size, built around the middle."""
    half = (np.array(size) - 1) / 2
    scale = float(np.exp(rng.uniform(-amounts.scale, amounts.scale)))
    shift = rng.uniform(-amounts.shift, amounts.shift, 2) * size
    lean = rng.uniform(-amounts.viewpoint, amounts.viewpoint, 2) / np.maximum(half, 1)
    window = float(rng.uniform(amounts.crop_least, 1)) if rng.random() < amounts.crop else 1.0
    look = rng.uniform(-1, 1, 2) * half * (1 - window)  # the middle of the window
    turn = np.radians(degrees)
    to_middle = np.array([[1, 0, -half[0] - look[0]], [0, 1, -half[1] - look[1]], [0, 0, 1]])
    spin = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    grow = np.diag([scale / window * (-1 if mirrored else 1), scale / window, 1])
    nearer = np.array([[1, 0, 0], [0, 1, 0], [lean[0], lean[1], 1]])
    back = np.array([[1, 0, half[0] + shift[0]], [0, 1, half[1] + shift[1]], [0, 0, 1]])
    return np.asarray(back @ nearer @ spin @ grow @ to_middle, np.float64)


def _occluders(
    size: tuple[int, int], rng: np.random.Generator, amounts: Augmentation, objects: Sequence[U8]
) -> list[Occluder]:
    if rng.random() >= amounts.occlude:
        return []
    found = []
    for _ in range(int(rng.integers(1, 4))):
        side = float(rng.uniform(0.08, max(amounts.occlude_most, 0.08))) * max(size)
        rgba = objects[int(rng.integers(len(objects)))] if objects else _patch(rng, float(rng.uniform(0.4, 2.5)))
        factor = side / max(rgba.shape[:2])
        shape = (max(2, round(rgba.shape[1] * factor)), max(2, round(rgba.shape[0] * factor)))
        small = cv2.resize(rgba, shape, interpolation=cv2.INTER_AREA)
        found.append(Occluder(np.asarray(small, np.uint8), *(float(rng.uniform(0, s)) for s in size)))
    return found


def _patch(rng: np.random.Generator, aspect: float) -> U8:
    """A rectangle or an ellipse of blotched colour."""
    shape = (64, max(8, min(256, round(64 * aspect))))
    base = rng.uniform(0, 255, 3)
    blotches = np.clip(base + rng.normal(0, 25, (4, 4, 3)), 0, 255).astype(np.float32)
    colour = cv2.resize(blotches, shape[::-1], interpolation=cv2.INTER_CUBIC)
    alpha = np.full(shape, 255, np.uint8)
    if rng.random() < 0.5:
        alpha[:] = 0
        cv2.ellipse(alpha, (shape[1] // 2, shape[0] // 2), (shape[1] // 2 - 1, shape[0] // 2 - 1), 0, 0, 360, 255, -1)
    return np.dstack([np.clip(colour, 0, 255).astype(np.uint8), alpha])
