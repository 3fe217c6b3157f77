"""How often each caller has asked: counted in this process, or in a Redis that all processes of a service share."""

from __future__ import annotations

import logging
import threading
import time
from urllib.parse import urlsplit

from limits import RateLimitItemPerMinute
from limits.errors import ConfigurationError, StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from vestiary.errors import BusyError, InputError, MissingExtraError, UnavailableError

log = logging.getLogger("vestiary.serve")

_PREFIX = "vestiary-rates"
_PATIENCE = 1.0  # seconds that a request waits for Redis
_AGAIN = 5.0  # seconds until Redis is asked again after it did not answer
_SCHEMES = ("redis", "rediss", "redis+unix")


class Rates:
    """Requests of the last minute, by caller. Thread-safe.

    While a Redis that was there at the start is away, each process counts for itself: a caller may then ask that many
    times of each process, but nobody is turned away because the counting failed.
    """

    def __init__(self, redis: str, default: int) -> None:
        """Counts by caller.

        Args:
            redis: its URL, or "" to count in this process.
            default: requests a minute of callers without a rate of their own.

        Raises:
            InputError: the URL is none of Redis.
            MissingExtraError: the client for Redis is not installed.
            UnavailableError: Redis does not answer.
        """
        self.default = default
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._shared = MovingWindowRateLimiter(_connect(redis)) if redis else None
        self._away_until = 0.0
        self._lock = threading.Lock()

    @property
    def is_shared(self) -> bool:
        """Whether other processes are counted too; asking then takes a network's time."""
        return self._shared is not None

    def count(self, name: str, rate: int | None = None) -> None:
        """Count a request.

        Raises:
            BusyError: this caller has made as many requests as it may within the last minute.
        """
        limit = RateLimitItemPerMinute(rate or self.default)
        wait = self._hit(limit, name)
        if wait > 0:
            hint = f"Try again in {wait:.0f} s."
            raise BusyError(f"more than {limit.amount} requests in a minute.", hint=hint, retry_after=wait)

    def _hit(self, limit: RateLimitItemPerMinute, name: str) -> float:
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                return _wait(self._shared, limit, name)
            except StorageError as problem:
                with self._lock:
                    self._away_until = time.monotonic() + _AGAIN
                log.warning("Redis is away, each process counts requests for itself: %s", problem)
        return _wait(self._own, limit, name)


def _wait(limiter: MovingWindowRateLimiter, limit: RateLimitItemPerMinute, name: str) -> float:
    """Count a request: 0, or the seconds until the next one is allowed."""
    if limiter.hit(limit, name):
        return 0.0
    return max(1.0, limiter.get_window_stats(limit, name).reset_time - time.time())


def _connect(url: str) -> Storage:
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not (parts.netloc or parts.path):
        raise InputError("the URL of Redis is not one.", hint="Write redis://:password@host:6379/0.")
    waits = {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
    try:
        storage = storage_from_string(url, key_prefix=_PREFIX, wrap_exceptions=True, **waits)
    except ConfigurationError:
        hint = 'Type: pip install "vestiary[redis]"'
        raise MissingExtraError("the client for Redis is not installed.", hint=hint) from None
    except ValueError:
        raise InputError("the URL of Redis is not one.", hint="Write redis://:password@host:6379/0.") from None
    if isinstance(storage, Storage) and storage.check():
        return storage
    hint = "Start it, correct --redis, or leave it out to count in each process."
    raise UnavailableError(f"Redis at {parts.hostname or parts.path} does not answer.", hint=hint)
