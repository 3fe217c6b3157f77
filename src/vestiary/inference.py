"""Our own networks, opened for ONNX Runtime: each once per process, whoever asks first."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Any

from vestiary import weights
from vestiary.errors import WeightsError

THREADS = 2  # more gain little on networks of this size

_opening = threading.Lock()
_others: dict[str, Path] = {}


def session(name: str) -> Any:
    """The `onnxruntime.InferenceSession` of a network that ships with the package; it may run in several threads.

    Args:
        name: one of `weights.list_weights()` that is an ONNX file.

    Raises:
        WeightsError: the file is missing, broken, or not one that ONNX Runtime can run.
    """
    with _opening:
        return _open(name, _others.get(name))


def use_file(name: str, path: Path | None) -> None:
    """Take this ONNX file for the network of that name from now on; None for the one that is shipped."""
    with _opening:
        if path is None:
            _others.pop(name, None)
        else:
            _others[name] = path
        _open.cache_clear()


@functools.cache
def _open(name: str, other: Path | None) -> Any:
    import onnxruntime

    path = other or weights.get(name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that spin starve the others
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as problem:
        hint = "Install Vestiary again: pip install --force-reinstall --no-deps vestiary"
        raise WeightsError(f"the network {name} ({path}) is missing or broken.", hint=hint) from problem
