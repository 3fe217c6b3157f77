"""The attribute network: what a garment is in words, and where it lies among others.

EfficientNet-Lite0 (Tan & Le 2019, ImageNet weights) whose last two levels are trained; its features are pooled as a
whole and over a 3 × 3 grid, since a neckline is a matter of one place.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vestiary.networks.encoder import CHANNELS, Lite0, load_imagenet
from vestiary.networks.sizes import ATTRIBUTE_CLASSES, ATTRIBUTE_DIMENSIONS


class AttributeNetwork(nn.Module):
    """Pictures `(N, 3, 192, 192)` in 0..255 to a dict: logits `(N, classes)` by attribute, `embedding (N, 96)` of
    length 1.

    Args:
        pretrained: start from ImageNet weights.
        frozen: how many of the encoder's five levels are not trained.
    """

    def __init__(self, *, pretrained: bool = True, frozen: int = 3) -> None:
        super().__init__()
        self.encoder = Lite0(frozen=frozen)
        if pretrained:
            load_imagenet(self.encoder)
        self.spread = nn.Conv2d(CHANNELS[4], 64, 1)
        self.fine = nn.Conv2d(CHANNELS[3], 48, 1)
        pooled = CHANNELS[4] + CHANNELS[3] + 9 * 64 + 9 * 48
        self.norm = nn.LayerNorm(pooled)
        self.hidden = nn.Sequential(nn.Dropout(0.25), nn.Linear(pooled, 384), nn.ReLU(), nn.Dropout(0.25))
        self.heads = nn.ModuleDict({name: nn.Linear(384, len(names)) for name, names in ATTRIBUTE_CLASSES.items()})
        self.embed = nn.Linear(384, ATTRIBUTE_DIMENSIONS)

    def features(self, pictures: Tensor) -> Tensor:
        """`(N, 1440)`: what the heads see."""
        *_, at16, at32 = self.encoder(pictures / 255.0)
        return self.pool(at16, at32)

    def pool(self, at16: Tensor, at32: Tensor) -> Tensor:
        """`(N, 1440)` from the maps at strides 16 and 32."""
        places = F.avg_pool2d(F.relu(self.spread(at32)), 2).flatten(1)
        fine = F.avg_pool2d(F.relu(self.fine(at16)), 4).flatten(1)
        whole = torch.cat([at32.mean((2, 3)), at16.mean((2, 3)), places, fine], 1)
        normed: Tensor = self.norm(whole)
        return normed

    def answers(self, features: Tensor) -> dict[str, Tensor]:
        """Logits and embedding from the features."""
        hidden = self.hidden(features)
        found = {name: head(hidden) for name, head in self.heads.items()}
        found["embedding"] = F.normalize(self.embed(hidden), dim=1)
        return found

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        return self.answers(self.features(pictures))
