"""The part parser: a photo of one person, cropped, with pose and silhouette → what every pixel shows.

EfficientNet-Lite0 pyramid, and a U-Net decoder (Ronneberger et al. 2015) of plain 3×3 convolutions, which train several
times faster on a CPU than depthwise ones. Joint heat maps and the silhouette join at every level of the decoder.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vestiary.networks.encoder import CHANNELS, Lite0

HEIGHT, WIDTH = 320, 224  # of the network's input
HINTS = 19  # 18 joint heat maps (COCO order) and the silhouette, at half the input's size
CLASSES: tuple[str, ...] = (
    "background",
    "hair",
    "face",
    "neck",
    "arm",
    "hand",
    "leg",
    "top",
    "outerwear",
    "dress",
    "skirt",
    "trousers",
    "shorts",
    "shoes",
    "bag",
    "hat",
    "accessory",
)


class ConvBlock(nn.Sequential):
    """3×3 convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, momentum=0.05),
            nn.ReLU(inplace=True),
        )


class PartParser(nn.Module):
    """Logits of the 17 `CLASSES` at half the input's size; sides (left, right) are told apart from the pose afterwards.

    Args:
        widths: channels of the decoder at strides 2, 4, 8, 16, 32.
        frozen: encoder levels that stay as they are; see `Lite0`.
    """

    def __init__(self, widths: tuple[int, ...] = (24, 48, 80, 128, 160), frozen: int = 3) -> None:
        super().__init__()
        self.encoder = Lite0(frozen)
        self.bottom = ConvBlock(CHANNELS[4] + HINTS, widths[4], 1)
        self.narrow = nn.ModuleList(ConvBlock(widths[i + 1], widths[i], 1) for i in range(4))
        self.join = nn.ModuleList(ConvBlock(widths[i] + CHANNELS[i] + (HINTS if i else 1), widths[i]) for i in range(4))
        self.refine = nn.ModuleList(ConvBlock(widths[i], widths[i]) for i in range(1, 4))
        self.head = nn.Conv2d(widths[0], len(CLASSES), 1)

    def forward(self, image: Tensor, hints: Tensor) -> Tensor:
        """`image` (N, 3, H, W) in 0..1, `hints` (N, 19, H/2, W/2) in 0..1 → (N, 17, H/2, W/2)."""
        maps = self.encoder(image)
        pyramid = [hints.to(maps[4].dtype)]
        for _ in range(4):
            pyramid.append(F.avg_pool2d(pyramid[-1], 2))
        pyramid[0] = pyramid[0][:, -1:]  # at full detail the silhouette alone
        x = self.bottom(torch.cat([maps[4], pyramid[4]], 1))  # (N, widths[4], H/32, W/32)
        for i in (3, 2, 1, 0):
            x = F.interpolate(self.narrow[i](x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = self.join[i](torch.cat([x, maps[i], pyramid[i]], 1))  # (N, widths[i], H/2^(i+1), W/2^(i+1))
            if i > 0:
                x = self.refine[i - 1](x)
        logits: Tensor = self.head(x)
        return logits
