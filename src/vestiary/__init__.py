"""Vestiary, an open virtual fitting room: a photo of a person and photos of garments in, that person wearing them out.

    >>> import vestiary
    >>> fitting = vestiary.try_on("person.jpg", "shirt.jpg")    # doctest: +SKIP
    >>> fitting.save("out.png")                                 # doctest: +SKIP

Importing this package loads nothing heavy; each name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "scan_person": "vestiary.api",
    "read_garment": "vestiary.api",
    "try_on": "vestiary.api",
    "Person": "vestiary.types",
    "Garment": "vestiary.types",
    "Fitting": "vestiary.types",
    "list_engines": "vestiary.registry",
    "load_engine": "vestiary.registry",
    "VestiaryError": "vestiary.errors",
    "InputError": "vestiary.errors",
    "ImageError": "vestiary.errors",
    "PersonError": "vestiary.errors",
    "GarmentError": "vestiary.errors",
    "OptionError": "vestiary.errors",
    "UnknownEngineError": "vestiary.errors",
    "OutputError": "vestiary.errors",
    "MissingExtraError": "vestiary.errors",
    "WeightsError": "vestiary.errors",
    "EngineError": "vestiary.errors",
    "Cancelled": "vestiary.errors",
}

__all__ = ["__version__", *_HOME]

if TYPE_CHECKING:
    from vestiary.api import read_garment as read_garment
    from vestiary.api import scan_person as scan_person
    from vestiary.api import try_on as try_on
    from vestiary.errors import Cancelled as Cancelled
    from vestiary.errors import EngineError as EngineError
    from vestiary.errors import GarmentError as GarmentError
    from vestiary.errors import ImageError as ImageError
    from vestiary.errors import InputError as InputError
    from vestiary.errors import MissingExtraError as MissingExtraError
    from vestiary.errors import OptionError as OptionError
    from vestiary.errors import OutputError as OutputError
    from vestiary.errors import PersonError as PersonError
    from vestiary.errors import UnknownEngineError as UnknownEngineError
    from vestiary.errors import VestiaryError as VestiaryError
    from vestiary.errors import WeightsError as WeightsError
    from vestiary.registry import list_engines as list_engines
    from vestiary.registry import load_engine as load_engine
    from vestiary.types import Fitting as Fitting
    from vestiary.types import Garment as Garment
    from vestiary.types import Person as Person


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
