"""How close refined pictures come to the photo, beside unrefined ones, on photos that training has not seen:

python -m vestiary.training.refiner_score --pairs runs/refiner-pairs/held
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from vestiary import weights
from vestiary.fitting.refine import MULTIPLE, UNIT
from vestiary.networks.refiner import INPUTS, apply_maps
from vestiary.training.losses import PerceptualLoss, pixel_loss
from vestiary.training.refiner_cache import UNIT as KEPT_UNIT

F64 = NDArray[np.float64]
MEASURES = ("pixel", "perceptual", "dissimilarity")


@dataclass(frozen=True)
class Comparison:
    """`(N, 3)` figures per picture, columns as `MEASURES`, smaller is better: before and after refining."""

    coarse: F64
    refined: F64

    def columns(self) -> Iterator[tuple[str, str, F64]]:
        """Measure, which, and the figures of all pictures."""
        for i, name in enumerate(MEASURES):
            yield name, "coarse", self.coarse[:, i]
            yield name, "refined", self.refined[:, i]

    def interval(self, measure: str, share: float = 0.95, draws: int = 2000) -> tuple[float, float, float]:
        """Mean change relative to the coarse mean, and its bootstrap interval over the pictures."""
        i = MEASURES.index(measure)
        change = (self.refined[:, i] - self.coarse[:, i]) / self.coarse[:, i].mean()
        rng = np.random.default_rng(0)
        means = change[rng.integers(len(change), size=(draws, len(change)))].mean(axis=1)
        low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
        return float(change.mean()), float(low), float(high)


@torch.no_grad()
def compare(
    generator: nn.Module, pairs: Sequence[Path], encoder: Path | None = None, levels: tuple[int, ...] = (2, 3)
) -> Comparison:
    """Score pairs of a cache; the perceptual distance uses other levels of the encoder than the loss does."""
    first = next(generator.parameters(), None)
    device = torch.device("cpu") if first is None else first.device
    features = PerceptualLoss(levels, encoder).eval().to(device)
    rows: list[list[float]] = []
    for path in pairs:
        working, target, valid = load_pair(path, device)
        region = region_of(working, valid)
        refined = apply_maps(working, generator(working))
        for made in (working[:, :3], refined):
            made = target + region * (made - target)
            one = torch.ones_like(region)
            figures = (pixel_loss(made, target, region), features(made, target, one), 1 - ssim(made, target))
            rows.append([float(value) for value in figures])
    table = np.array(rows, np.float64)
    return Comparison(table[::2], table[1::2])


def load_pair(path: Path, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Working picture, target and valid mask at the network's scale, each `(1, c, H, W)` in 0..1."""
    pair = np.load(path)
    scale = UNIT / KEPT_UNIT
    size = [max(MULTIPLE, round(side * scale / MULTIPLE) * MULTIPLE) for side in (pair.shape[1], pair.shape[0])]
    groups = [np.ascontiguousarray(pair[..., i : i + 4]) for i in range(0, pair.shape[-1], 4)]
    small = [cv2.resize(g, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1) for g in groups]
    whole = torch.from_numpy(np.concatenate(small, axis=-1).transpose(2, 0, 1)[None].astype(np.float32) / 255)
    whole = whole.to(device)
    return whole[:, :INPUTS], whole[:, INPUTS : INPUTS + 3], whole[:, INPUTS + 3 :]


def region_of(working: Tensor, valid: Tensor) -> Tensor:
    """`(N, 1, H, W)`: where the maps can change the picture and the photo is the truth."""
    edited, cloth, _, ground, front = working[:, 6:11].split(1, 1)
    return edited * (1 - front) * (1 - ground) * torch.maximum(valid, cloth)


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) of the lightness, 7×7 windows."""
    x, y = a.mean(1, keepdim=True), b.mean(1, keepdim=True)
    mx, my = F.avg_pool2d(x, 7, 1), F.avg_pool2d(y, 7, 1)
    vx, vy = F.avg_pool2d(x * x, 7, 1) - mx * mx, F.avg_pool2d(y * y, 7, 1) - my * my
    cov = F.avg_pool2d(x * y, 7, 1) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * mx * my + c1) * (2 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))).mean()


class OnnxRefiner(nn.Module):
    """A refiner out of an ONNX file, called like the PyTorch one.

    Args:
        path: of the file; None = the one that ships.
    """

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        import onnxruntime

        file = str(path or weights.get("refiner"))
        self.session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def forward(self, working: Tensor) -> Tensor:
        """As `networks.refiner.Refiner`."""
        (maps,) = self.session.run(None, {"working": working.numpy()})
        return torch.from_numpy(maps)


def main() -> int:
    """Print the figures of a file on a folder of kept pairs as JSON, with 95 % intervals of the relative change."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True, help="folder of kept pairs")
    parser.add_argument("--onnx", type=Path, help="the refiner; left out: the one that ships")
    parser.add_argument("--limit", type=int, default=10**6, help="at most so many pairs, spread over all")
    wanted = parser.parse_args()
    every = sorted(wanted.pairs.glob("*.npy"), reverse=True)
    pairs = sorted({path.stem.partition("-")[0]: path for path in every}.values())  # one per photo: independent
    pairs = pairs[:: max(1, -(-len(pairs) // wanted.limit))]
    found = compare(OnnxRefiner(wanted.onnx), pairs)
    figures: dict[str, object] = {f"{name}_{which}": float(v.mean()) for name, which, v in found.columns()}
    changes = {name: dict(zip(("mean", "low", "high"), found.interval(name), strict=True)) for name in MEASURES}
    print(json.dumps({"pairs": len(pairs), **figures, "change": changes}, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
