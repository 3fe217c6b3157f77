"""The garment network: one look at a photo of one garment.

EfficientNet-Lite0 (Tan & Le 2019, ImageNet weights, frozen: it keeps features of real photos while most garments of
the training are rendered) feeds a U-Net decoder of plain 3 × 3 convolutions, which train fast on a CPU.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vestiary.networks.encoder import CHANNELS, Lite0, load_imagenet
from vestiary.types import CATEGORIES, NECKLINES, SLEEVES, Landmark

SIDE = 256


class Convs(nn.Sequential):
    """A 3 × 3 convolution with normalisation and ReLU."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__(
            nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
        )


class Residual(nn.Module):
    """Two 3 × 3 convolutions round a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Convs(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, flow: Tensor) -> Tensor:
        return F.relu(flow + self.second(self.first(flow)))


class Up(nn.Module):
    """Doubles the resolution, joins the encoder's level, mixes."""

    def __init__(self, inside: int, skip: int, outside: int, blocks: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inside, outside, 1, bias=False)
        self.join = Convs(outside + skip, outside)
        self.mix = nn.Sequential(*(Residual(outside) for _ in range(blocks)))

    def forward(self, flow: Tensor, skip: Tensor) -> Tensor:
        flow = F.interpolate(self.squeeze(flow), scale_factor=2.0, mode="nearest")
        return cast(Tensor, self.mix(self.join(torch.cat([flow, skip], 1))))


def _sixteenths(flow: Tensor) -> Tensor:
    """Means of 4 × 4 tiles."""
    side = int(flow.shape[-1])
    if side % 4 == 0:  # the adaptive kind is the same here, but has no ONNX form
        return F.avg_pool2d(flow, side // 4)
    return F.adaptive_avg_pool2d(flow, 4)


class GarmentNetwork(nn.Module):
    """Pictures `(N, 3, 256, 256)` in 0..255 to a dict of logits:

    mask `(N, 1, 256, 256)`; heat `(N, 28, 64, 64)`, per landmark a distribution over places; visible `(N, 28)`;
    category `(N, 6)`; sleeve `(N, 4)`; neckline `(N, 9)`; up `(N, 2)`; presence `(N, 1)`.

    Args:
        pretrained: start from ImageNet weights.
        frozen: how many of the encoder's five levels are not trained.
    """

    def __init__(self, *, pretrained: bool = True, frozen: int = 5) -> None:
        super().__init__()
        self.encoder = Lite0(frozen=frozen)
        if pretrained:
            load_imagenet(self.encoder)
        self.bottom = nn.Sequential(nn.Conv2d(CHANNELS[4], 160, 1, bias=False), nn.BatchNorm2d(160), nn.ReLU())
        self.global_mix = nn.Sequential(Residual(160), Residual(160))
        self.up16 = Up(160, CHANNELS[3], 112, 2)
        self.up32 = Up(112, CHANNELS[2], 72, 2)
        self.up64 = Up(72, CHANNELS[1], 48, 1)
        self.up128 = Up(48, CHANNELS[0], 20, 0)
        self.heat = nn.Conv2d(48, len(Landmark), 3, padding=1)
        self.mask = nn.Conv2d(20, 4, 3, padding=1)
        self.sizes = {"visible": len(Landmark), "category": len(CATEGORIES), "sleeve": len(SLEEVES)}
        self.sizes |= {"neckline": len(NECKLINES), "up": 2, "presence": 1}
        self.spread = nn.Conv2d(160, 32, 1)
        pooled = CHANNELS[4] + 160 + 112 + 32 * 16
        self.hidden = nn.Sequential(nn.Linear(pooled, 192), nn.ReLU(), nn.Dropout(0.2))
        self.heads = nn.Linear(192, sum(self.sizes.values()))

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        at2, at4, at8, at16, at32 = self.encoder(pictures / 255.0)
        deep = self.global_mix(self.bottom(at32))
        flow16 = self.up16(deep, at16)
        flow64 = self.up64(self.up32(flow16, at8), at4)
        fine = self.up128(flow64, at2)
        places = _sixteenths(F.relu(self.spread(deep))).flatten(1)  # which way is up needs to know where
        pooled = torch.cat([at32.mean((2, 3)), deep.mean((2, 3)), flow16.mean((2, 3)), places], 1)
        scores = self.heads(self.hidden(pooled)).split(list(self.sizes.values()), 1)
        return {
            "mask": F.pixel_shuffle(self.mask(fine), 2),
            "heat": self.heat(flow64),
            **dict(zip(self.sizes, scores, strict=True)),
        }
