"""Variations of a labelled person photo: framing, ground, light, and the faults of pose and silhouette."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.person.framing import (
    GROUND,
    HALF,
    HEIGHT,
    MIRRORED_JOINTS,
    WIDTH,
    crop_matrix,
    halved,
    heat_maps,
    hidden_joints,
    person_box,
    sample,
)
from vestiary.person.limbs import torso_length
from vestiary.person.parsing import CLASSES
from vestiary.types import Joint

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

DYED = tuple(
    CLASSES.index(name) for name in ("top", "outerwear", "dress", "skirt", "trousers", "shorts", "shoes", "bag")
)


class Example(NamedTuple):
    """`image` (3, 320, 224) and `hints` (19, 160, 112) in 0..1, `target` (160, 112) of `CLASSES` or 255."""

    image: Floats
    hints: Floats
    target: NDArray[np.int64]


def plain(image: Bytes, classes: Bytes, pose: Floats, silhouette: Bytes) -> Example:
    """The example as the parser would see the photo, without variation."""
    pose = hidden_joints(pose, image.shape)
    return _example(image, classes, pose, silhouette, crop_matrix(person_box(pose, silhouette)))


def upper_body(image: Bytes, classes: Bytes, pose: Floats, silhouette: Bytes, share: float = 0.35) -> Example:
    """The example as if the photo ended below the hips, `share` of the way to the knees."""
    bottom = cut_row(pose, image.shape[0], share)
    return plain(image[:bottom], classes[:bottom], pose, silhouette[:bottom])


def vary(image: Bytes, classes: Bytes, pose: Floats, silhouette: Bytes, rng: np.random.Generator) -> Example:
    """A random variation of the photo."""
    top, bottom = 0, image.shape[0]
    chance = rng.random()
    if chance < 0.4:
        bottom = cut_row(pose, image.shape[0], rng.uniform(-0.35, 1.4))
    elif chance < 0.6:
        top = _cut_above(pose, image.shape[0], rng)
    if top == 0 and rng.random() < 0.08:
        top = _cut_head(pose, bottom, rng)
    image, classes, silhouette = (a[top:bottom] for a in (image, classes, silhouette))
    pose = pose - np.array([0, top, 0, 0], np.float32)
    pose[:, :2] += rng.normal(0, 0.02 * torso_length(pose), (33, 2)).astype(np.float32) * rng.random()
    pose = hidden_joints(pose, image.shape)
    pose[rng.random(33) < 0.04, 3] = 0
    if rng.random() < 0.3:
        image = _other_ground(image, classes, rng)
    matrix = _jitter(crop_matrix(person_box(pose, silhouette)), rng)
    drawn = _example(image, classes, pose, _faulty(silhouette, classes, rng), matrix)
    if rng.random() < 0.5:
        drawn = _mirrored(drawn)
    return drawn._replace(image=_light(_dyed(drawn.image, drawn.target, rng), rng))


def _example(image: Bytes, classes: Bytes, pose: Floats, silhouette: Bytes, matrix: Floats) -> Example:
    half = halved(matrix)
    picture = sample(image, matrix, (WIDTH, HEIGHT), fill=GROUND)
    target = cv2.warpAffine(classes, half, HALF, flags=cv2.INTER_NEAREST)
    mask = sample(silhouette, half, HALF).astype(np.float32) / 255
    hints = np.concatenate([heat_maps(pose, half, HALF), mask[None]])
    return Example(np.asarray(picture.transpose(2, 0, 1) / 255, np.float32), hints, target.astype(np.int64))


def _mirrored(example: Example) -> Example:
    image, hints, target = example
    return Example(image[..., ::-1].copy(), hints[MIRRORED_JOINTS, :, ::-1].copy(), target[:, ::-1].copy())


def cut_row(pose: Floats, height: int, share: float) -> int:
    hip = pose[[Joint.LEFT_HIP, Joint.RIGHT_HIP], 1].mean()
    knee = pose[[Joint.LEFT_KNEE, Joint.RIGHT_KNEE], 1].mean()
    return int(np.clip(hip + share * (knee - hip), height * 0.25, height))


def _cut_head(pose: Floats, bottom: int, rng: np.random.Generator) -> int:
    """A row between the brow and the shoulders."""
    brow, shoulder = pose[Joint.NOSE, 1] - 0.2 * torso_length(pose), pose[Joint.LEFT_SHOULDER, 1]
    return int(np.clip(rng.uniform(*sorted((brow, shoulder))), 0, bottom * 0.5))


def _cut_above(pose: Floats, height: int, rng: np.random.Generator) -> int:
    """A row between the elbows and the knees, 0 if the legs are not in the photo."""
    waist, ankle = pose[[Joint.LEFT_ELBOW, Joint.LEFT_ANKLE], 1]
    if pose[Joint.LEFT_KNEE, 1] > height - 1:
        return 0
    return int(np.clip(waist + rng.uniform(-0.2, 0.35) * (ankle - waist), 0, height * 0.75))


def _jitter(matrix: Floats, rng: np.random.Generator) -> Floats:
    turn, scale = np.radians(rng.normal(0, 5)), np.exp(rng.uniform(-0.2, 0.18))
    shift = rng.uniform(-0.06, 0.06, 2) * (WIDTH, HEIGHT)
    spin = cv2.getRotationMatrix2D(((WIDTH - 1) / 2, (HEIGHT - 1) / 2), float(np.degrees(turn)), float(scale))
    spin[:, 2] += shift
    square = np.vstack([matrix, [[0, 0, 1]]])
    return np.asarray(spin @ square, np.float32)


def _other_ground(image: Bytes, classes: Bytes, rng: np.random.Generator) -> Bytes:
    """The person before a plain studio ground, with a slight gradient."""
    height, width = classes.shape
    colour = rng.uniform(60, 255) + rng.normal(0, 12, 3) if rng.random() < 0.8 else rng.uniform(20, 255, 3)
    slope = np.linspace(-1, 1, height)[:, None] * rng.normal(0, 14) + np.linspace(-1, 1, width) * rng.normal(0, 8)
    noise = rng.standard_normal((height, width), np.float32) * np.float32(rng.uniform(0, 4))
    ground = cv2.merge([slope.astype(np.float32) + noise + np.float32(c) for c in colour * np.ones(3)])
    alpha = cv2.GaussianBlur((classes > 0).astype(np.float32), (0, 0), 1.0)[:, :, None]
    return np.asarray(np.clip(ground + (image - ground) * alpha, 0, 255), np.uint8)


def _faulty(silhouette: Bytes, classes: Bytes, rng: np.random.Generator) -> Bytes:
    """The silhouette too fat, too thin, too coarse, taken from the labels, or missing."""
    chance = rng.random()
    if chance < 0.08:
        return np.zeros_like(silhouette)
    if chance < 0.3:
        sigma = float(rng.uniform(0.5, 3))
        return np.asarray(cv2.GaussianBlur((classes > 0).astype(np.uint8) * 255, (0, 0), sigma), np.uint8)
    if chance < 0.6:
        size = int(rng.integers(3, 12))
        shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        return np.asarray((cv2.dilate if rng.random() < 0.5 else cv2.erode)(silhouette, shape), np.uint8)
    return silhouette


def _dyed(image: Floats, target: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Some garments in other colours: cloth comes in all of them, and few photos of a garment must teach its shape."""
    for index in DYED:
        if rng.random() < 0.35:
            continue
        place = target == index
        if not place.any():
            continue
        mask = np.repeat(np.repeat(place, 2, 0), 2, 1)
        cloth = image[:, mask]  # (3, n)
        grey = cloth.mean(0)
        tint = rng.normal(0, 1, 3)
        tint = (tint - tint.mean()) * rng.uniform(0, 0.25)
        turned = np.roll(cloth, int(rng.integers(0, 3)), 0) if rng.random() < 0.5 else cloth
        lightness = grey ** np.exp(rng.normal(0, 0.35)) * np.exp(rng.normal(0, 0.2))
        shade = turned - turned.mean(0)
        image = image.copy()
        image[:, mask] = np.clip(lightness + shade * rng.uniform(0, 1.3) + tint[:, None] * (0.2 + lightness), 0, 1)
    return image


def _light(image: Floats, rng: np.random.Generator) -> Floats:
    """Other exposure, contrast, white balance and saturation; sometimes grey, blurred or noisy."""
    grey = image.mean(0, keepdims=True)
    image = grey + (image - grey) * (0.0 if rng.random() < 0.04 else rng.uniform(0.6, 1.4))
    gains = np.exp(rng.normal(0, 0.18) + rng.normal(0, 0.06, 3))[:, None, None]
    image = np.clip((image - 0.5) * rng.uniform(0.7, 1.3) + 0.5 + rng.normal(0, 0.04), 0, 1) * gains
    image = np.clip(image, 0, 1) ** np.exp(rng.normal(0, 0.15))
    if rng.random() < 0.15:
        blurred = cv2.GaussianBlur(image.transpose(1, 2, 0), (0, 0), float(rng.uniform(0.4, 1.3)))
        image = np.asarray(blurred.transpose(2, 0, 1), np.float32)
    if rng.random() < 0.2:
        image = image + rng.normal(0, rng.uniform(0.005, 0.03), image.shape).astype(np.float32)
    return np.clip(image, 0, 1).astype(np.float32)
