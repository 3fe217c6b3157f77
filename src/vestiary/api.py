"""The three verbs of the library: `scan_person`, `read_garment`, `try_on`."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from vestiary.errors import GarmentError, OptionError, PersonError
from vestiary.images import MAX_PIXELS, Source, open_picture
from vestiary.registry import Engine, EngineSpec, OnStep, check_garments, load_engine
from vestiary.types import Category, Fitting, Garment, Person, Reader

if TYPE_CHECKING:
    from pydantic import BaseModel


def scan_person(
    photo: Source, *, person: int | None = None, parser: Reader = "network", max_pixels: int = MAX_PIXELS
) -> Person:
    """The person in a photo: pose, silhouette, parts, and whether the photo can serve.

    Args:
        photo: path, bytes, binary file, PIL picture, or `(H, W, 3) uint8` array.
        person: which one when there are several: 1 = the largest (the default), 2 = the next, …
        parser: how parts are told apart: "network"; or "rules", a baseline from limbs, silhouette and skin colour.
        max_pixels: larger pictures are refused.

    Raises:
        ImageError: not a picture, truncated, too large or too small.
        PersonError: nobody in it, nobody of that number, seen from behind, or lying down.
        WeightsError: a model file is missing and cannot be fetched.
    """
    from vestiary.person.scan import scan

    started = time.perf_counter()
    opened = open_picture(photo, max_pixels=max_pixels)
    decode = time.perf_counter() - started
    with _naming(photo):
        scanned = scan(opened.on_white(), person=person, parser=parser, source=opened.sha256)
    return replace(scanned, timings={"decode": decode, **scanned.timings})


def read_garment(
    photo: Source,
    *,
    category: Category | None = None,
    reader: Reader = "network",
    words: bool = True,
    max_pixels: int = MAX_PIXELS,
) -> Garment:
    """The garment in a photo: cut out, upright, with category, landmarks, sleeves, neckline, pattern and colours.

    Args:
        photo: as for `scan_person`; a PNG with transparency is taken as already cut out.
        category: what it is, when the caller knows better; else it is recognised.
        reader: "network"; or "rules", a baseline without any learned part, for upright garments on a plain ground.
        words: whether the attribute network has a say in category, sleeve and neckline, and gives pattern, length and
            the vector for search (`vestiary.garment.search.rank`).
        max_pixels: larger pictures are refused.

    Raises:
        ImageError: not a picture, truncated, too large or too small.
        GarmentError: no garment in it.
        WeightsError: a model file is missing and cannot be fetched.
    """
    from vestiary.garment.read import read

    started = time.perf_counter()
    opened = open_picture(photo, max_pixels=max_pixels)
    decode = time.perf_counter() - started
    with _naming(photo) as name:
        garment = read(opened.image, opened.alpha, category=category, reader=reader, words=words, source=opened.sha256)
    return replace(garment, timings={"decode": decode, **garment.timings}, name=name)


def try_on(
    person: Source | Person,
    garments: Source | Garment | Sequence[Source | Garment],
    *,
    engine: str = "embedded",
    options: Mapping[str, Any] | BaseModel | None = None,
    on_step: OnStep | None = None,
) -> Fitting:
    """The person wearing the garment, or several garments at once.

    Args:
        person: a photo, or a `Person` already scanned.
        garments: a photo or a `Garment` already read, or a sequence of them, in the order they are put on; an empty
            one for an engine that needs none.
        engine: a name from `list_engines()`.
        options: the engine's options, as its `Options` model or a mapping.
        on_step: called after every step; see `vestiary.registry.OnStep`.

    Raises:
        InputError: one of its kinds, when something handed in cannot be used.
        Cancelled: `on_step` returned False.
    """
    chosen = load_engine(engine)
    wanted = list(garments) if isinstance(garments, (list, tuple)) else [garments]
    checked = check_request(engine, chosen, len(wanted), options)
    scanned = person if isinstance(person, Person) else scan_person(person)
    read = [item if isinstance(item, Garment) else read_garment(cast(Source, item)) for item in wanted]
    started = time.perf_counter()
    prepared = chosen.prepare(scanned)
    prepare = time.perf_counter() - started
    fitting = chosen.fit(prepared, read, checked, on_step)
    return replace(fitting, timings={"prepare": prepare, **fitting.timings})


def check_request(
    name: str,
    engine: Engine,
    garments: int,
    options: Mapping[str, Any] | BaseModel | None,
    specs: Mapping[str, EngineSpec] | None = None,
) -> BaseModel:
    """The options as the engine's own model, where it has something to do with them and so many garments.

    Args:
        specs: as for `check_garments`.

    Raises:
        OptionError: unknown option or value not allowed.
        GarmentError: it needs a garment, or something else to do.
    """
    checked = check_options(engine.Options, options)
    check_garments(name, garments, specs)
    check_asked = getattr(engine, "check_asked", None)
    if check_asked is not None:
        check_asked(garments, checked)
    return checked


def check_options(model: type[BaseModel], options: Mapping[str, Any] | BaseModel | None) -> BaseModel:
    """The options as the engine's own model.

    Raises:
        OptionError: unknown name or value not allowed; the message lists what is.
    """
    from pydantic import ValidationError

    if isinstance(options, model):
        return options
    given = options.model_dump() if options is not None and hasattr(options, "model_dump") else dict(options or {})
    try:
        return model.model_validate(given)
    except ValidationError as problem:
        first = problem.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        hint = f"The options are: {', '.join(model.model_fields)}."
        reason = first["msg"].removeprefix("Value error, ")
        lowered = reason if reason != first["msg"] else reason.lower()  # an engine's own words may hold names
        raise OptionError(f"option {name!r}: {lowered.rstrip('.')}.", hint=hint) from None


@contextlib.contextmanager
def _naming(photo: Source) -> Iterator[str]:
    """The name of a photo's file, "" where it came from memory; errors about what it shows are told with it."""
    named = photo if isinstance(photo, (str, os.PathLike)) else getattr(photo, "name", "")
    name = os.fspath(named) if isinstance(named, (str, os.PathLike)) else ""
    try:
        yield name
    except (PersonError, GarmentError) as problem:
        if not name:
            raise
        raise type(problem)(f"{name}: {problem.message}", hint=problem.hint) from None
