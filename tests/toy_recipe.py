"""A recipe small enough to be trained in tests: a generator, and a discriminator if asked for, on drawn pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vestiary.errors import ImageError, InputError
from vestiary.training.config import RecipeConfig
from vestiary.training.export import Exported, write_onnx


class ToyConfig(RecipeConfig):
    data: Path | None = None
    width: int = 4
    rate: float = 0.01
    adversarial: bool = False
    broken: int = 0  # every so manieth sample cannot be read
    diverge_at: int | None = None
    slow: float = 0.0
    scores: tuple[float, ...] = ()


class Samples:
    """Discs, and their blurred outlines as what is to be found."""

    def __init__(self, seed: int, broken: int) -> None:
        self.seed, self.broken = seed, broken

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict[str, Any]:
        if self.broken and index % self.broken == self.broken - 1:
            raise ImageError(f"photos/{index}.jpg is no picture.")
        rng = np.random.default_rng((self.seed, index))
        centre, radius = rng.uniform(4, 12, 2), rng.uniform(2, 6)
        rows, columns = np.mgrid[:16, :16]
        disc = (np.hypot(rows - centre[0], columns - centre[1]) < radius).astype(np.float32)
        image = disc[None] + rng.normal(0, 0.3, (3, 16, 16)).astype(np.float32)
        return {"image": image.astype(np.float32), "target": disc[None]}


class ToyRecipe:
    Config = ToyConfig
    name = "toyrecipe"

    def __init__(self, config: ToyConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        width = config.width
        generator = [nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.1)]
        self.networks: dict[str, nn.Module] = {
            "generator": nn.Sequential(*generator, nn.Conv2d(width, 1, 3, padding=1))
        }
        if config.adversarial:
            self.networks["discriminator"] = nn.Sequential(nn.Conv2d(1, 4, 4, 2), nn.ReLU(), nn.Conv2d(4, 1, 4))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {name: torch.optim.AdamW(net.parameters(), self.config.rate) for name, net in self.networks.items()}

    def samples(self, split: str) -> Samples:
        if self.config.data is not None and not self.config.data.is_dir():
            raise InputError(f"there is no folder {self.config.data}.", hint="Hand in a folder with photos/.")
        return Samples(self.config.seed + (split != "train"), self.config.broken)

    def losses(self, which: str, batch: dict[str, torch.Tensor], step: int) -> dict[str, torch.Tensor]:
        if step == self.config.diverge_at:
            return {"l1": torch.tensor(float("nan"), requires_grad=True)}
        if self.config.slow:
            import time

            time.sleep(self.config.slow)
        logits = self.networks["generator"](batch["image"])
        if which == "discriminator":
            real, made = (self.networks["discriminator"](x) for x in (batch["target"], logits.detach().sigmoid()))
            return {"real": F.relu(1 - real).mean(), "made": F.relu(1 + made).mean()}
        losses = {"l1": F.binary_cross_entropy_with_logits(logits, batch["target"])}
        if self.config.adversarial:
            losses["adversarial"] = -0.01 * self.networks["discriminator"](logits.sigmoid()).mean()
        return losses

    def validate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        torch.rand(3)  # must not change what training draws
        if self.config.scores:
            self.asked = getattr(self, "asked", 0) + 1
            return {"score": self.config.scores[min(self.asked, len(self.config.scores)) - 1]}
        self.samples("validation")  # says whether the data is there
        samples = Samples(self.config.seed + 1, 0)
        right = []
        for i in range(len(samples)):
            sample = {key: torch.from_numpy(value)[None] for key, value in samples[i].items()}
            right.append(((networks["generator"](sample["image"]) > 0) == (sample["target"] > 0.5)).float().mean())
        return {"score": float(torch.stack(right).mean()), "pictures": float(len(samples))}

    def exported(self, networks: dict[str, nn.Module]) -> Exported:
        return Exported(networks["generator"], {"image": torch.rand(1, 3, 16, 16)}, ("logits",))

    def export(self, networks: dict[str, nn.Module], path: Path) -> None:
        write_onnx(self.exported(networks), path)


if os.environ.get("TOY_DIES_WHILE_SAVING"):  # kill -9 in the middle of the checkpoint after that step
    from vestiary.training import checkpoint

    real_save = torch.save

    def save(content: dict[str, Any], file: Any) -> None:
        real_save(content, file)
        if content["position"]["steps"] == int(os.environ["TOY_DIES_WHILE_SAVING"]):
            file.flush()
            file.truncate(file.tell() // 2)
            os.kill(os.getpid(), 9)

    checkpoint.torch.save = save  # type: ignore[assignment]
