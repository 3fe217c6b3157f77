"""PatchGAN (Isola et al. 2017): whether patches of a picture, seen with the masks of what was made up, are real."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Sequential):
    """Logits for patches of 46×46 pixels, at a quarter of the size; spectrally normalised (Miyato et al. 2018).

    Args:
        inputs: the picture's three channels and the masks.
        widths: channels at strides 2, 4, 4.
    """

    def __init__(self, inputs: int = 5, widths: tuple[int, int, int] = (32, 64, 96)) -> None:
        wide = (inputs, *widths)
        layers: list[nn.Module] = []
        for i in range(3):
            layers += [spectral_norm(nn.Conv2d(wide[i], wide[i + 1], 4 if i < 2 else 3, 2 if i < 2 else 1, 1))]
            layers += [nn.LeakyReLU(0.2)]
        layers += [spectral_norm(nn.Conv2d(wide[3], wide[3], 3, 1, 2, dilation=2)), nn.LeakyReLU(0.2)]
        super().__init__(*layers, spectral_norm(nn.Conv2d(wide[3], 1, 3, 1, 1)))

    def forward(self, picture: Tensor) -> Tensor:
        """`(N, inputs, H, W)` in 0..1 → `(N, 1, H/4, W/4)`."""
        logits: Tensor = super().forward(picture * 2 - 1)
        return logits
