"""Train the garment network: `python -m vestiary.training.garment --garments DIR --people DIR --out runs/garment`.

It starts with small pictures, on which a step costs a third, and ends with those of 256 × 256 (progressive resizing).
Two thirds of the time it learns from rendered garments and from real photos of known category. Then it labels the real
photos itself where it is sure (`selftraining`), and goes on with those labels mixed in. The run writes `last.pt` every
five minutes (`--resume` goes on from there) and `garment.onnx` at the end.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset

from vestiary.networks.garment import SIDE, GarmentNetwork
from vestiary.training.garments import Stream

log = logging.getLogger("vestiary.training.garment")
SIGMA = 1.3  # of a landmark's target, in cells of the 64 × 64 map
WEIGHTS = {"mask": 2.0, "heat": 0.25, "visible": 1.0, "category": 0.5, "sleeve": 0.4, "neckline": 0.3}
WEIGHTS |= {"up": 1.5, "presence": 0.3}
SIDES = ((0.4, (160, 160, 160, 160, 160, 256)), (0.68, (192, 256)), (9.0, (SIDE,)))  # of the pictures, until that share


@dataclass(frozen=True)
class Recipe:
    """How to train; the fields are the command line's options."""

    garments: Path
    out: Path
    people: Path | None = None
    minutes: float = 80.0
    batch: int = 8
    rate: float = 1.5e-3
    frozen: int = 5
    selftrain_at: float = 0.64
    threads: int = 1
    seed: int = 0
    resume: bool = False
    bank_size: int = 600


class _Samples(IterableDataset[dict[str, Any]]):
    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def __iter__(self) -> Any:
        return iter(self.stream)


def _polite(_: int) -> None:
    os.nice(1)


def batches(recipe: Recipe, round_: int, *, workers: int = 1) -> Iterable[dict[str, Tensor]]:
    """Endless batches; another `round_` gives other samples. Pseudo labels are used as soon as there are some."""
    pseudo = recipe.out / "pseudo"
    stream = Stream(
        recipe.garments,
        recipe.people,
        pseudo if pseudo.exists() else None,
        seed=recipe.seed * 1000 + round_,
        real=0.4 if pseudo.exists() else 0.25,
        bank_size=recipe.bank_size,
    )
    extra: dict[str, Any] = {"worker_init_fn": _polite, "prefetch_factor": 4} if workers else {}
    return DataLoader(_Samples(stream), batch_size=recipe.batch, num_workers=workers, **extra)


def heat_targets(landmarks: Tensor, cells: int) -> Tensor:
    """`(N, 28, cells, cells)`: for each landmark a Gaussian that sums to 1."""
    places = (landmarks[..., :2] + 0.5) * (cells / SIDE) - 0.5
    line = torch.arange(cells, dtype=torch.float32)
    spread = torch.exp(-((line - places[..., None]) ** 2) / (2 * SIGMA**2)) + 1e-9
    spread = spread / spread.sum(-1, keepdim=True)
    return spread[:, :, 1, :, None] * spread[:, :, 0, None, :]


def losses(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each head's loss, averaged over the samples that teach it."""
    found = {name: value.float() for name, value in found.items()}
    mask, landmarks = wanted["mask"].float()[:, None] / 255, wanted["landmarks"].float()
    mask = F.interpolate(mask, size=found["mask"].shape[-2:], mode="area")
    each = F.binary_cross_entropy_with_logits(found["mask"], mask, reduction="none").mean((1, 2, 3))
    chance = found["mask"].sigmoid()
    overlap = 2 * (chance * mask).sum((1, 2, 3)) + 1
    each = each + 0.5 * (1 - overlap / (chance.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1))
    surprise = -(heat_targets(landmarks, found["heat"].shape[-1]) * _log_chances(found["heat"])).sum((2, 3))
    taught = landmarks[..., 2] * wanted["has_landmarks"].float()[:, None]
    visible = F.binary_cross_entropy_with_logits(found["visible"], landmarks[..., 2], reduction="none").mean(1)
    return {
        "mask": _mean(each, wanted["has_mask"]),
        "heat": (surprise * taught).sum() / taught.sum().clamp(min=1),
        "visible": 4 * _mean(visible, wanted["has_visible"]),
        "up": _mean((found["up"] - wanted["up"].float()).square().sum(1), wanted["has_up"]),
        "presence": F.binary_cross_entropy_with_logits(found["presence"][:, 0], wanted["presence"].float()),
        **{name: _classes(found[name], wanted[name]) for name in ("category", "sleeve", "neckline")},
    }


def _log_chances(heat: Tensor) -> Tensor:
    return F.log_softmax(heat.flatten(2), 2).view_as(heat)


def _mean(each: Tensor, weight: Tensor) -> Tensor:
    return (each * weight.float()).sum() / weight.float().sum().clamp(min=1)


def _classes(scores: Tensor, wanted: Tensor) -> Tensor:
    if bool((wanted < 0).all()):
        return scores.sum() * 0
    return F.cross_entropy(scores, wanted, ignore_index=-1, label_smoothing=0.05)


class Trainer:
    """Network, its slow average (Polyak & Juditsky 1992), optimiser and clock of one run."""

    def __init__(self, recipe: Recipe, *, pretrained: bool = True) -> None:
        torch.manual_seed(recipe.seed)
        torch.set_num_threads(recipe.threads)
        self.recipe = recipe
        self.network = GarmentNetwork(pretrained=pretrained, frozen=recipe.frozen).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval()
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.optimiser = torch.optim.AdamW(weights, recipe.rate, weight_decay=0.02)
        self.seconds, self.steps = 0.0, 0
        if recipe.resume and (recipe.out / "last.pt").exists():
            self._load(recipe.out / "last.pt")

    @property
    def done(self) -> float:
        """Share of the run's time that is used up."""
        return self.seconds / (60 * self.recipe.minutes)

    def step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """One update; the losses by name."""
        warm = min(1.0, (self.steps + 1) / 200)
        rate = self.recipe.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, self.done))))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        pictures = batch["image"].permute(0, 3, 1, 2).float()
        side = next(sides[self.steps % len(sides)] for until, sides in SIDES if self.done < until)
        if side != SIDE:
            pictures = F.interpolate(pictures, size=(side, side), mode="bilinear", antialias=True)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            found = self.network(pictures)
        parts = losses(found, batch)
        total = torch.stack([WEIGHTS[name] * loss for name, loss in parts.items()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.steps += 1
        self._follow(min(0.998, self.steps / (self.steps + 20)))
        return {name: float(loss.detach()) for name, loss in parts.items()}

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        new = self.network.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - keep)
            else:
                value.copy_(new[name])

    def save(self) -> None:
        """Write `last.pt`, whole or not at all."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "seconds": self.seconds,
            "steps": self.steps,
        }
        self.recipe.out.mkdir(parents=True, exist_ok=True)
        torch.save(state, self.recipe.out / "last.part")
        os.replace(self.recipe.out / "last.part", self.recipe.out / "last.pt")

    def _load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.seconds, self.steps = state["seconds"], state["steps"]


def train(recipe: Recipe, *, pretrained: bool = True, workers: int = 1) -> Trainer:
    """Run the recipe to its end (or on from `last.pt`) and write the ONNX file."""
    from vestiary.training.garment_export import export
    from vestiary.training.selftraining import write_pseudo_labels

    recipe.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(recipe, pretrained=pretrained)
    while trainer.done < 1:
        labelled = (recipe.out / "pseudo").exists()
        until = 1.0 if labelled else recipe.selftrain_at
        if trainer.done >= until:
            trainer.average.eval()
            count = write_pseudo_labels(trainer.average, recipe.garments, recipe.out / "pseudo")
            log.info("labelled %d real photos", count)
            continue
        _stretch(trainer, until, workers)
    trainer.save()
    export(trainer.average, recipe.out / "garment.onnx")
    return trainer


def _stretch(trainer: Trainer, until: float, workers: int) -> None:
    """Train until that share of the time is used up."""
    last = saved = time.monotonic()
    seen: dict[str, list[float]] = {}
    for batch in batches(trainer.recipe, trainer.steps, workers=workers):
        for name, loss in trainer.step(batch).items():
            seen.setdefault(name, []).append(loss)
        now = time.monotonic()
        trainer.seconds, last = trainer.seconds + now - last, now
        if trainer.steps % 50 == 0:
            note = {name: round(float(np.mean(values)), 4) for name, values in seen.items()}
            log.info(json.dumps({"step": trainer.steps, "minutes": round(trainer.seconds / 60, 1), **note}))
            seen.clear()
        if now - saved > 300:
            trainer.save()
            saved = now
        if trainer.done >= until:
            trainer.save()
            return


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m vestiary.training.garment", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--garments", type=Path, required=True, help="folder of real photos: t-shirt/, pants/, …")
    parser.add_argument("--people", type=Path, help="folder with photos/ and labels/ of people")
    parser.add_argument("--out", type=Path, default=Path("runs/garment"))
    parser.add_argument("--minutes", type=float, default=Recipe.minutes)
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--rate", type=float, default=Recipe.rate)
    parser.add_argument("--frozen", type=int, default=Recipe.frozen, help="levels of the encoder that are not trained")
    parser.add_argument("--selftrain-at", type=float, default=Recipe.selftrain_at, help="share of the time before it")
    parser.add_argument("--threads", type=int, default=Recipe.threads)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--resume", action="store_true", help="go on from last.pt")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    train(Recipe(**vars(chosen)))


if __name__ == "__main__":
    main()
