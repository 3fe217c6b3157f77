"""A pool of reused buffers: what a layer frees stays with the process, for the next layer and the next step.

On a CPU, the C library gives every large buffer back to the system when it is freed, and a new one comes page by page,
each zeroed by the kernel: a good part of a step. On an accelerator PyTorch keeps such a pool itself.
"""

from __future__ import annotations

import ctypes
import functools
import platform
from collections.abc import Callable

# Parameters of glibc's mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_KEEP = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 2**26}
# What its own rule, which ends when one of them is set, comes to after a large buffer was freed.
_USUAL = {_MMAP_MAX: 65536, _TRIM_THRESHOLD: 2**26, _TOP_PAD: 2**17, _MMAP_THRESHOLD: 2**25}


def keep_buffers() -> Callable[[], None] | None:
    """Let the process keep what is freed; it stays as large as it has been.

    Returns:
        What takes it back and gives the system what is not in use; None where there is no glibc, and nothing was done.
    """
    library = _glibc()
    if library is None:
        return None
    for name, value in _KEEP.items():
        library.mallopt(name, value)

    def undo() -> None:
        for name, value in _USUAL.items():
            library.mallopt(name, value)
        trim()

    return undo


def trim() -> None:
    """Give the system what is not in use, where the C library is glibc."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL("libc.so.6") if platform.libc_ver()[0] == "glibc" else None
