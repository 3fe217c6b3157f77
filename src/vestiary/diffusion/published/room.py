"""Whether a machine has the memory that a model's weights take, found out before anything is fetched or loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vestiary.diffusion.published.headers import parameters_in
from vestiary.diffusion.published.specs import Published, list_published
from vestiary.errors import MemoryShortError

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_CGROUP, _MINE = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_FILES = (  # limit, use, and which of it are files' contents that can be read again
    ("memory.max", "memory.current", "inactive_file"),  # version 2
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),  # version 1
)


def needed(published: Published, dtype: str, folders: Mapping[str, Path] | None = None) -> int:
    """Bytes of all its networks' weights in this dtype. Sampling needs more, which grows with the picture.

    Args:
        published: the set; its networks' sizes are known before anything is fetched.
        dtype: that they will be loaded in.
        folders: of its parts, if they are here; then their files' headers are asked.
    """
    sizes = counted(published, folders)
    reader = sum(sizes.get(name, 0) for name in published.traits.get("in_turn", ()))
    return max(reader, sum(sizes.values()) - reader) * BYTES[dtype]  # what reads the prompt goes before the rest comes


def counted(published: Published, folders: Mapping[str, Path] | None) -> dict[str, int]:
    """Number of parameters of each network; arguments as for `needed`."""
    if folders is None:
        return dict(published.networks)
    files = [file for part in published.parts if part.name in folders for file in part.weights(folders[part.name])]
    sizes: dict[str, int] = {}
    for file in files:
        sizes[file.parent.name] = sizes.get(file.parent.name, 0) + parameters_in([file])
    return sizes


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
    """What the limits of this process's control groups leave, those of the groups around them too."""
    left = [otherwise]
    for group in _groups():
        for limit, used, cache in _FILES:
            try:
                most = (group / limit).read_text().strip()
                taken = int((group / used).read_text())
                lines = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            except (OSError, ValueError):
                continue
            if most != "max":
                left.append(max(0, int(most) - taken + int(lines.get(cache, 0))))
    return min(left)


def _groups() -> list[Path]:
    """Folders of this process's control groups for memory, of version 2 or 1, and of those around them."""
    try:
        lines = [line.split(":", 2) for line in _MINE.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        lines = []
    roots = {"": _CGROUP, "memory": _CGROUP / "memory"}
    found = [(roots[kind], path) for _, kinds, path in lines for kind in kinds.split(",") if kind in roots]
    groups = list(roots.values())  # within a container its own group is the root
    for root, path in found:
        inside = root / path.strip("/")
        groups += [folder for folder in (inside, *inside.parents) if folder.is_relative_to(root)]
    return list(dict.fromkeys(groups))
