"""A scanned person as a picture: photo, skeleton, parts and silhouette side by side, with what was found in words."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vestiary.types import Joint, Part, Person

if TYPE_CHECKING:
    from vestiary.types import Picture

Colour = tuple[int, int, int]

PAPER: Colour = (250, 249, 246)
INK: Colour = (38, 38, 44)
FAINT: Colour = (128, 126, 122)
WARNING: Colour = (176, 72, 32)
LEFT: Colour = (0, 150, 220)
RIGHT: Colour = (240, 110, 60)
MIDDLE: Colour = (70, 70, 80)

PART_COLOURS: dict[Part, Colour] = {
    Part.BACKGROUND: (236, 234, 229),
    Part.HAIR: (92, 64, 51),
    Part.FACE: (255, 205, 170),
    Part.NECK: (240, 176, 140),
    Part.LEFT_ARM: (64, 170, 230),
    Part.RIGHT_ARM: (250, 150, 80),
    Part.LEFT_HAND: (20, 100, 170),
    Part.RIGHT_HAND: (200, 80, 20),
    Part.LEFT_LEG: (120, 200, 210),
    Part.RIGHT_LEG: (250, 195, 120),
    Part.TOP: (220, 60, 90),
    Part.OUTERWEAR: (140, 40, 110),
    Part.DRESS: (230, 110, 180),
    Part.SKIRT: (180, 130, 220),
    Part.TROUSERS: (70, 80, 170),
    Part.SHORTS: (110, 140, 220),
    Part.SHOES: (60, 60, 60),
    Part.BAG: (150, 170, 60),
    Part.HAT: (40, 130, 90),
    Part.ACCESSORY: (230, 200, 60),
}

_BONES = (
    *((Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER), (Joint.LEFT_HIP, Joint.RIGHT_HIP)),
    *((Joint.LEFT_SHOULDER, Joint.LEFT_HIP), (Joint.RIGHT_SHOULDER, Joint.RIGHT_HIP)),
    *((Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW), (Joint.LEFT_ELBOW, Joint.LEFT_WRIST)),
    *((Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW), (Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST)),
    *((Joint.LEFT_WRIST, Joint.LEFT_INDEX), (Joint.LEFT_WRIST, Joint.LEFT_THUMB)),
    *((Joint.RIGHT_WRIST, Joint.RIGHT_INDEX), (Joint.RIGHT_WRIST, Joint.RIGHT_THUMB)),
    *((Joint.LEFT_HIP, Joint.LEFT_KNEE), (Joint.LEFT_KNEE, Joint.LEFT_ANKLE)),
    *((Joint.RIGHT_HIP, Joint.RIGHT_KNEE), (Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE)),
    *((Joint.LEFT_ANKLE, Joint.LEFT_FOOT), (Joint.LEFT_ANKLE, Joint.LEFT_HEEL)),
    *((Joint.RIGHT_ANKLE, Joint.RIGHT_FOOT), (Joint.RIGHT_ANKLE, Joint.RIGHT_HEEL)),
    *((Joint.NOSE, Joint.LEFT_EYE), (Joint.LEFT_EYE, Joint.LEFT_EAR), (Joint.MOUTH_LEFT, Joint.MOUTH_RIGHT)),
    *((Joint.NOSE, Joint.RIGHT_EYE), (Joint.RIGHT_EYE, Joint.RIGHT_EAR)),
)

_NUMBERED = tuple(
    joint for joint in Joint if joint.name.endswith(("SHOULDER", "ELBOW", "WRIST", "HIP", "KNEE", "ANKLE"))
)
_PANEL = 720  # height of a panel
_WIDEST = 600
_MARGIN, _GAP = 40, 24
_HEAD = 74
_LEGEND = 190
_LINE = 28
_FACING = {"front": "the camera", "left": "the picture's left", "right": "the picture's right", "back": "away"}


def person_card(person: Person) -> Picture:
    """`(H, W, 3) uint8`: photo | skeleton | parts with legend | silhouette, and below, what was found in words."""
    panels = _panels(person)
    width, height = panels[0][1].size
    lines = _words(person)
    across = 4 * width + 3 * _GAP + _LEGEND + 2 * _MARGIN
    lines = [(part, colour) for text, colour in lines for part in textwrap.wrap(text, max(40, across // 9))]
    card = Image.new("RGB", (across, _HEAD + height + 32 + _LINE * len(lines) + _MARGIN), PAPER)
    pen = ImageDraw.Draw(card)
    x = _MARGIN
    for title, picture in panels:
        pen.text((x, _HEAD - 34), title, INK, _font(19))
        card.paste(picture, (x, _HEAD))
        x += width + _GAP
        if title == "parts":
            _draw_legend(pen, person, x - 4, _HEAD)
            x += _LEGEND
    for index, (text, colour) in enumerate(lines):
        pen.text((_MARGIN, _HEAD + height + 28 + _LINE * index), text, colour, _font(17))
    return np.asarray(card).copy()


def draw_skeleton(person: Person, *, scale: float = 1.0) -> Picture:
    """`(H, W, 3) uint8`: the pose on the dimmed photo. Left is blue, right orange; what is unsure is faint."""
    size = max(1, round(person.image.shape[1] * scale)), max(1, round(person.image.shape[0] * scale))
    photo = Image.fromarray(person.image).resize(size, Image.Resampling.LANCZOS)
    dimmed = Image.blend(photo, Image.new("RGB", size, (255, 255, 255)), 0.45).convert("RGBA")
    lines = Image.new("RGBA", size, (255, 255, 255, 0))
    pen = ImageDraw.Draw(lines)
    thick = max(2, round(max(size) / 180))
    points = [((x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5, sure) for x, y, _, sure in person.pose.tolist()]
    for one, other in _BONES:
        ends = [points[one][:2], points[other][:2]]
        pen.line(ends, (*_side_colour(one, other), _opacity(min(points[one][2], points[other][2]))), thick)
    for joint in Joint:
        x, y, sure = points[joint]
        r = thick * (0.7 if joint <= Joint.MOUTH_RIGHT else 1.25)
        pen.ellipse(
            (x - r, y - r, x + r, y + r), (*_side_colour(joint), _opacity(sure)), (255, 255, 255, _opacity(sure))
        )
    _draw_confidences(pen, points, thick)
    return np.asarray(Image.alpha_composite(dimmed, lines).convert("RGB")).copy()


def draw_parts(person: Person) -> Picture:
    """`(H, W, 3) uint8`: every part in the colour of `PART_COLOURS`."""
    table = np.zeros((256, 3), np.uint8)
    for part, colour in PART_COLOURS.items():
        table[part] = colour
    return np.asarray(table[person.parts], np.uint8)


def _panels(person: Person) -> list[tuple[str, Image.Image]]:
    height, width = person.image.shape[:2]
    scale = min(_PANEL / height, _WIDEST / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    photo = Image.fromarray(person.image).resize(size, Image.Resampling.LANCZOS)
    parts = Image.fromarray(draw_parts(person)).resize(size, Image.Resampling.BOX)
    mask = Image.fromarray(person.silhouette).resize(size, Image.Resampling.BOX)
    return [
        ("photo", photo),
        ("pose", Image.fromarray(draw_skeleton(person, scale=scale)).resize(size)),
        ("parts", Image.blend(parts, photo.convert("L").convert("RGB"), 0.25)),
        ("silhouette", Image.composite(photo, Image.new("RGB", size, (52, 120, 98)), mask)),
    ]


def _draw_legend(pen: ImageDraw.ImageDraw, person: Person, x: int, y: int) -> None:
    """The parts that are there, with their share of the person."""
    counts = np.bincount(person.parts.ravel(), minlength=len(Part))
    whole = max(1, int(counts[1:].sum()))
    shown = [part for part in Part if part != Part.BACKGROUND and counts[part] / whole > 0.001]
    for index, part in enumerate(shown):
        top = y + index * 30
        pen.rounded_rectangle((x, top, x + 20, top + 20), 4, PART_COLOURS[part])
        name = part.name.lower().replace("_", " ")
        pen.text((x + 28, top), name, INK, _font(15))
        pen.text((x + _LEGEND - 24, top), f"{counts[part] / whole:.0%}", FAINT, _font(15), anchor="ra")


def _words(person: Person) -> list[tuple[str, Colour]]:
    height, width = person.image.shape[:2]
    arms = " and ".join(f"the {side} arm" for side in sorted(person.arm_in_front)) or "no arm"
    sure = float(person.pose[:, 3].mean())
    seconds = sum(person.timings.values())
    facts = [
        f"faces {_FACING[person.facing]}",
        f"{arms} in front of the torso",
        f"33 landmarks, mean confidence {sure:.2f}",
        f"{width} x {height} pixels",
        *([f"{seconds:.2f} s"] if seconds else []),
    ]
    return [("   ·   ".join(facts), INK), *((f"! {warning}", WARNING) for warning in person.warnings)]


def _draw_confidences(pen: ImageDraw.ImageDraw, points: list[tuple[float, float, float]], thick: int) -> None:
    """Percent beside the joints of the limbs, on the outer side of each."""
    for joint in _NUMBERED:
        x, y, sure = points[joint]
        outward = 1 if x >= points[joint + (1 if "LEFT" in joint.name else -1)][0] else -1
        place, anchor = (x + outward * 3 * thick, y), "lm" if outward > 0 else "rm"
        pen.text(
            place,
            f"{sure:.0%}",
            (*INK, 255),
            _font(4 * thick),
            anchor,
            stroke_width=2,
            stroke_fill=(255, 255, 255, 220),
        )


def _side_colour(*joints: Joint) -> Colour:
    names = {joint.name for joint in joints} - {"NOSE"}
    if all("LEFT" in name for name in names) and names:
        return LEFT
    return RIGHT if all("RIGHT" in name for name in names) and names else MIDDLE


def _opacity(confidence: float) -> int:
    return round(55 + 200 * min(1.0, max(0.0, confidence)))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
