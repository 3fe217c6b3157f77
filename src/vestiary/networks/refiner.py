"""The refiner: a U-Net (Ronneberger et al. 2015) that sees the coarse picture and answers with maps, not pixels.

It works at half the working picture's size (pixel unshuffle) and finds the slow light at an eighth, so that a step
takes tens of milliseconds on two CPU cores.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INPUTS = 19  # `vestiary.fitting.refine.CHANNELS`
SHADING, FOLDS, UNCOVER, SKIN = 0.7, 0.35, 0.9, 0.25  # bounds of the maps: log gains, share, and steps of 0..1


class ConvBlock(nn.Sequential):
    """3×3 convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs, momentum=0.05),
            nn.ReLU(inplace=True),
        )


class Refiner(nn.Module):
    """Six maps: log gain of slow light, log gain of folds, share uncovered at edges, and RGB added to made-up skin.

    Args:
        widths: channels at strides 2, 4, 8, 16.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (32, 56, 88, 128)) -> None:
        super().__init__()
        w = widths
        self.stem = nn.Sequential(ConvBlock(4 * INPUTS, w[0]), ConvBlock(w[0], w[0]))
        self.down = nn.ModuleList(
            nn.Sequential(ConvBlock(w[i], w[i + 1], 2), *(ConvBlock(w[i + 1], w[i + 1]) for _ in range(1 + (i == 2))))
            for i in range(3)
        )
        self.up = nn.ModuleList(ConvBlock(w[i + 1] + w[i], w[i]) for i in range(3))
        self.polish = nn.ModuleList(ConvBlock(w[i], w[i]) for i in range(3))
        self.light = nn.Conv2d(w[2], 1, 3, padding=1)
        self.detail = nn.Conv2d(w[0], 4 * 5, 3, padding=1)
        for head in (self.light, self.detail):  # begin with the picture as it is
            nn.init.normal_(head.weight, std=1e-3)
            nn.init.zeros_(head.bias)
        nn.init.constant_(self.detail.bias[4:8], -3.0)

    def forward(self, working: Tensor) -> Tensor:
        """`(N, 19, H, W)` in 0..1, sides divisible by 16 → `(N, 6, H, W)` of `refine.MAPS`."""
        levels = [self.stem(F.pixel_unshuffle(working * 2 - 1, 2))]  # (N, w0, H/2, W/2)
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels[3]  # (N, w3, H/16, W/16)
        light = x
        for i in (2, 1, 0):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.polish[i](self.up[i](torch.cat([x, levels[i]], 1)))
            if i == 2:
                light = self.light(x)  # (N, 1, H/8, W/8)
        light = F.interpolate(light.float(), scale_factor=8.0, mode="bilinear", align_corners=False)
        folds, uncover, skin = F.pixel_shuffle(self.detail(x).float(), 2).split((1, 1, 3), 1)
        maps = (SHADING * light.tanh(), FOLDS * folds.tanh(), UNCOVER * uncover.sigmoid(), SKIN * skin.tanh())
        return torch.cat(maps, 1)


def apply_maps(working: Tensor, maps: Tensor) -> Tensor:
    """The working picture mended by the maps: `(N, 3, H, W)` in 0..1; the same arithmetic as `fitting.blend`."""
    coarse, behind = working[:, 0:3], working[:, 3:6]
    edited, cloth, skin, ground, front = working[:, 6:11].split(1, 1)
    mended = coarse + maps[:, 2:3] * edge_of(cloth) * (behind - coarse)
    mended = mended * (maps[:, 0:1] + maps[:, 1:2]).mul(1 - ground).exp() + skin * maps[:, 3:6]
    return coarse + edited * (1 - front) * (mended.clamp(0, 1) - coarse)


def edge_of(cloth: Tensor) -> Tensor:
    """1 on the new garment's edge, 0 from about three pixels away."""
    soft = F.avg_pool2d(F.avg_pool2d(cloth, 3, 1, 1), 3, 1, 1)
    return 4 * soft * (1 - soft)
