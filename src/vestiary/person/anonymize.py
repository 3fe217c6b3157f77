"""Faces hidden for good: what is stored or shown then cannot be recognised, nor made recognisable again.

A blur can be undone in part, and a fine mosaic still tells people apart (Hill et al., "On the (In)effectiveness of
Mosaicing and Blurring as Tools for Document Redaction", 2016). So a face becomes a mosaic of about six cells across,
each of the mean colour of what lies under it, rounded to 16 levels: too little is left to tell who it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.person.faces import Face, find_faces
from vestiary.types import Joint, Part

if TYPE_CHECKING:
    from vestiary.types import Mask, Person, Picture

CELLS = 6  # across a face
_LEVELS = 16
_HEAD = slice(Joint.NOSE, Joint.MOUTH_RIGHT + 1)
_SEEN = 0.2  # confidence of a landmark


@dataclass(frozen=True)
class _Oval:
    """An upright ellipse: centre and half axes in pixels."""

    x: float
    y: float
    across: float
    down: float


def hide_face(person: Person) -> Picture:
    """`(H, W, 3) uint8`: the person's photo with every face in it hidden; all else is bit for bit the photo.

    The face of the person is where pose and parts say that it is, and need not be found again. Other faces are looked
    for; those that are too small or turned too far away are not found.

    Raises:
        WeightsError: a model file is missing and cannot be fetched.
    """
    others = [face for face in find_faces(person.image) if not _on_clothes(face, person)]
    return hide_ovals(person.image, [*_ovals_of(person), *(_around(face) for face in others)])


def hide_faces(image: Picture) -> Picture:
    """`(H, W, 3) uint8`: any picture with the faces that are found in it hidden."""
    return hide_ovals(image, [_around(face) for face in find_faces(image)])


def hide_ovals(image: Picture, ovals: list[_Oval]) -> Picture:
    """The picture with a mosaic in each oval, its outline soft on the inside."""
    hidden = image.copy()
    for oval in ovals:
        _hide(image, hidden, oval)
    return hidden


def _on_clothes(face: Face, person: Person) -> bool:
    """Whether it is seen where the person wears or holds something: a pattern, not a face."""
    height, width = person.parts.shape
    x0, y0, x1, y1 = face.box
    x, y = min(max(round((x0 + x1) / 2), 0), width - 1), min(max(round((y0 + y1) / 2), 0), height - 1)
    return person.parts[y, x] not in (Part.BACKGROUND, Part.HAIR, Part.FACE, Part.NECK, Part.HAT)


def _ovals_of(person: Person) -> list[_Oval]:
    """Where the scanned person's face is: around the head's landmarks, and where the parser saw skin there."""
    head = person.pose[_HEAD]
    seen = head[head[:, 3] >= _SEEN] if (head[:, 3] >= _SEEN).sum() >= 3 else head
    x, y = seen[:, :2].mean(axis=0)
    shoulders = person.joint(Joint.LEFT_SHOULDER) - person.joint(Joint.RIGHT_SHOULDER)
    size = max(float(np.ptp(seen[:, 0])), 1.4 * float(np.ptp(seen[:, 1])), 0.25 * float(np.hypot(*shoulders)), 12.0)
    ovals = [_Oval(float(x), float(y) - 0.1 * size, 0.85 * size, 1.1 * size)]
    return ovals + _oval_of_part(person.is_part(Part.FACE), ovals[0])


def _oval_of_part(face: NDArray[np.bool_], near: _Oval) -> list[_Oval]:
    """The box of the parser's face pixels not far from the landmarks."""
    height, width = face.shape
    top, left = max(0, int(near.y - 2 * near.down)), max(0, int(near.x - 2 * near.across))
    bottom, right = min(height, int(near.y + 2 * near.down) + 1), min(width, int(near.x + 2 * near.across) + 1)
    if bottom <= top or right <= left:
        return []
    rows, columns = np.nonzero(face[top:bottom, left:right])
    if len(rows) < 20:
        return []
    y0, y1 = np.percentile(rows, (1, 99)) + top
    x0, x1 = np.percentile(columns, (1, 99)) + left
    return [_Oval((x0 + x1) / 2, (y0 + y1) / 2, 0.65 * (x1 - x0) + 2, 0.65 * (y1 - y0) + 2)]


def _around(face: Face) -> _Oval:
    """The detector's box goes from brow to chin; ears and hairline belong to a face too."""
    x0, y0, x1, y1 = face.box
    return _Oval((x0 + x1) / 2, (y0 + y1) / 2 - 0.05 * (y1 - y0), 0.68 * (x1 - x0), 0.8 * (y1 - y0))


def _hide(image: Picture, hidden: Picture, oval: _Oval) -> None:
    height, width = image.shape[:2]
    top, bottom = max(0, int(oval.y - oval.down) - 1), min(height, int(oval.y + oval.down) + 2)
    left, right = max(0, int(oval.x - oval.across) - 1), min(width, int(oval.x + oval.across) + 2)
    if bottom <= top or right <= left:
        return
    box = slice(top, bottom), slice(left, right)
    mosaic = _mosaic(image[box], 2 * oval.across / CELLS)
    weight = _soft_ellipse(oval, top, left, mosaic.shape[:2])[..., None].astype(np.float32) / 255
    hidden[box] = np.rint(mosaic * weight + hidden[box] * (1 - weight)).astype(np.uint8)


def _mosaic(part: Picture, cell: float) -> Picture:
    """Cells of one colour each, rounded so coarsely that nothing finer can be reckoned back from them."""
    height, width = part.shape[:2]
    size = max(1, round(width / cell)), max(1, round(height / cell))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.int32)
    step = 256 // _LEVELS
    coarse = (small // step * step + step // 2).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _soft_ellipse(oval: _Oval, top: int, left: int, shape: tuple[int, ...]) -> Mask:
    """255 inside, falling to 0 over the outermost tenth of the ellipse."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    far = np.hypot((x + left - oval.x) / oval.across, (y + top - oval.y) / oval.down)
    return np.asarray(np.clip((1 - far) * 10, 0, 1) * 255, np.uint8)
