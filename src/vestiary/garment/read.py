"""A garment photo becomes a `Garment`: cut out, turned upright, named, measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.clock import Clock
from vestiary.errors import GarmentError
from vestiary.garment import attributes, colours, cutout, matte, worn
from vestiary.garment.describe import Description, describe
from vestiary.garment.landmarks import settle
from vestiary.garment.network import look
from vestiary.garment.rules import see_by_rules
from vestiary.garment.sight import Sight, see, see_as_it_is, shows_garment
from vestiary.garment.upright import turn_back
from vestiary.garment.worn_landmarks import worn_landmarks
from vestiary.types import Garment

if TYPE_CHECKING:
    from vestiary.types import Category, Mask, Picture, Reader

HINT = "Hand in a photo of one garment that is seen as a whole, or a PNG that is already cut out."
SIGHT = 768  # long side in pixels of the copy on which everything but the final alpha is found
LEAST_SHARE = 0.01  # of the picture; what is smaller is no garment
GREY = 128
FAR = 45.0  # degrees; photos are seldom taken so far askew, so a second opinion is asked for


def read(
    image: Picture,
    alpha: Mask | None = None,
    *,
    category: Category | None = None,
    reader: Reader = "network",
    words: bool = True,
    source: str = "",
) -> Garment:
    """The garment in a photo: cut out, upright, with category, landmarks, sleeves, neckline and colours.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        alpha: `(H, W) uint8` when the picture is already cut out.
        category: what it is, when the caller knows; else it is recognised.
        reader: "network"; or "rules", the baseline without any learned part, for garments that lie upright.
        words: whether the attribute network has a say in category, sleeve and neckline and gives pattern, length and
            the vector for search; without it the garment network and the outline alone decide.
        source: SHA-256 of the input, kept in the value.

    Raises:
        GarmentError: no garment in it, or the person in it does not wear what was asked for.
        WeightsError: a model file is missing or broken.
    """
    clock = Clock()
    order = _Order(category, reader, words and reader == "network", source)
    small = matte.reduce(image, SIGHT)
    if reader == "rules":
        return _read_flat(image, see_by_rules(_opaque(small, alpha)), alpha, order, clock)
    if alpha is None and worn.find_wearer(small):
        clock.lap("wearer")
        return _read_worn(image, order, clock)
    clock.lap("wearer")
    sight = see(_opaque(small, alpha))
    if not shows_garment(sight.look):
        raise GarmentError("no garment was found in this photo.", hint=HINT)
    if order.words and abs(sight.degrees) > FAR:
        sight = _surer(sight, see_as_it_is(_opaque(small, alpha)))
    return _read_flat(image, sight, alpha, order, clock)


def _surer(turned: Sight, plain: Sight) -> Sight:
    """The photo turned far, or as it is: whichever the attribute network can name with more certainty."""

    def certainty(sight: Sight) -> float:
        return max(describe(sight.image, sight.look.mask).scores["category"].values())

    return turned if certainty(turned) > certainty(plain) else plain


@dataclass(frozen=True)
class _Order:
    """What the caller asked for."""

    category: Category | None
    reader: Reader
    words: bool
    source: str

    @property
    def networks(self) -> tuple[str, ...]:
        """The model files that look at the garment."""
        seen = () if self.reader == "rules" else ("garment",)
        return (*seen, "attributes") if self.words else seen


def _opaque(small: Picture, alpha: Mask | None) -> Picture:
    return small if alpha is None else _on_grey(small, alpha)


def _read_flat(image: Picture, sight: Sight, alpha: Mask | None, order: _Order, clock: Clock) -> Garment:
    clock.lap("look")
    upright = turn_back(image, sight.degrees)
    if alpha is None:
        coarse = cutout.cut_out(sight.image, sight.look.mask, sight.box)
    else:
        soft = turn_back(alpha, sight.degrees)
        coarse = cv2.resize(soft, sight.image.shape[1::-1], interpolation=cv2.INTER_AREA)
    if float((coarse > 127).mean()) < LEAST_SHARE:
        raise GarmentError("no garment was found in this photo.", hint=HINT)
    clock.lap("cutout")
    described = describe(sight.image, coarse) if order.words else None
    ruled = order.reader == "rules"
    scores = dict(sight.look.category_scores) if ruled else attributes.category_scores(sight.look, described)
    kind = order.category or attributes.best_category(scores)
    clock.lap("words")
    if alpha is None:
        coarse = cutout.without_hanger(coarse, sight.look.landmarks, kind)
        soft = matte.soften(upright, coarse)
        upright = matte.own_colours(upright, soft)
    clock.lap("cutout")
    sleeve = attributes.sleeve_length(attributes.mixed("sleeve", sight.look, described), sight.look.landmarks, kind)
    landmarks = settle(sight.look.landmarks, coarse, kind, sleeve)
    to_photo = upright.shape[1] / coarse.shape[1]
    landmarks[:, :2] = np.where(landmarks[:, 2:] > 0, (landmarks[:, :2] + 0.5) * to_photo - 0.5, 0)
    clock.lap("landmarks")
    garment = Garment(
        image=upright,
        alpha=soft,
        category=kind,
        landmarks=landmarks,
        sleeve=sleeve,
        neckline=attributes.neckline(attributes.mixed("neckline", sight.look, described), kind),
        scores=scores,
        turned=sight.degrees,
        warnings=_warnings(sight, coarse, to_photo, {} if order.category else scores),
        source=order.source,
        networks=order.networks,
    )
    return _finished(garment, described, clock)


def _finished(garment: Garment, described: Description | None, clock: Clock) -> Garment:
    """The garment with its colours, and with pattern, length and vector where it was described."""
    main = colours.main_colours(garment.image, garment.alpha)
    clock.lap("colours")
    garment = replace(garment, colours=main, colour_names=colours.names_of(main), timings=clock.laps)
    if described is None:
        return garment
    return replace(
        garment,
        pattern=attributes.pattern(described.scores["pattern"]),
        length=attributes.length(described.scores["length"], garment.category),
        embedding=described.embedding,
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


def _read_worn(image: Picture, order: _Order, clock: Clock) -> Garment:
    person = worn.scan_wearer(image)
    clock.lap("scan")
    kind, where = worn.choose(person, order.category)
    mask = worn.tidy(where, 0.02 * worn.shoulder_width(person))
    picture, mask, covers = worn.uncover(person, mask, kind)
    soft = matte.soften(picture, mask)
    clean = matte.own_colours(picture, soft)
    clock.lap("cutout")
    landmarks, sleeve = worn_landmarks(person, mask, kind)
    clock.lap("landmarks")
    x0, y0, x1, y1 = worn.box_of(mask)
    small, part = matte.reduce(clean[y0:y1, x0:x1], 384), soft[y0:y1, x0:x1]
    seen = look(_on_grey(small, part))
    clock.lap("look")
    described = None
    if order.words:
        part = cv2.resize(part, small.shape[1::-1], interpolation=cv2.INTER_AREA)
        described = describe(small, np.asarray(part, np.uint8))
        clock.lap("words")
    garment = Garment(
        image=clean,
        alpha=soft,
        category=kind,
        landmarks=landmarks,
        sleeve=sleeve,
        neckline=attributes.neckline(attributes.mixed("neckline", seen, described), kind),
        scores=worn.scores(person, kind),
        worn=True,
        warnings=worn.warnings(person, kind, covers),
        source=order.source,
        networks=person.networks + order.networks,
    )
    return _finished(garment, described, clock)
