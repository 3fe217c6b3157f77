"""Safetensors files that are all header: every name and shape, and a hole in the file where the weights would be."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path


def sparse_file(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """A float32 file of its true size that takes no room on the disk."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return path
