"""What safetensors files hold, from their headers alone: names and shapes, without reading one weight."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

from vestiary.errors import MissingExtraError, WeightsError

Shapes = dict[str, tuple[int, ...]]


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a network's folder: all shards of its index, or its one file.

    Raises:
        WeightsError: there are none, or a shard of the index is missing.
    """
    if indexes := sorted(folder.glob("*.safetensors.index.json")):
        index = json.loads(indexes[0].read_text(encoding="utf-8"))
        shards = [folder / name for name in sorted(set(index["weight_map"].values()))]
        if lost := [shard.name for shard in shards if not shard.is_file()]:
            raise WeightsError(f"{folder} is incomplete: {', '.join(lost)} of its index is not there.")
        return shards
    single = sorted(folder.glob("*.safetensors"), key=lambda file: (len(file.name), file.name))
    if not single:
        raise WeightsError(f"{folder} holds no .safetensors file.", hint="Pickled weights (.bin) are not read.")
    return single[:1]


def shapes_in(files: Iterable[Path]) -> Shapes:
    """Names and shapes of all tensors in these files.

    Raises:
        WeightsError: a file is cut off, or is no safetensors file.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise MissingExtraError("safetensors is not installed.", hint='pip install "vestiary[diffusion]"') from None
    found: Shapes = {}
    for file in files:
        try:
            with safe_open(file, framework="np") as opened:
                for name in opened.keys():  # noqa: SIM118 - it is no mapping
                    found[name] = tuple(opened.get_slice(name).get_shape())
        except (SafetensorError, OSError) as problem:
            raise WeightsError(
                f"{file} cannot be read: {problem}.", hint="Fetch it again; it may be cut off."
            ) from None
    return found


def parameters_in(files: Iterable[Path]) -> int:
    """How many numbers all tensors in these files hold."""
    return sum(math.prod(shape) for shape in shapes_in(files).values())
