"""The trunks of LPIPS: the convolutions of AlexNet, SqueezeNet 1.1 and VGG-16, which take torchvision's weights.

Layer by layer as their papers have them (Krizhevsky 2014; Iandola et al. 2016; Simonyan and Zisserman 2015), with the
parameter names of torchvision, so that its files load as they are; torchvision itself is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

# Where LPIPS looks, as indices of the layers; each is an activation or a Fire module.
TAPS = {"alex": (1, 4, 7, 9, 11), "squeeze": (1, 4, 7, 9, 10, 11, 12), "vgg": (3, 8, 15, 22, 29)}
VGG = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)  # 0 = pooling
FIRE = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128)}
FIRE |= {9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256)}


class Fire(nn.Module):
    """Squeeze 1×1, then expand 1×1 and 3×3 side by side."""

    def __init__(self, inputs: int, narrow: int, wide: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, narrow, 1)
        self.expand1x1 = nn.Conv2d(narrow, wide, 1)
        self.expand3x3 = nn.Conv2d(narrow, wide, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], dim=1)


def load(trunk: str, state: Mapping[str, Tensor]) -> tuple[nn.Sequential, tuple[int, ...]]:
    """The trunk with these weights, ready to run, and the indices of the layers whose outputs count.

    Raises:
        RuntimeError: the weights are those of another network.
    """
    layers = {"alex": _alex, "squeeze": _squeeze, "vgg": _vgg}[trunk]()
    own = {name.removeprefix("features."): value for name, value in state.items() if name.startswith("features.")}
    layers.load_state_dict(own)
    return layers.eval().requires_grad_(False), TAPS[trunk]


def _alex() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
    )


def _squeeze() -> nn.Sequential:
    pools = {index: nn.MaxPool2d(3, 2, ceil_mode=True) for index in (2, 5, 8)}
    fires = {index: Fire(*sizes) for index, sizes in FIRE.items()}
    rest = {**pools, **fires}
    return nn.Sequential(nn.Conv2d(3, 64, 3, 2), nn.ReLU(), *(rest[index] for index in sorted(rest)))


def _vgg() -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = 3
    for width in VGG:
        if width == 0:
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
    return nn.Sequential(*layers)
