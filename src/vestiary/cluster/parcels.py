"""What goes to a replica and back: scans, garments and fittings as the bytes of `vestiary.values`, named by their hash.

A parcel lies once in Ray's object store; a request carries its name and where it lies, and a replica that has its
content already never fetches it. Bytes in our own format and not pickles of arrays: a replica of another version says
so, and nothing keeps a view into the object store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """Where a parcel lies: the hash of its content, and Ray's reference."""

    id: str
    ref: Any


@dataclass(frozen=True, eq=False)
class Parcel:
    """A value in Ray's object store, for as long as this is kept.

    Attributes:
        place: what requests carry.
        data: the same bytes here: what this weighs in a memory that is bounded in bytes.
    """

    place: Place
    data: bytes


@dataclass(frozen=True)
class Task:
    """A fitting for a replica; the options are those of its engine, JSON-ready."""

    person: Place
    garments: tuple[Place, ...]
    options: Mapping[str, Any]


def send(data: bytes) -> Parcel:
    """Put bytes into the object store."""
    import ray

    return Parcel(Place(hashlib.sha256(data).hexdigest()[:32], ray.put(data)), data)


def fetch(place: Place) -> bytes:
    """The bytes of a parcel."""
    import ray

    data: bytes = ray.get(place.ref)
    return data
