"""Whether a machine has the memory that a model's weights take, found out before anything is fetched or loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vestiary.diffusion.published.headers import parameters_in
from vestiary.diffusion.published.specs import Published, list_published
from vestiary.errors import MemoryShortError

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_CGROUP = Path("/sys/fs/cgroup")


def needed(published: Published, dtype: str, folders: Mapping[str, Path] | None = None) -> int:
    """Bytes of all its networks' weights in this dtype. Sampling needs more, which grows with the picture.

    Args:
        published: the set; its networks' sizes are known before anything is fetched.
        dtype: that they will be loaded in.
        folders: of its parts, if they are here; then their files' headers are asked.
    """
    if folders is None:
        sizes = dict(published.networks)
    else:
        files = [file for part in published.parts if part.name in folders for file in part.weights(folders[part.name])]
        sizes = {}
        for file in files:
            sizes[file.parent.name] = sizes.get(file.parent.name, 0) + parameters_in([file])
    reader = sum(sizes.get(name, 0) for name in published.traits.get("in_turn", ()))
    return max(reader, sum(sizes.values()) - reader) * BYTES[dtype]  # what reads the prompt goes before the rest comes


def free(device: str) -> int:
    """Bytes of memory free on a device; for the CPU within the limit of the container, if there is one."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    import psutil

    available = int(psutil.virtual_memory().available)
    return min(available, _left_in_container(available))


def require(published: Published, *, dtype: str, device: str, folders: Mapping[str, Path] | None = None) -> None:
    """Make sure that a set's weights fit; arguments as for `needed` and `free`.

    Raises:
        MemoryShortError: they do not; the message says how much is there and what would fit.
    """
    wanted, there = needed(published, dtype, folders), free(device)
    if wanted <= there:
        return
    raise MemoryShortError(
        f"{published.name} takes {wanted / 1e9:.1f} GB in {dtype} for its weights alone, and {device} has "
        f"{there / 1e9:.1f} GB of memory free.",
        hint=_what_fits(published, dtype, there),
    )


def _what_fits(published: Published, dtype: str, there: int) -> str:
    halves = [name for name in ("bfloat16", "float16") if BYTES[name] < BYTES[dtype]]
    if halves and needed(published, halves[0]) <= there:
        return f"It would fit with dtype {' or '.join(halves)}: {needed(published, halves[0]) / 1e9:.1f} GB."
    smaller = {p.name: needed(p, "bfloat16") for p in list_published().values()}
    names = [f"{name} ({size / 1e9:.1f} GB in bfloat16)" for name, size in smaller.items() if size <= there]
    if names:
        return f"These would fit: {', '.join(names)}."
    return "None of the published weights would fit; the engine embedded runs in under 1 GB."


def _left_in_container(otherwise: int) -> int:
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        cache = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return otherwise
    reclaimable = int(cache.get("inactive_file", 0))
    return otherwise if limit == "max" else max(0, int(limit) - used + reclaimable)
