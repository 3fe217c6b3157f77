"""What the pose says of a person: which way they face, which arm is in front, what of them can be seen, what is wrong.

Whatever makes a fitting impossible is a `PersonError`; whatever may only spoil it is a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from vestiary.errors import PersonError
from vestiary.types import Facing, Joint, Person

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture, Points

Half = Literal["upper", "lower"]

SIDEWAYS = 55.0  # degrees that the chest is turned from the camera
AWAY, SURELY_AWAY = 100.0, 125.0
FACE_SEEN = 0.66
LYING = 55.0  # degrees between the trunk and the vertical
SURE = 0.5  # confidence of a joint that counts as seen
HINTED = 0.05  # of one that may lie just outside the photo
IN_FRONT = 0.04  # metres nearer than the trunk
MIN_HEIGHT, GOOD_HEIGHT = 64, 256  # pixels from head to foot, whether the feet are in the photo or not
SHARP_HEIGHT = 384  # height at which sharpness is compared
MIN_SHARPNESS = 60.0
MIN_LIGHT = 70  # of the person's brightest twentieth, 0..255
TRUNKS = 3.5  # lengths of the trunk from head to foot

_SIDES = {
    "left": (Joint.LEFT_ELBOW, Joint.LEFT_WRIST, Joint.LEFT_INDEX),
    "right": (Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, Joint.RIGHT_INDEX),
}


def yaw(world: Points) -> float:
    """Degrees that the chest is turned: 0 = to the camera, 90 = to the picture's left, -90 = right, ±180 = away."""
    across = world[Joint.LEFT_SHOULDER] - world[Joint.RIGHT_SHOULDER]
    across = across + 0.5 * (world[Joint.LEFT_HIP] - world[Joint.RIGHT_HIP])
    return float(np.degrees(np.arctan2(-across[2], across[0])))


def facing_of(world: Points, face: float) -> Facing:
    """Which way the chest points.

    Args:
        world: `(33, 3)`, metres.
        face: 0..1, how surely a face is seen; then it takes a further turn to count as from behind.
    """
    turned = yaw(world)
    if abs(turned) > (SURELY_AWAY if face >= FACE_SEEN else AWAY):
        return "back"
    if abs(turned) > SIDEWAYS:
        return "left" if turned > 0 else "right"
    return "front"


def arms_in_front(pose: Points, world: Points) -> frozenset[str]:
    """The sides ("left", "right") whose forearm or hand is in front of the torso.

    Args:
        pose: `(33, 4)` landmarks in pixels.
        world: `(33, 3)` in metres; tells an arm in front from one behind the back.
    """
    torso = _torso(pose)
    chest = world[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], 2].mean()
    found = set()
    for side, (elbow, wrist, index) in _SIDES.items():
        if pose[[elbow, wrist], 3].max() < 0.3:
            continue
        along = np.linspace(0.25, 1.0, 7)[:, None]
        points = pose[elbow, :2] * (1 - along) + pose[wrist, :2] * along
        points = np.concatenate([points, (pose[[wrist], :2] + pose[[index], :2]) / 2, pose[[index], :2]])
        inside = sum(cv2.pointPolygonTest(torso, (float(x), float(y)), False) >= 0 for x, y in points)
        nearer = chest - world[[wrist, index], 2].mean() > IN_FRONT
        if inside >= 3 and nearer:
            found.add(side)
    return frozenset(found)


def visible_halves(pose: Points, size: tuple[int, ...]) -> frozenset[Half]:
    """Which halves of the body the photo shows: "upper" = shoulders and chest, "lower" = hips and most of the thighs.

    Args:
        pose: `(33, 4)` landmarks in pixels.
        size: height, width of the photo.
    """
    shoulders, hips, knees = (_between(pose, joint) for joint in (Joint.LEFT_SHOULDER, Joint.LEFT_HIP, Joint.LEFT_KNEE))
    chest = shoulders[1] + 0.4 * (hips[1] - shoulders[1])
    thighs = hips[1] + 0.6 * (knees[1] - hips[1])
    halves: set[Half] = set()
    if shoulders[2] > SURE and shoulders[1] >= 0 and chest <= size[0]:
        halves.add("upper")
    if hips[2] > SURE and knees[2] > HINTED and knees[1] > 0 and thighs <= size[0]:
        halves.add("lower")
    return frozenset(halves)


def require_half(person: Person, half: Half, garment: str) -> None:
    """Make sure that the photo shows the half of the body that a garment covers.

    Raises:
        PersonError: it does not.
    """
    if half not in visible_halves(person.pose, person.image.shape[:2]):
        part = "from the shoulders to the waist" if half == "upper" else "from the waist to below the knees"
        raise PersonError(
            f"the photo does not show the {half} body, where the {garment} goes.",
            hint=f"Use a photo that shows the person {part}.",
        )


def check_can_serve(pose: Points, world: Points, facing: Facing) -> None:
    """Make sure that clothes can be put on this person.

    Raises:
        PersonError: seen from behind, lying or upside down, or far too small.
    """
    if person_height(pose) < MIN_HEIGHT:
        hint = f"Use a photo, or cut one out, in which the person is at least {GOOD_HEIGHT} pixels tall."
        raise PersonError(
            f"the person is too small: about {person_height(pose):.0f} pixels from head to foot.", hint=hint
        )
    lean = trunk_lean(pose)
    if lean > 180 - LYING:
        raise PersonError("the person is upside down.", hint="Turn the photo upright.")
    if lean > LYING:
        hint = "Use a photo of somebody who stands or sits; if the photo lies on its side, turn it upright."
        raise PersonError("the person is lying down.", hint=hint)
    if facing == "back":
        raise PersonError("the person is seen from behind.", hint="Use a photo of somebody who faces the camera.")


def trunk_lean(pose: Points) -> float:
    """Degrees between the line from the hips to the shoulders and the vertical: 0 = upright, 180 = upside down."""
    up = _between(pose, Joint.LEFT_SHOULDER)[:2] - _between(pose, Joint.LEFT_HIP)[:2]
    return float(np.degrees(np.arctan2(abs(up[0]), -up[1])))


def person_height(pose: Points) -> float:
    """How many pixels tall the whole person is, or would be if the photo went on to the feet."""
    trunk = np.hypot(*(_between(pose, Joint.LEFT_SHOULDER) - _between(pose, Joint.LEFT_HIP))[:2])
    across = np.hypot(*(pose[Joint.LEFT_SHOULDER] - pose[Joint.RIGHT_SHOULDER])[:2])
    return float(TRUNKS * max(trunk, 1.3 * across))


def find_warnings(image: Picture, pose: Points, silhouette: Mask, *, facing: Facing, people: int) -> tuple[str, ...]:
    """What may spoil a fitting, in words for the user; empty for a good photo."""
    height = person_height(pose)
    light, sharpness = _light_and_sharpness(image, silhouette)
    halves = visible_halves(pose, image.shape[:2])
    warnings: list[str] = []
    if people > 1:
        warnings.append(f"There are {people} people; this is the largest one unless you chose another.")
    if facing in ("left", "right"):
        warnings.append("The person is seen from the side; clothes fit best on somebody who faces the camera.")
    if height < GOOD_HEIGHT:
        warnings.append(
            f"The person is small, about {height:.0f} pixels from head to foot; a larger photo looks better."
        )
    if sharpness < MIN_SHARPNESS:
        warnings.append("The photo is blurred; a sharp one looks better.")
    if light < MIN_LIGHT:
        warnings.append("The photo is very dark; one with more light looks better.")
    if "upper" not in halves:
        warnings.append("The upper body is not whole in the photo: tops, outerwear and dresses cannot be fitted.")
    if "lower" not in halves:
        warnings.append("The legs are not in the photo: trousers, shorts and skirts cannot be fitted.")
    return tuple(warnings)


def _torso(pose: Points) -> Points:
    """The quadrilateral of shoulders and hips, widened at the hips from the joints to the body's edge."""
    order = (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.RIGHT_HIP, Joint.LEFT_HIP)
    corners = pose[list(order), :2].astype(np.float32)
    spread = corners[3] - corners[2]
    corners[2] -= 0.2 * spread
    corners[3] += 0.2 * spread
    return corners


def _between(pose: Points, left: Joint) -> Points:
    """`(3,)`: x, y and confidence midway between a joint and its twin, which follows it in `Joint`."""
    pair = pose[left : left + 2]
    return np.array([*pair[:, :2].mean(axis=0), pair[:, 3].max()], np.float32)


def _light_and_sharpness(image: Picture, silhouette: Mask) -> tuple[float, float]:
    """Lightness 0..255 of the person's brightest twentieth; variance of the Laplacian on them at a common size."""
    x, y, w, h = cv2.boundingRect((silhouette > 127).astype(np.uint8))
    if not w or not h:
        return 0.0, 0.0
    scale = min(1.0, SHARP_HEIGHT / max(h, w))
    size = max(1, round(w * scale)), max(1, round(h * scale))
    grey = cv2.cvtColor(cv2.resize(image[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    inside = cv2.resize(silhouette[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA) > 127
    if not inside.any():
        return 0.0, 0.0
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    return float(np.percentile(grey[inside], 95)), float(edges[inside].var())
