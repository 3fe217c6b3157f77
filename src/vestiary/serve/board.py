"""Where the threads of one process tell each other how fittings get on: steps, changes and previews."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from vestiary.serve.records import Progress

if TYPE_CHECKING:
    from vestiary.types import Picture

PREVIEW_SIDE = 512


@dataclass(frozen=True)
class Preview:
    """How a fitting looks so far.

    Attributes:
        id: of the fitting.
        image: `(h, w, 3) uint8` sRGB, at most 512 pixels on its longer side.
    """

    id: str
    image: Picture


News = Progress | Preview | Literal["look"]
LOOK: Literal["look"] = "look"  # the fitting's row has changed


@dataclass(eq=False)
class Reader:
    """What one reader has not read yet; of previews only the newest is kept, so a slow reader holds no memory."""

    wants_previews: bool
    changed: threading.Condition = field(default_factory=threading.Condition)
    news: deque[News] = field(default_factory=lambda: deque(maxlen=64))

    def post(self, news: News) -> None:
        """Hand something to the reader."""
        with self.changed:
            if isinstance(news, Preview):
                self.news = deque((old for old in self.news if not isinstance(old, Preview)), maxlen=64)
            self.news.append(news)
            self.changed.notify()

    def take(self, timeout: float) -> list[News]:
        """What is new, at once or as soon as there is something; empty after the timeout (seconds)."""
        with self.changed:
            self.changed.wait_for(lambda: self.news, timeout)
            taken = list(self.news)
            self.news.clear()
            return taken


class Board:
    """Readers by fitting."""

    def __init__(self) -> None:
        self._readers: dict[str, list[Reader]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, fitting: str, *, previews: bool = False) -> Iterator[Reader]:
        """Read what becomes of a fitting."""
        reader = Reader(previews)
        with self._lock:
            self._readers.setdefault(fitting, []).append(reader)
        try:
            yield reader
        finally:
            with self._lock:
                others = [other for other in self._readers[fitting] if other is not reader]
                self._readers[fitting] = others
                if not others:
                    del self._readers[fitting]

    def read(self) -> list[str]:
        """The fittings that somebody reads of."""
        with self._lock:
            return list(self._readers)

    def post(self, fitting: str, news: News) -> None:
        """Tell all readers of a fitting."""
        for reader in self._of(fitting):
            reader.post(news)

    def show(self, fitting: str, image: Picture) -> None:
        """Give those readers who want previews a small copy of a picture; costs nothing when there are none."""
        readers = [reader for reader in self._of(fitting) if reader.wants_previews]
        if readers:
            preview = Preview(fitting, _small(image))
            for reader in readers:
                reader.post(preview)

    def _of(self, fitting: str) -> list[Reader]:
        with self._lock:
            return list(self._readers.get(fitting, ()))


def _small(image: Picture) -> Picture:
    height, width = image.shape[:2]
    factor = min(1.0, PREVIEW_SIDE / max(height, width))
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
