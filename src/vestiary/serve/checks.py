"""What pictures go through before they are kept: the check of decency, and faces hidden when that is wished."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vestiary.serve.settings import Settings
    from vestiary.types import Person, Picture


def check(image: Picture, settings: Settings) -> dict[str, float]:
    """Refuse nude pictures, where the service does so; the seconds it took, as timings.

    Raises:
        UnsuitableError: it is one.
        MissingExtraError: the model is not installed.
    """
    if not settings.checks_nudity:
        return {}
    from vestiary.trust.nudity import require_decent

    started = time.perf_counter()
    require_decent(image)
    return {"check": time.perf_counter() - started}


def hidden(person: Person) -> Picture:
    """The photo with the face hidden."""
    from vestiary.person.anonymize import hide_face

    image: Picture = hide_face(person)
    return image


def without_faces(image: Picture) -> Picture:
    """A garment's photo with the faces in it hidden: somebody may be wearing it."""
    from vestiary.person.anonymize import hide_faces

    image = hide_faces(image)
    return image
