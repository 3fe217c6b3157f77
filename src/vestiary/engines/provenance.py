"""Where a fitting comes from, as JSON-ready data: enough to make it again and to tell whether it is up to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import vestiary

if TYPE_CHECKING:
    from pydantic import BaseModel

    from vestiary.types import Garment, Person


def describe(
    engine: str,
    person: Person,
    garments: Sequence[Garment],
    options: BaseModel,
    *,
    weights: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Engine, version, options, SHA-256 of the inputs, and of the weights by name. No time and no path: they vary."""
    return {
        "vestiary": vestiary.__version__,
        "engine": engine,
        "options": options.model_dump(mode="json"),
        "person": {"sha256": person.source, "box": [int(edge) for edge in person.box]},
        "garments": [{"sha256": garment.source, "category": garment.category} for garment in garments],
        "weights": dict(weights or {}),
    }
