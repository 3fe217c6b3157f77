"""An engine that can do without a garment, for tests of the service and the studio; no PyTorch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field

from vestiary import registry
from vestiary.engines.provenance import describe
from vestiary.errors import GarmentError
from vestiary.registry import EngineSpec
from vestiary.types import Fitting, Garment, Person


class WordsOptions(BaseModel):
    """Options of the engine `words`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field("", max_length=200, description="What is worn, in words.")
    layers: bool = Field(False, description="Keep every intermediate picture.")


class WordsEngine:
    """Dyes what is worn in a colour that the words are hashed to."""

    Options = WordsOptions

    def check_asked(self, garments: int, options: WordsOptions) -> None:
        if not garments and not options.prompt:
            raise GarmentError("there is no garment to put on, and nothing else to do.", hint="Set prompt.")

    def prepare(self, person: Person) -> Person:
        return person

    def fit(self, prepared: Person, garments: Sequence[Garment], options: WordsOptions, on_step: Any = None) -> Fitting:
        self.check_asked(len(garments), options)
        mask = np.where(prepared.parts > 0, np.uint8(255), np.uint8(0))
        image = np.array(prepared.image)
        image[mask > 0] = image[mask > 0] // 2 + _colour(options.prompt) // 2
        if on_step is not None:
            on_step(1, 1, "dye", image)
        layers = {"mask": mask} if options.layers else {}
        return Fitting(image, mask, layers, describe("words", prepared, garments, options), {"dye": 0.01})


def _colour(words: str) -> np.ndarray:
    return np.frombuffer(hashlib.sha256(words.encode()).digest()[:3], np.uint8)


WORDS = EngineSpec("words", "bare_rooms:WordsEngine", "a test", needs_garment=False)


@contextmanager
def words_known() -> Iterator[None]:
    """The engine is registered, beside `embedded` and `paste`."""
    with pytest.MonkeyPatch.context() as patch:
        known = {"embedded": registry.EMBEDDED, "paste": registry.PASTE, "words": WORDS}
        patch.setattr(registry, "list_engines", lambda: known)
        yield
