"""The engine `diffusion` on tiny random weights and a drawn person, for tests of what it can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import figures
import numpy as np

import vestiary
from vestiary.types import Fitting, Garment, Person


def saved(folder: Path, **how: Any) -> str:
    """The folder of a tiny model."""
    from vestiary.diffusion.model import tiny_model

    tiny_model(**{"controls": (), **how}).save(folder)
    return str(folder)


def fit(
    weights: str,
    *garments: str | Garment,
    person: Person | None = None,
    on_step: Callable[..., Any] | None = None,
    **options: object,
) -> Fitting:
    """A person in garments, in one step."""
    worn = [figures.garment(one) if isinstance(one, str) else one for one in garments]
    chosen = {"weights": weights, "steps": 1, "guidance": 1, **options}
    return vestiary.try_on(person or figures.person(), worn, engine="diffusion", options=chosen, on_step=on_step)


def changed(fitting: Fitting, person: Person) -> np.ndarray:
    """`(H, W) bool`: where the picture is not the photo."""
    return (fitting.image != person.image).any(axis=2)
