"""A garment as a card: the cut-out with its landmarks, and beside it what was understood of it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vestiary.types import Landmark

if TYPE_CHECKING:
    from vestiary.types import Garment, Picture

PHOTO = (760, 880)  # width and height in pixels of the field that holds the cut-out
PANEL = 380
EDGE = 40
INK, GREY, PALE, PAPER = (32, 34, 38), (122, 126, 134), (226, 228, 232), (250, 250, 248)
ACCENT, WARN = (46, 107, 214), (176, 84, 20)
LEFT, RIGHT, MIDDLE = (214, 64, 84), (38, 110, 214), (230, 150, 20)
CHECKER = ((255, 255, 255), (238, 239, 241))

Box = tuple[float, float, float, float]
RGB = tuple[int, int, int]


def garment_card(garment: Garment) -> Picture:
    """`(H, W, 3) uint8`: the cut-out on a checked ground with named landmarks, category and scores, sleeve, neckline,
    main colours and warnings."""
    width, height = PHOTO[0] + PANEL, PHOTO[1]
    card = Image.new("RGB", (width, height), PAPER)
    cutout, scale, corner = _cutout(garment)
    card.paste(cutout, (0, 0))
    pen = ImageDraw.Draw(card)
    _landmarks(pen, garment, scale, corner)
    _panel(pen, garment)
    return np.asarray(card, np.uint8)


def _cutout(garment: Garment) -> tuple[Image.Image, float, tuple[float, float]]:
    """The garment on a checked ground, with the scale and the place of the photo's corner in it."""
    inside = np.argwhere(garment.alpha > 20)
    height, width = garment.alpha.shape
    (y0, x0), (y1, x1) = (inside.min(0), inside.max(0) + 1) if len(inside) else ((0, 0), (height, width))
    room = (PHOTO[0] - 4 * EDGE, PHOTO[1] - 2.5 * EDGE)
    scale = min(room[0] / (x1 - x0), room[1] / (y1 - y0), 3.0)
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    place = ((PHOTO[0] - size[0]) // 2, (PHOTO[1] - size[1]) // 2)
    alpha = Image.fromarray(garment.alpha[y0:y1, x0:x1]).resize(size, Image.Resampling.LANCZOS)
    picture = Image.fromarray(garment.image[y0:y1, x0:x1]).resize(size, Image.Resampling.LANCZOS)
    ground = Image.fromarray(_checker(PHOTO))
    ground.paste(picture, place, alpha)
    return ground, scale, (place[0] - x0 * scale, place[1] - y0 * scale)


def _checker(size: tuple[int, int], cell: int = 16) -> Picture:
    y, x = np.mgrid[: size[1], : size[0]]
    return np.asarray(np.array(CHECKER, np.uint8)[(y // cell + x // cell) % 2])


def _landmarks(pen: ImageDraw.ImageDraw, garment: Garment, scale: float, corner: tuple[float, float]) -> None:
    font = _font(13)
    taken: list[Box] = []
    centre = np.median([place for place in garment.landmarks if place[2] > 0] or [(0, 0, 0)], axis=0)
    for mark in Landmark:
        x, y, confidence = (float(value) for value in garment.landmarks[mark])
        if confidence <= 0:
            continue
        colour = LEFT if mark.name.endswith("LEFT") else RIGHT if mark.name.endswith("RIGHT") else MIDDLE
        at = (x * scale + corner[0], y * scale + corner[1])
        radius = 4.5 if confidence >= 0.5 else 3.5
        pen.ellipse((at[0] - radius - 2, at[1] - radius - 2, at[0] + radius + 2, at[1] + radius + 2), fill="white")
        pen.ellipse((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), fill=colour)
        name = mark.name.removesuffix("_LEFT").removesuffix("_RIGHT").replace("_", " ").lower()
        box = _free_place(pen.textbbox((0, 0), name, font=font), at, x < centre[0], taken)
        taken.append(box)
        pen.text((box[0], box[1]), name, font=font, fill=INK, stroke_width=3, stroke_fill="white")


def _free_place(text: Box, at: tuple[float, float], to_left: bool, taken: list[Box]) -> Box:
    """Beside the point, moved up or down until it covers no other name."""
    width, height = text[2], text[3]
    x = at[0] - 11 - width if to_left else at[0] + 11
    for shift in (0, -10, 10, -18, 18, -28, 28):
        y = at[1] - height / 2 + shift
        box = (x, y, x + width, y + height)
        if not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            return box
    return x, at[1] - height / 2, x + width, at[1] + height / 2


def _panel(pen: ImageDraw.ImageDraw, garment: Garment) -> None:
    left, right = PHOTO[0] + EDGE, PHOTO[0] + PANEL - EDGE
    y = float(EDGE)
    pen.text((left, y), garment.category.capitalize(), font=_font(40), fill=INK)
    y += 66
    for name, score in sorted(garment.scores.items(), key=lambda item: -item[1]):
        chosen = name == garment.category
        pen.text((left, y), name, font=_font(15), fill=INK if chosen else GREY)
        bar = (left + 95, y + 6, right - 42, y + 12)
        pen.rounded_rectangle(bar, 3, fill=PALE)
        if score > 0.02:
            end = bar[0] + max(6.0, (bar[2] - bar[0]) * min(score, 1.0))
            pen.rounded_rectangle((bar[0], bar[1], end, bar[3]), 3, fill=ACCENT if chosen else GREY)
        pen.text((right, y), f"{score:.0%}", font=_font(15), fill=INK if chosen else GREY, anchor="ra")
        y += 24
    y += 18
    facts = [("Sleeves", garment.sleeve), ("Neckline", garment.neckline), ("Photo", "worn" if garment.worn else "flat")]
    for title, value in facts:
        pen.text((left, y), title, font=_font(15), fill=GREY)
        pen.text((right, y), value, font=_font(15), fill=INK, anchor="ra")
        y += 26
    y = _swatches(pen, garment, (left, y + 16), right)
    _warnings(pen, garment, (left, y + 10))
    _key(pen, left)


def _swatches(pen: ImageDraw.ImageDraw, garment: Garment, start: tuple[float, float], right: float) -> float:
    x, y = start
    total = sum(share for _, share in garment.colours) or 1.0
    position = x
    for colour, share in garment.colours:
        end = position + (right - x) * share / total
        pen.rectangle((position, y, end, y + 34), fill=colour)
        position = end
    pen.rounded_rectangle((x - 1, y - 1, right + 1, y + 35), 4, outline=PALE, width=2)
    y += 48
    for colour, share in garment.colours:
        pen.ellipse((x, y + 2, x + 14, y + 16), fill=colour, outline=PALE)
        pen.text((x + 24, y), "#{:02x}{:02x}{:02x}".format(*colour), font=_font(15), fill=INK)
        pen.text((right, y), f"{share:.0%}", font=_font(15), fill=GREY, anchor="ra")
        y += 24
    return y


def _warnings(pen: ImageDraw.ImageDraw, garment: Garment, start: tuple[float, float]) -> None:
    x, y = start
    for warning in garment.warnings:
        for line in textwrap.wrap(warning, 42):
            pen.text((x, y), line, font=_font(14), fill=WARN)
            y += 19
        y += 6


def _key(pen: ImageDraw.ImageDraw, x: float) -> None:
    y = PHOTO[1] - EDGE
    for name, colour in (("wearer's left", LEFT), ("right", RIGHT), ("middle", MIDDLE)):
        pen.ellipse((x, y + 3, x + 9, y + 12), fill=colour)
        pen.text((x + 15, y), name, font=_font(13), fill=GREY)
        x += 30 + pen.textlength(name, font=_font(13))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
