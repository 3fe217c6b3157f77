"""By what results are split: what is worn, who wears it and how, light and ground. The bounds are written here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vestiary.evaluation.detail import ENOUGH
from vestiary.evaluation.torso import HIPS, SHOULDERS, torso_height
from vestiary.types import SLEEVES, UPPER, Joint, Part

if TYPE_CHECKING:
    from vestiary.types import Garment, Person

TITLES = {
    "category": "Garment",
    "sleeve": "Sleeves",
    "pattern": "Pattern",
    "facing": "Facing",
    "pose": "Pose",
    "arms": "Arms",
    "frame": "Frame",
    "body": "Outline of the body",
    "light": "Light",
    "background": "Ground",
}
DARK = 78.0  # L* that a tenth of the photo's pixels reach; clothes may be dark, a whole photo rarely is
BRIGHT = 70.0  # median L* of the photo
HARD = 20.0  # standard deviation of L* over the face: one colour, so what varies is light
BUSY = 4.5  # of L*: median local contrast of the ground
SLIM, BROAD = 0.82, 1.0  # the outline from shoulders to hips: its area as a share of the torso's height squared


def of_garment(garment: Garment, findable: int) -> dict[str, str]:
    """Category, sleeves (of garments that may have them) and pattern."""
    found = {"category": garment.category, "pattern": "patterned" if findable >= ENOUGH else "plain"}
    if garment.category in UPPER and garment.sleeve in SLEEVES:
        found["sleeve"] = garment.sleeve
    return found


def of_person(person: Person) -> dict[str, str]:
    """Facing, arms, frame, body, light and ground, by rules on the scan."""
    height = person.image.shape[0]
    knees = person.pose[[Joint.LEFT_KNEE, Joint.RIGHT_KNEE], 1].mean()
    return {
        "facing": person.facing,
        "arms": "in front" if person.arm_in_front else "free",
        "frame": "full" if knees < height else "half",
        "body": _body(person),
        "light": _light(person),
        "background": _background(person),
    }


def of_facts(facts: Mapping[str, Any]) -> dict[str, str]:
    """What the data set itself says: synthetic sets know garment, body, pose, light and ground exactly."""
    found = {name: facts[name] for name in ("sleeve", "pattern") if isinstance(facts.get(name), str)}
    scene, body = facts.get("scene"), facts.get("body")
    if isinstance(scene, Mapping):
        names = ("pose", "frame", "light", "background")
        found |= {name: scene[name] for name in names if isinstance(scene.get(name), str)}
    if isinstance(body, Mapping) and isinstance(body.get("weight"), (int, float)):
        weight = float(body["weight"])
        found["body"] = "slim" if weight < 1 / 3 else "broad" if weight > 2 / 3 else "regular"
    return found


def _body(person: Person) -> str:
    """By the outline from shoulders to hips: clothes and arms count too, so it is a rough guess."""
    shoulders, hips = (np.mean([person.joint(joint)[1] for joint in pair]) for pair in (SHOULDERS, HIPS))
    height = person.silhouette.shape[0]
    rows = person.silhouette[max(0, int(shoulders)) : min(height, int(hips))] > 127
    if not rows.any() or hips > height:
        return "not seen"
    share = float(rows.sum()) / torso_height(person) ** 2
    return "slim" if share < SLIM else "broad" if share > BROAD else "regular"


def _light(person: Person) -> str:
    light = cv2.cvtColor(person.image, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32) / 2.55
    if np.percentile(light, 90) < DARK:
        return "dark"
    face = light[person.is_part(Part.FACE)]
    if len(face) > 100 and float(face.std()) > HARD:
        return "hard"
    return "bright" if np.median(light) > BRIGHT else "even"


def _background(person: Person) -> str:
    ground = person.silhouette < 20
    if ground.mean() < 0.05:
        return "not seen"
    light = cv2.cvtColor(person.image, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32) / 2.55
    width = max(3, round(0.02 * person.image.shape[0])) | 1
    contrast = np.sqrt(np.maximum(cv2.blur(light * light, (width, width)) - cv2.blur(light, (width, width)) ** 2, 0))
    return "busy" if float(np.median(contrast[ground])) > BUSY else "plain"
