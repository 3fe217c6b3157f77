"""A garment photo becomes a `Garment`: cut out, turned upright, named, measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.clock import Clock
from vestiary.errors import GarmentError
from vestiary.garment import attributes, cutout, matte, worn
from vestiary.garment.landmarks import settle
from vestiary.garment.network import look
from vestiary.garment.sight import Sight, see, shows_garment
from vestiary.garment.upright import turn_back
from vestiary.garment.worn_landmarks import worn_landmarks
from vestiary.types import Garment

if TYPE_CHECKING:
    from vestiary.types import Category, Mask, Picture

HINT = "Hand in a photo of one garment that is seen as a whole, or a PNG that is already cut out."
SIGHT = 768  # long side in pixels of the copy on which everything but the final alpha is found
LEAST_SHARE = 0.01  # of the picture; what is smaller is no garment
GREY = 128


def read(image: Picture, alpha: Mask | None = None, *, category: Category | None = None, source: str = "") -> Garment:
    """The garment in a photo: cut out, upright, with category, landmarks, sleeves, neckline and colours.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        alpha: `(H, W) uint8` when the picture is already cut out.
        category: what it is, when the caller knows; else it is recognised.
        source: SHA-256 of the input, kept in the value.

    Raises:
        GarmentError: no garment in it, or the person in it does not wear what was asked for.
        WeightsError: a model file is missing or broken.
    """
    clock = Clock()
    small = matte.reduce(image, SIGHT)
    if alpha is None and worn.find_wearer(small):
        clock.lap("wearer")
        return _read_worn(image, category, source, clock)
    clock.lap("wearer")
    return _read_flat(image, small, alpha, category, source, clock)


def _read_flat(
    image: Picture, small: Picture, alpha: Mask | None, category: Category | None, source: str, clock: Clock
) -> Garment:
    sight = see(small if alpha is None else _on_grey(small, alpha))
    if not shows_garment(sight.look):
        raise GarmentError("no garment was found in this photo.", hint=HINT)
    clock.lap("look")
    scores = attributes.with_outline(sight.look.category_scores, sight.look.mask)
    kind = category or attributes.best_category(scores)
    upright = turn_back(image, sight.degrees)
    if alpha is None:
        coarse = cutout.cut_out(sight.image, sight.look.mask, sight.box)
        coarse = cutout.without_hanger(coarse, sight.look.landmarks, kind)
        soft = matte.soften(upright, coarse)
        upright = matte.own_colours(upright, soft)
    else:
        soft = turn_back(alpha, sight.degrees)
        coarse = cv2.resize(soft, sight.image.shape[1::-1], interpolation=cv2.INTER_AREA)
    if float((coarse > 127).mean()) < LEAST_SHARE:
        raise GarmentError("no garment was found in this photo.", hint=HINT)
    clock.lap("cutout")
    sleeve = attributes.sleeve_length(sight.look.sleeve_scores, sight.look.landmarks, kind)
    landmarks = settle(sight.look.landmarks, coarse, kind, sleeve)
    to_photo = upright.shape[1] / coarse.shape[1]
    landmarks[:, :2] = np.where(landmarks[:, 2:] > 0, (landmarks[:, :2] + 0.5) * to_photo - 0.5, 0)
    clock.lap("landmarks")
    colours = attributes.main_colours(upright, soft)
    clock.lap("colours")
    return Garment(
        image=upright,
        alpha=soft,
        category=kind,
        landmarks=landmarks,
        sleeve=sleeve,
        neckline=attributes.neckline(sight.look.neckline_scores, kind),
        colours=colours,
        scores=scores,
        warnings=_warnings(sight, coarse, to_photo, {} if category else scores),
        timings=clock.laps,
        source=source,
    )


def _on_grey(picture: Picture, alpha: Mask) -> Picture:
    """A cut-out laid on grey, lighter or darker than the garment, as the network knows photos only."""
    share = cv2.resize(alpha, picture.shape[1::-1], interpolation=cv2.INTER_AREA)[..., None].astype(np.float32) / 255
    mean = float((picture * share).sum() / max(1.0, 3 * float(share.sum())))
    ground = GREY + 70 if mean < GREY else GREY - 70
    return np.asarray(np.rint(picture * share + ground * (1 - share)), np.uint8)


def _warnings(sight: Sight, mask: Mask, to_photo: float, scores: Mapping[str, float]) -> tuple[str, ...]:
    found = []
    x, y, width, height = cv2.boundingRect((mask > 127).astype(np.uint8))
    if x == 0 or y == 0 or x + width == mask.shape[1] or y + height == mask.shape[0]:
        found.append("Part of the garment is outside the photo.")
    if max(width, height) * to_photo < 200:
        found.append("The garment is small in the photo; the result will look soft.")
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    if ranked and ranked[0][1] < 0.6:
        names = f"{ranked[0][0]} or {ranked[1][0]}"
        found.append(f"The category is not certain ({names}); name it if it is wrong.")
    if cutout.overlap(mask > 127, sight.look.mask > 127) < 0.8:
        found.append("The cut-out is not certain; a plain ground of another colour gives a better one.")
    return tuple(found)


def _read_worn(image: Picture, category: Category | None, source: str, clock: Clock) -> Garment:
    person = worn.scan_wearer(image)
    clock.lap("scan")
    kind, where = worn.choose(person, category)
    mask = worn.tidy(where, 0.02 * worn.shoulder_width(person))
    picture, mask, covers = worn.uncover(person, mask, kind)
    soft = matte.soften(picture, mask)
    clean = matte.own_colours(picture, soft)
    clock.lap("cutout")
    landmarks, sleeve = worn_landmarks(person, mask, kind)
    clock.lap("landmarks")
    x0, y0, x1, y1 = worn.box_of(mask)
    small = matte.reduce(clean[y0:y1, x0:x1], 384)
    seen = look(_on_grey(small, soft[y0:y1, x0:x1]))
    clock.lap("look")
    colours = attributes.main_colours(clean, soft)
    clock.lap("colours")
    return Garment(
        image=clean,
        alpha=soft,
        category=kind,
        landmarks=landmarks,
        sleeve=sleeve,
        neckline=attributes.neckline(seen.neckline_scores, kind),
        colours=colours,
        scores=worn.scores(person, kind),
        worn=True,
        warnings=worn.warnings(person, kind, covers),
        timings=clock.laps,
        source=source,
    )
