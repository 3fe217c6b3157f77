"""Pairs as training samples without end: as pictures, or as latents that were worked out once and kept."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from vestiary.diffusion import latents as lat
from vestiary.errors import ImageError, InputError
from vestiary.files import make_folder, write_file
from vestiary.training.diffusion_pairs import TRIES, Keep, Pair, Source
from vestiary.training.loader import Shuffled

LATENTS = ("target", "seen", "garments")
Tokens = Callable[[str], Tensor]


@dataclass(frozen=True)
class View:
    """How samples are shown.

    Attributes:
        mask_free: the network sees the person as they came, not the agnostic picture.
        mirror: half of them left and right exchanged; control pictures could not be, their colours tell the sides.
        tokens: of a caption, `(T,) int64`; None for a model without text.
    """

    mask_free: bool = False
    mirror: bool = True
    tokens: Tokens | None = None


def pictures_of(pair: Pair, *, mask_free: bool, mirrored: bool = False) -> dict[str, Tensor]:
    """A pair as uint8 tensors: target, seen `(3, H, W)`, garments `(G, 3, H, W)`, mask `(1, H, W)`, worn `(G,)`.

    With a mask the target outside of it is the person as they came: there the engine keeps the photo, and another
    picture of them in the garment may show other clothes of the other half.
    """
    target = pair.target if mask_free else np.where(pair.mask[..., None] > 0, pair.target, pair.person)
    rows = {
        "target": target.transpose(2, 0, 1),
        "seen": (pair.person if mask_free else pair.agnostic).transpose(2, 0, 1),
        "garments": pair.garments.transpose(0, 3, 1, 2),
        "mask": pair.mask[None],
        "controls": pair.controls.transpose(0, 3, 1, 2),
    }
    turned = {name: row[..., ::-1] if mirrored else row for name, row in rows.items()}
    tensors = {name: torch.from_numpy(row.copy()) for name, row in turned.items()}
    return {**tensors, "worn": torch.from_numpy(pair.worn.copy())}


def latents_of(vae: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of a batch of pictures: target, seen `(B, C, h, w)`, garments `(B, G, C, h, w)`, mask `(B, 1, h, w)` 0 or 1.

    A batch that holds latents is handed on. Empty places of garments are 0.
    """
    if batch["target"].dtype != torch.uint8:
        found = {name: batch[name].float() for name in LATENTS}
    else:
        flat = {name: batch[name].flatten(0, -4) for name in LATENTS}
        encoded = lat.encode(vae, torch.cat(list(flat.values())).float() / 127.5 - 1)
        parts = encoded.split([len(rows) for rows in flat.values()])
        shape = encoded.shape[1:]
        found = {name: part.view(*batch[name].shape[:-3], *shape) for name, part in zip(flat, parts, strict=True)}
    mask = F.interpolate((batch["mask"] > 127).float(), found["target"].shape[-2:])
    worn = batch["worn"].float()[:, :, None, None, None]
    return {**found, "garments": found["garments"] * worn, "mask": mask}


class Samples(Dataset[dict[str, Any]]):
    """Samples without end, every pass in another order; sample i is a function of (seed, i).

    Pairs of which nothing can be made are passed over; a damaged picture raises ImageError, which names it.

    Args:
        kept: folder of latents from `keep_latents`; None: pictures.
    """

    def __init__(self, keep: Keep, found: Sequence[Source], view: View, seed: int, kept: Path | None = None) -> None:
        self.keep, self.found, self.view, self.seed, self.kept = keep, found, view, seed, kept
        self.order: Shuffled[int] = Shuffled(range(len(found)), seed)

    def __getitem__(self, index: int) -> dict[str, Any]:
        mirrored = self.view.mirror and bool(np.random.default_rng((self.seed, index)).random() < 0.5)
        first = self.order[index]
        for step in range(TRIES):
            source = self.found[(first + step) % len(self.found)]
            pair = self.keep.pair(source)
            if pair is not None:
                return self.shown(source, pair, mirrored)
        message = f"of {TRIES} entries in a row nothing can be made, of {source.name} neither."
        hint = f"The reasons are in the .txt files of {self.keep.folder}."
        raise InputError(message, hint=hint)

    def shown(self, source: Source, pair: Pair, mirrored: bool = False) -> dict[str, Any]:
        """A pair as a sample."""
        sample: dict[str, Any] = dict(pictures_of(pair, mask_free=self.view.mask_free, mirrored=mirrored))
        if self.kept is not None:
            sample |= read_latents(self.kept, self.keep.place(source), mirrored)
        if self.view.tokens is not None:
            sample["tokens"] = self.view.tokens(pair.caption)
        if not len(pair.controls):
            del sample["controls"]
        return sample


def keep_latents(keep: Keep, found: Sequence[Source], view: View, vae: nn.Module, *, batch: int = 8) -> Path:
    """Work out the latents of all pairs, as they are and mirrored, where they are not yet kept; the folder of them.

    The folder is named after the autoencoder's weights, so that another one does not find them. Damaged pictures are
    left to be reported when they are drawn. Several processes begin at different places and pass over what another one
    has kept by then; none waits for another, since only the main one validates.
    """
    folder = make_folder(keep.folder / f"latents-{_digest(vae)}{'-free' if view.mask_free else ''}")
    at = PartialState()
    first = at.process_index * len(found) // at.num_processes
    for start in range(0, len(found), batch):
        waiting: list[tuple[Path, dict[str, Tensor]]] = []
        for number in range(start, min(start + batch, len(found))):
            source = found[(first + number) % len(found)]
            place = folder / keep.place(source).name
            if not place.is_file() and (pair := _readable(keep, source)) is not None:
                waiting.append((place, pictures_of(pair, mask_free=view.mask_free)))
        _write_latents(waiting, vae)
    return folder


def _readable(keep: Keep, source: Source) -> Pair | None:
    try:
        return keep.pair(source)
    except ImageError:
        return None


@torch.no_grad()
def _write_latents(waiting: Sequence[tuple[Path, dict[str, Tensor]]], vae: nn.Module) -> None:
    if not waiting:
        return
    pictures = {name: torch.stack([one[name] for _, one in waiting]) for name in (*LATENTS, "mask", "worn")}
    both = []
    for mirrored in (False, True):
        turned = {name: rows.flip(-1) if mirrored and name != "worn" else rows for name, rows in pictures.items()}
        device = next(vae.parameters()).device
        both.append(latents_of(vae, {name: rows.to(device) for name, rows in turned.items()}))
    for row, (place, _) in enumerate(waiting):
        buffer = io.BytesIO()
        arrays = {name: torch.stack([one[name][row] for one in both]).cpu().numpy() for name in LATENTS}
        np.savez(buffer, **{name: array.astype(np.float16) for name, array in arrays.items()})
        write_file(place, buffer.getvalue())


def read_latents(folder: Path, place: Path, mirrored: bool) -> dict[str, Tensor]:
    """A pair's latents, float16.

    Raises:
        ImageError: the file is missing or damaged.
    """
    path = folder / place.name
    try:
        with np.load(path, allow_pickle=False) as kept:
            return {name: torch.from_numpy(kept[name][int(mirrored)]) for name in LATENTS}
    except Exception as problem:
        raise ImageError(f"{path} is damaged: {problem}", hint="Remove the file; it is made again.") from None


def _digest(network: nn.Module) -> str:
    found = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        found.update(name.encode())
        found.update(tensor.detach().float().cpu().numpy().tobytes())
    found.update(str(getattr(network, "config", {}).get("scaling_factor")).encode())
    return found.hexdigest()[:12]
