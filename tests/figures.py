"""A drawn person and the sample garments as exact values, for tests that need no model files."""

from __future__ import annotations

import json
from functools import cache

import cv2
import numpy as np
from PIL import Image

from vestiary import samples
from vestiary.types import Garment, Joint, Landmark, Part, Person

WIDTH, HEIGHT, UNIT = 300, 500, 60
_PLACES = {
    "NOSE": (150, 52), "MOUTH_LEFT": (155, 62), "MOUTH_RIGHT": (145, 62), "LEFT_EAR": (165, 52), "RIGHT_EAR": (135, 52),
    "LEFT_SHOULDER": (180, 100), "RIGHT_SHOULDER": (120, 100), "LEFT_ELBOW": (196, 160), "RIGHT_ELBOW": (104, 160),
    "LEFT_WRIST": (204, 212), "RIGHT_WRIST": (96, 212), "LEFT_INDEX": (206, 230), "RIGHT_INDEX": (94, 230),
    "LEFT_HIP": (168, 195), "RIGHT_HIP": (132, 195), "LEFT_KNEE": (170, 290), "RIGHT_KNEE": (130, 290),
    "LEFT_ANKLE": (171, 380), "RIGHT_ANKLE": (129, 380), "LEFT_HEEL": (171, 390), "RIGHT_HEEL": (129, 390),
}  # fmt: skip


def pose() -> np.ndarray:
    """`(33, 4)` of a person who stands upright and faces the camera."""
    points = np.zeros((33, 4), np.float32)
    points[:, :2] = _PLACES["NOSE"]
    points[:, 3] = 0.99
    for name, place in _PLACES.items():
        points[Joint[name], :2] = place
    return points


def person(*, sleeves: str = "long", lower: Part = Part.TROUSERS, scale: float = 1.0) -> Person:
    """A drawn person on a striped ground, in a grey top and blue trousers."""
    image = np.full((HEIGHT, WIDTH, 3), (180, 190, 200), np.uint8)
    image[::7] = (150, 160, 170)
    parts = np.zeros((HEIGHT, WIDTH), np.uint8)

    def draw(names: tuple[str, ...], thickness: int, part: Part, colour: tuple[int, int, int]) -> None:
        line = np.array([_PLACES[name] for name in names], np.int32)
        for canvas, value in ((image, colour), (parts, int(part))):
            cv2.polylines(canvas, [line], False, value, thickness)

    skin, cloth, denim = (205, 165, 145), (120, 120, 125), (60, 80, 140)
    for side in ("LEFT", "RIGHT"):
        part = Part[f"{side}_ARM"] if sleeves == "none" else Part.TOP
        draw((f"{side}_SHOULDER", f"{side}_ELBOW", f"{side}_WRIST"), 17, part, skin if sleeves == "none" else cloth)
        draw((f"{side}_HIP", f"{side}_KNEE", f"{side}_ANKLE"), 27, lower, denim)
        draw((f"{side}_WRIST", f"{side}_INDEX"), 11, Part[f"{side}_HAND"], skin)
    hull = np.array([(118, 92), (182, 92), (176, 160), (181, 205), (119, 205), (124, 160)], np.int32)
    for canvas, value in ((image, cloth), (parts, int(Part.TOP))):
        cv2.fillPoly(canvas, [hull], value)
    for canvas, value in ((image, skin), (parts, int(Part.NECK))):
        cv2.rectangle(canvas, (141, 70), (159, 92), value, -1)
    for canvas, value in ((image, skin), (parts, int(Part.FACE))):
        cv2.ellipse(canvas, (150, 52), (17, 22), 0, 0, 360, value, -1)
    for canvas, value in ((image, (50, 35, 25)), (parts, int(Part.HAIR))):
        cv2.ellipse(canvas, (150, 38), (19, 14), 0, 180, 360, value, -1)
    joints = pose()
    if scale != 1.0:
        size = (round(WIDTH * scale), round(HEIGHT * scale))
        image, parts = cv2.resize(image, size), cv2.resize(parts, size, interpolation=cv2.INTER_NEAREST)
        joints[:, :2] *= scale
    world = np.zeros((33, 3), np.float32)
    world[:, :2] = (joints[:, :2] - joints[23:25, :2].mean(axis=0)) * (0.34 / UNIT / scale)
    silhouette = np.where(parts > 0, 255, 0).astype(np.uint8)
    return Person(image, joints, world, np.zeros((18, 3), np.float32), silhouette, parts, "front", source="drawn")


@cache
def garment(name: str) -> Garment:
    """A sample garment with its exact landmarks and outline."""
    folder = next(iter(samples.garments().values())).parent
    facts = json.loads((folder / "garments.json").read_text())[name]
    image = np.asarray(Image.open(folder / name).convert("RGB"))
    alpha = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(alpha, [np.array(facts["outline"], np.int32)], 255)
    marks = np.zeros((28, 3), np.float32)
    for mark, place in facts["landmarks"].items():
        marks[Landmark[mark]] = (*place, 1)
    for side in ("LEFT", "RIGHT"):
        for elbow, ends in {"OUTER": ("SHOULDER", "CUFF_OUTER"), "INNER": ("ARMPIT", "CUFF_INNER")}.items():
            if not marks[Landmark[f"ELBOW_{elbow}_{side}"], 2]:
                marks[Landmark[f"ELBOW_{elbow}_{side}"]] = sum(marks[Landmark[f"{end}_{side}"]] for end in ends) / 2
    return Garment(image.copy(), alpha, facts["category"], marks, facts["sleeve"], facts["neckline"], source=name)
