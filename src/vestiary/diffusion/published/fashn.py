"""FASHN VTON 1.5 through its own package: what it is given, and what it gives back.

The package is `fashn_vton` of github.com/fashn-AI/fashn-vton-1.5, installed from there. Its pipeline paints the whole
picture in pixel space, without a mask, 576 × 864 at most. It seeds PyTorch and NumPy for the whole process; here their
state is put back afterwards.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vestiary.errors import EngineError, MissingExtraError, OptionError, WeightsError
from vestiary.types import Category, Garment

if TYPE_CHECKING:
    from vestiary.types import Picture

COMMIT = "7c0f10af3f91ad4048fe9729c470a13ef905d25a"
INSTALL = f'pip install "vestiary[diffusion]" "git+https://github.com/fashn-AI/fashn-vton-1.5@{COMMIT}"'
CATEGORIES: Mapping[Category, str] = {
    "top": "tops",
    "outerwear": "tops",
    "dress": "one-pieces",
    "skirt": "bottoms",
    "trousers": "bottoms",
    "shorts": "bottoms",
}
PhotoType = Literal["auto", "model", "flat-lay"]
_seeding = threading.Lock()


def device_of(name: str) -> tuple[str, str]:
    """The device of an option, "auto" as the package decides it, and the dtype that the package takes there.

    Raises:
        OptionError: a device that this machine does not have.
    """
    import torch

    there = torch.cuda.is_available()
    device = ("cuda" if there else "cpu") if name == "auto" else name
    if device.startswith("cuda") and not there:
        raise OptionError(f"this machine has no {device}.", hint="Choose auto or cpu.")
    return device, "bfloat16" if device != "cpu" and torch.cuda.is_bf16_supported() else "float32"


def open_pipeline(folder: Path, device: str) -> Any:
    """The package's `TryOnPipeline`.

    Args:
        folder: with `model.safetensors` and `dwpose/`.
        device: "cpu", "cuda" or "cuda:N".

    Raises:
        MissingExtraError: the package is not installed.
        WeightsError: a file is missing, or is not what it takes.
    """
    try:
        from fashn_vton import TryOnPipeline
    except ImportError as problem:
        raise MissingExtraError(f"the package fashn_vton cannot be imported: {problem}.", hint=INSTALL) from None
    try:
        return TryOnPipeline(weights_dir=str(folder), device=device)
    except Exception as problem:  # it raises whatever its libraries raise
        raise WeightsError(f"FASHN VTON cannot be loaded from {folder}: {_first_line(problem)}.") from problem


def paint(
    pipeline: Any, person: Picture, garment: Garment, *, steps: int, guidance: float, seed: int, photo: PhotoType
) -> Picture:
    """`(h, w, 3) uint8`: the person wearing the garment, as the package paints it: the person's aspect, its own size.

    Args:
        pipeline: from `open_pipeline`.
        person: `(H, W, 3) uint8`.
        garment: what to put on.
        steps: of its sampler.
        guidance: how strongly garment and pose pull.
        seed: start of the noise.
        photo: what the garment's photo shows; "auto" = as it was read.

    Raises:
        EngineError: the package failed.
    """
    from PIL import Image

    kind = ("model" if garment.worn else "flat-lay") if photo == "auto" else photo
    try:
        with own_chance():
            result = pipeline(
                person_image=Image.fromarray(person),
                garment_image=Image.fromarray(garment_photo(garment, kind)),
                category=CATEGORIES[garment.category],
                garment_photo_type=kind,
                num_samples=1,
                num_timesteps=steps,
                guidance_scale=guidance,
                seed=seed,
                segmentation_free=True,
            )
    except Exception as problem:  # as above
        raise EngineError(f"FASHN VTON failed: {_first_line(problem)}.") from problem
    return np.asarray(result.images[0].convert("RGB"), np.uint8)


def garment_photo(garment: Garment, kind: str) -> Picture:
    """`(h, w, 3) uint8`: the photo as it is if somebody wears the garment in it, else the cut-out on white."""
    if kind == "model":
        return garment.image
    alpha = garment.alpha[..., None].astype(np.float32) / 255
    return np.asarray(garment.image * alpha + 255 * (1 - alpha) + 0.5, np.uint8)


@contextlib.contextmanager
def own_chance() -> Iterator[None]:
    """Global random states of PyTorch and NumPy as they were, whatever is seeded inside; one thread at a time."""
    import torch

    with _seeding, torch.random.fork_rng():
        state = np.random.get_state()
        try:
            yield
        finally:
            np.random.set_state(state)


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0].rstrip(".:")
