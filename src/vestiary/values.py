"""`Person`, `Garment` and `Fitting` as bytes and back, exactly: to be kept in a file, a cache or a database.

The format is NumPy's .npz without pickles: a JSON header with the small fields, and the arrays. Photos are stored as
they are, since that is fifty times as fast as any lossless compression of a photo; masks and layers, which are mostly
one value, are deflated at the lowest level.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from vestiary.errors import InputError
from vestiary.types import CATEGORIES, LENGTHS, MOTIFS, NECKLINES, SLEEVES, Facing, Fitting, Garment, Person

VERSION = 2  # garments have names since 2
MAX_VALUES = 2**30  # of one array: what a damaged or hostile header may ask for
_DEFLATED = 16_384  # arrays of bytes from this size on are deflated, but for photos
_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, NotImplementedError, RuntimeError)
_DAMAGE = (*_ERRORS, zipfile.BadZipFile, zlib.error)

Array = NDArray[Any]
V = TypeVar("V", Person, Garment, Fitting)


def dump_person(person: Person) -> bytes:
    """The scan as bytes; `load_person` gives the same scan back, pixel for pixel."""
    return _dump(person)


def load_person(data: bytes) -> Person:
    """The scan that `dump_person` wrote.

    Raises:
        InputError: something else, damaged, or written by a newer version.
    """
    return _load(data, Person, _person)


def dump_garment(garment: Garment) -> bytes:
    """The garment as bytes; `load_garment` gives the same garment back, pixel for pixel."""
    return _dump(garment)


def load_garment(data: bytes) -> Garment:
    """The garment that `dump_garment` wrote.

    Raises:
        InputError: something else, damaged, or written by a newer version.
    """
    return _load(data, Garment, _garment)


def dump_fitting(fitting: Fitting) -> bytes:
    """The fitting with its layers as bytes; `load_fitting` gives the same back, pixel for pixel."""
    return _dump(fitting)


def load_fitting(data: bytes) -> Fitting:
    """The fitting that `dump_fitting` wrote.

    Raises:
        InputError: something else, damaged, or written by a newer version.
    """
    return _load(data, Fitting, _fitting)


def _dump(value: Person | Garment | Fitting) -> bytes:
    arrays: dict[str, Array] = {}
    plain: dict[str, Any] = {}
    for item in fields(value):
        content = getattr(value, item.name)
        if isinstance(content, np.ndarray):
            arrays[item.name] = content
        elif item.name == "layers":
            arrays |= {f"layers/{name}": layer for name, layer in content.items()}
        else:
            plain[item.name] = sorted(content) if isinstance(content, frozenset) else content
    shapes: dict[str, list[int]] = {}
    for name, array in arrays.items():
        if name != "image" and array.dtype == np.uint8 and array.size >= _DEFLATED:
            shapes[name] = list(array.shape)
            arrays[name] = np.frombuffer(zlib.compress(array.tobytes(), 1), np.uint8)
    header = {"kind": type(value).__name__, "version": VERSION, "deflated": shapes, "fields": plain}
    text = json.dumps(header, default=_plain).encode()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, header=np.frombuffer(text, np.uint8), **arrays)
    return buffer.getvalue()


def _plain(value: object) -> object:
    """NumPy's numbers and read-only mappings as JSON has them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be kept")


def _load(data: bytes, kind: type[V], make: Any) -> V:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes())
            if header["kind"] != kind.__name__:
                raise InputError(f"this is a stored {header['kind']}, not a {kind.__name__}.")
            if header["version"] > VERSION:
                hint = "Update Vestiary: pip install --upgrade vestiary"
                raise InputError(f"this {kind.__name__} was stored by a newer version of Vestiary.", hint=hint)
            names = [name for name in archive.files if name != "header"]
            arrays = {name: _inflated(archive[name], header["deflated"].get(name)) for name in names}
        value: V = make(header["fields"], arrays)
        return value
    except _DAMAGE:
        hint = "Scan the photo again." if kind is Person else "Make it again."
        raise InputError(f"the stored {kind.__name__} is damaged.", hint=hint) from None


def _inflated(array: Array, shape: list[int] | None) -> Array:
    if shape is None:
        return array
    size = int(np.prod(shape, dtype=object))
    if not 0 <= size <= MAX_VALUES:
        raise ValueError("too large")
    engine = zlib.decompressobj()
    content = engine.decompress(array.tobytes(), size + 1)
    if len(content) != size:
        raise ValueError("cut short")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _check(arrays: Mapping[str, Array], image: str, same: tuple[str, ...]) -> None:
    """Make sure that the arrays are what an engine may rely on, so that damage shows here and not there."""
    picture = arrays[image]
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError("not a picture")
    if any(arrays[name].dtype != np.uint8 or arrays[name].shape != picture.shape[:2] for name in same):
        raise ValueError("not a mask of the picture")


def _points(array: Array, shape: tuple[int, ...]) -> Array:
    if array.dtype != np.float32 or array.shape != shape:
        raise ValueError("not points")
    return array


def _person(plain: dict[str, Any], arrays: dict[str, Any]) -> Person:
    _check(arrays, "image", ("silhouette", "parts"))
    for name, shape in (("pose", (33, 4)), ("world", (33, 3)), ("keypoints", (18, 3))):
        _points(arrays[name], shape)
    if plain["facing"] not in get_args(Facing):
        raise ValueError("facing")
    lists = {name: tuple(plain[name]) for name in ("box", "warnings", "networks")}
    return Person(**{**plain, **lists, "arm_in_front": frozenset(plain["arm_in_front"])}, **arrays)


def _garment(plain: dict[str, Any], arrays: dict[str, Any]) -> Garment:
    _check(arrays, "image", ("alpha",))
    _points(arrays["landmarks"], (28, 3))
    choices = {"category": CATEGORIES, "sleeve": SLEEVES, "neckline": NECKLINES, "pattern": MOTIFS, "length": LENGTHS}
    if any(plain[name] not in allowed for name, allowed in choices.items()):
        raise ValueError("words")
    lists = {name: tuple(plain[name]) for name in ("colour_names", "warnings", "networks")}
    colours = tuple(((int(r), int(g), int(b)), float(share)) for (r, g, b), share in plain["colours"])
    return Garment(**{**plain, **lists, "colours": colours}, **arrays)


def _fitting(plain: dict[str, Any], arrays: dict[str, Any]) -> Fitting:
    _check(arrays, "image", ("mask",))
    layers = {name.removeprefix("layers/"): a for name, a in arrays.items() if name.startswith("layers/")}
    own = {name: arrays[name] for name in ("image", "mask")}
    return Fitting(**{**plain, "warnings": tuple(plain["warnings"])}, **own, layers=layers)
