"""The part parser: a photo of one person, cropped, with pose and silhouette → what every pixel shows.

EfficientNet-Lite0 pyramid, and a U-Net decoder (Ronneberger et al. 2015) of plain 3×3 convolutions, which train several
times faster on a CPU than depthwise ones. Joint heat maps and the silhouette join at every level of the decoder. A
second head says which garments the picture shows at all; what it says is added to the pixels' logits, so that a garment
is called one thing from its one end to the other.
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
WORN: tuple[str, ...] = ("top", "outerwear", "dress", "skirt", "trousers", "shorts", "bag", "hat")  # of the second head
CONTEXT = 96  # values that describe the whole picture


class ConvBlock(nn.Sequential):
    """3×3 convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, momentum=0.05),
            nn.ReLU(inplace=True),
        )


class PartParser(nn.Module):
    """Logits of the 17 `CLASSES` at half the input's size, and of the 8 garments `WORN` for the picture as a whole.

    Sides (left, right) are told apart from the pose afterwards.

    Args:
        widths: channels of the decoder at strides 2, 4, 8, 16, 32.
        frozen: encoder levels that stay as they are; see `Lite0`.
    """

    def __init__(self, widths: tuple[int, ...] = (24, 48, 80, 128, 160), frozen: int = 3) -> None:
        super().__init__()
        self.encoder = Lite0(frozen)
        self.bottom = ConvBlock(CHANNELS[4] + HINTS, widths[4], 1)
        self.drop = nn.Dropout2d(0.1)
        self.narrow = nn.ModuleList(ConvBlock(widths[i + 1], widths[i], 1) for i in range(4))
        self.join = nn.ModuleList(ConvBlock(widths[i] + CHANNELS[i] + (HINTS if i else 1), widths[i]) for i in range(4))
        self.refine = nn.ModuleList(ConvBlock(widths[i], widths[i]) for i in range(1, 4))
        self.head = nn.Conv2d(widths[0], len(CLASSES), 1)
        self.describe = nn.Sequential(nn.Linear(2 * CHANNELS[4], CONTEXT), nn.ReLU(), nn.Dropout(0.2))
        self.worn = nn.Linear(CONTEXT, len(WORN))
        self.tell = nn.Linear(CONTEXT, widths[4])  # the description, to every place
        nn.init.zeros_(self.tell.weight)
        nn.init.zeros_(self.tell.bias)
        self.trust = nn.Parameter(torch.full((len(WORN),), 0.3))  # how much of a log-odds is added to the pixels
        places = torch.zeros(len(WORN), len(CLASSES))
        places[range(len(WORN)), [CLASSES.index(name) for name in WORN]] = 1
        self.register_buffer("places", places, persistent=False)

    def forward(self, image: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        """The pixels' logits and the log-odds that each of `WORN` is seen at all.

        Args:
            image: (N, 3, H, W) in 0..1.
            hints: (N, 19, H/2, W/2) in 0..1.

        Returns:
            (N, 17, H/2, W/2) and (N, 8).
        """
        maps = self.encoder(image)
        described = self.describe(torch.cat([maps[4].mean((2, 3)), maps[4].amax((2, 3))], 1))  # (N, CONTEXT)
        worn: Tensor = self.worn(described)
        pyramid = [hints.to(maps[4].dtype)]
        for _ in range(4):
            pyramid.append(F.avg_pool2d(pyramid[-1], 2))
        pyramid[0] = pyramid[0][:, -1:]  # at full detail the silhouette alone
        x = self.bottom(torch.cat([maps[4], pyramid[4]], 1))  # (N, widths[4], H/32, W/32)
        x = self.drop(x) + self.tell(described)[:, :, None, None]
        for i in (3, 2, 1, 0):
            x = F.interpolate(self.narrow[i](x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = self.join[i](torch.cat([x, maps[i], pyramid[i]], 1))  # (N, widths[i], H/2^(i+1), W/2^(i+1))
            if i > 0:
                x = self.refine[i - 1](x)
        logits: Tensor = self.head(x)
        prior = (worn * self.trust) @ self.places.to(worn.dtype)  # (N, 17)
        return logits + prior[:, :, None, None].to(logits.dtype), worn
