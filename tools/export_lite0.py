"""Write src/vestiary/networks/lite0.onnx, the features on which the bench judges, from the ImageNet weights.

    python tools/export_lite0.py -o out/lite0.onnx

Needs the extra `train`. The file in the package was made by this script; its SHA-256 is in networks/weights.json.
"""

from __future__ import annotations

import argparse
import hashlib
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from vestiary.networks.encoder import MEAN, STD, STRIDES, Lite0, load_imagenet
from vestiary.training.export import halve_weights


class Features(nn.Module):
    """The five maps of the pyramid from a picture in 0..255."""

    def __init__(self, encoder: Lite0) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        x = (image - MEAN) / STD
        maps = []
        for index in range(len(STRIDES)):
            x = self.encoder.level(x, index)
            maps.append(x)
        return tuple(maps)


def main() -> None:
    """Export, store the weights as 16-bit floats, compare with PyTorch, and say size and SHA-256."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("src/vestiary/networks/lite0.onnx"))
    output: Path = parser.parse_args().output
    output.parent.mkdir(parents=True, exist_ok=True)
    encoder = Lite0()
    load_imagenet(encoder)
    features = Features(encoder).eval()
    names = [f"stride{stride}" for stride in STRIDES]
    sizes = {2: "height", 3: "width"}  # multiples of 32: then the "SAME" padding does not depend on the size
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            *(features, (torch.zeros(1, 3, 128, 96),), str(output)),
            input_names=["image"],
            output_names=names,
            dynamic_axes={"image": sizes, **{name: {2: f"h{name[6:]}", 3: f"w{name[6:]}"} for name in names}},
            opset_version=17,
            dynamo=False,
        )
    halve_weights(output)
    picture = np.random.default_rng(0).integers(0, 256, (1, 3, 256, 192)).astype(np.float32)
    found = onnxruntime.InferenceSession(str(output)).run(None, {"image": picture})
    with torch.no_grad():
        wanted = features(torch.from_numpy(picture))
    for name, one, other in zip(names, found, wanted, strict=True):
        error = float(np.abs(one - other.numpy()).max() / np.abs(other.numpy()).max())
        print(f"{name}: {one.shape}, largest difference {error:.2%} of the largest value")
    print(f"{output}: {output.stat().st_size} bytes, SHA-256 {hashlib.sha256(output.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
