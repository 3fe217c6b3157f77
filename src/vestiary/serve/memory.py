"""A cache of scans, garments and what engines prepared of people, bounded in bytes; each is made by one thread only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
from cachetools import LRUCache

T = TypeVar("T")
Key = tuple[str, ...]  # ends in the id of the person or garment that it is of

_SMALL = 64  # what anything that is no array is taken to weigh


def weigh(value: object) -> int:
    """Bytes of all the arrays in a value, through dataclasses, mappings and sequences; each buffer counts once."""
    seen: set[int] = set()
    return _weigh(value, seen)


def _weigh(value: object, seen: set[int]) -> int:
    if isinstance(value, (str, int, float, type(None))) or id(value) in seen:
        return _SMALL
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        owner = value.base
        if not isinstance(owner, np.ndarray):
            return int(value.nbytes) + _SMALL
        return _weigh(owner, seen)  # a view holds the whole buffer
    if is_dataclass(value) and not isinstance(value, type):
        return sum(_weigh(getattr(value, item.name), seen) for item in fields(value))
    if isinstance(value, Mapping):
        return sum(_weigh(item, seen) for item in value.values()) + _SMALL * len(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return sum(_weigh(item, seen) for item in value) + _SMALL
    if isinstance(value, (bytes, bytearray)):
        return len(value)
    return sum(_weigh(item, seen) for item in vars(value).values()) if hasattr(value, "__dict__") else _SMALL


@dataclass
class _Making:
    """Somebody makes a value; others wait for the lock. `unwanted`: its subject was deleted meanwhile."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0
    unwanted: bool = False


class Memory:
    """The values used last, by key, up to a number of bytes in all."""

    def __init__(self, limit: int) -> None:
        self._kept: LRUCache[Hashable, Any] = LRUCache(max(limit, 1), getsizeof=weigh)
        self._making: dict[Key, _Making] = {}
        self._lock = threading.Lock()
        self.hits = self.misses = 0

    def get(self, key: Key, make: Callable[[], T]) -> T:
        """The value of that key, made if it is not there; who asks for it meanwhile waits, and gets the same one."""
        with self._lock:
            if key in self._kept:
                self.hits += 1
                kept: T = self._kept[key]
                return kept
            making = self._making.setdefault(key, _Making())
            making.waiting += 1
        try:
            with making.lock:
                return self._make(key, make, making)
        finally:
            with self._lock:
                making.waiting -= 1
                if not making.waiting and self._making.get(key) is making:
                    del self._making[key]

    def _make(self, key: Key, make: Callable[[], T], making: _Making) -> T:
        with self._lock:
            if key in self._kept:
                self.hits += 1
                kept: T = self._kept[key]
                return kept
            self.misses += 1
        value = make()
        with self._lock:
            if not making.unwanted:
                self._keep(key, value)
        return value

    def put(self, key: Key, value: object) -> None:
        """Keep a value that was made elsewhere."""
        with self._lock:
            self._keep(key, value)

    def _keep(self, key: Key, value: object) -> None:
        try:
            self._kept[key] = value
        except ValueError:  # larger than the whole cache
            self._kept.pop(key, None)

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._kept

    def forget(self, subject: str) -> None:
        """Drop all that is of this person or garment, also what is being made just now."""
        with self._lock:
            for key in [key for key in self._kept if key[-1] == subject]:  # type: ignore[index]
                del self._kept[key]
            for made, making in list(self._making.items()):
                if made[-1] == subject:
                    making.unwanted = True
                    del self._making[made]

    def subjects(self) -> set[str]:
        """The ids of all people and garments of which something is kept."""
        with self._lock:
            return {key[-1] for key in self._kept}  # type: ignore[index]

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        with self._lock:
            return int(self._kept.currsize)
