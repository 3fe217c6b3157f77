"""Parts without a trained parser: from the pose's limbs, the silhouette and the colour of the face.

What an engine could do without learning, kept to show what the network is worth (`scan_person(..., parser="rules")`).
It knows one upper garment, trousers or shorts, shoes and hair; no dress, skirt, outerwear, bag, hat or accessory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.person.limbs import divide_skin, torso_length
from vestiary.types import Joint, Part

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture, Points

Floats = NDArray[np.float32]

LONGEST = 480  # of the grid on which everything is decided
SPREAD = 2.6  # standard deviations of the face's colours within which a colour counts as skin
LEAST_FACE = 30  # pixels of the face without which no colour is known
WAIST = 0.2  # of the torso's length above the hip joints
LEGS = (Part.LEFT_LEG, Part.RIGHT_LEG)


def parse_by_rules(image: Picture, pose: Points, silhouette: Mask) -> Mask:
    """What every pixel shows, `(H, W) uint8` of `Part`.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        pose: `(33, 4) float32`: x, y, z in pixels, confidence.
        silhouette: `(H, W) uint8` soft mask of the person.
    """
    height, width = silhouette.shape
    scale = min(1.0, LONGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    inside = cv2.resize(silhouette, size, interpolation=cv2.INTER_AREA) > 127
    placed = pose.astype(np.float32)
    placed[:, :2] = (pose[:, :2] + 0.5) * (size[0] / width, size[1] / height) - 0.5
    parts = _decide(small, placed, inside)
    whole = np.asarray(cv2.resize(parts, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    whole[silhouette <= 127] = Part.BACKGROUND
    return whole


def _decide(image: Picture, pose: Points, inside: NDArray[np.bool_]) -> Mask:
    parts = np.zeros(inside.shape, np.uint8)
    rows, columns = np.nonzero(inside)
    if not len(rows):
        return parts
    limb = parts.copy()
    limb[rows, columns] = divide_skin(np.column_stack([columns, rows]).astype(np.float32), pose)
    bare = inside & _skin_coloured(image, limb == Part.FACE, pose)
    clothes = inside & ~bare
    down = np.arange(len(parts), dtype=np.float32)[:, None] + np.zeros(parts.shape, np.float32)
    parts[bare] = limb[bare]
    parts[clothes] = Part.TOP
    parts[clothes & (down > _waist(pose))] = _lower_garment(bare & np.isin(limb, LEGS), pose)
    parts[clothes & (down < _chin(pose)) & np.isin(limb, (Part.FACE, Part.NECK))] = Part.HAIR
    parts[clothes & _feet(parts.shape, pose)] = Part.SHOES
    return parts


def _skin_coloured(image: Picture, face: NDArray[np.bool_], pose: Points) -> NDArray[np.bool_]:
    """Where the colour is one of the middle of the face; everything that could be a face if that is not seen."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    eyes, mouth = (pose[[Joint[a], Joint[b]], :2].mean(0) for a, b in (("LEFT_EYE", "RIGHT_EYE"), _MOUTH))
    radius = max(2, round(0.6 * float(np.linalg.norm(mouth - eyes))))
    middle = np.zeros(face.shape, np.uint8)
    x, y = ((eyes + mouth) / 2).astype(int)
    cv2.circle(middle, (int(x), int(y)), radius, 1, -1)
    sample = lab[(middle > 0) & face]
    if len(sample) < LEAST_FACE:
        return face
    centre = np.median(sample, 0)
    spread = np.maximum(np.median(np.abs(sample - centre), 0) * 1.5, (14, 4, 4))
    return np.asarray(np.linalg.norm((lab - centre) / (2 * spread[0], spread[1], spread[2]), axis=2) < SPREAD, np.bool_)


_MOUTH = ("MOUTH_LEFT", "MOUTH_RIGHT")


def _waist(pose: Points) -> float:
    return float(pose[[Joint.LEFT_HIP, Joint.RIGHT_HIP], 1].mean()) - WAIST * torso_length(pose)


def _chin(pose: Points) -> float:
    mouth = float(pose[[Joint.MOUTH_LEFT, Joint.MOUTH_RIGHT], 1].mean())
    return mouth + 0.5 * abs(mouth - float(pose[[Joint.LEFT_EYE, Joint.RIGHT_EYE], 1].mean()))


def _lower_garment(bare_legs: NDArray[np.bool_], pose: Points) -> Part:
    """Shorts if the knees are bare, else trousers."""
    knees = pose[[Joint.LEFT_KNEE, Joint.RIGHT_KNEE], :2].round().astype(int)
    height, width = bare_legs.shape
    seen = [bare_legs[y, x] for x, y in knees if 0 <= x < width and 0 <= y < height]
    return Part.SHORTS if seen and all(seen) else Part.TROUSERS


def _feet(shape: tuple[int, ...], pose: Points) -> NDArray[np.bool_]:
    drawn = np.zeros(shape, np.uint8)
    thick = max(1, round(0.22 * torso_length(pose)))
    for side in ("LEFT", "RIGHT"):
        heel, foot = (tuple(int(v) for v in pose[Joint[f"{side}_{name}"], :2]) for name in ("HEEL", "FOOT"))
        cv2.line(drawn, heel, foot, 1, thick)
    return drawn > 0
