"""The standard measures, LPIPS, FID and KID, with the standard networks: only with files that the user brings.

Nothing is downloaded and nothing takes their place: without the files the measures are absent from the result, with
the reason. The folder is `--networks DIR`, or `evaluation` in the folder of model files. It may hold

* `inception-2015-12-05.pt`: the TorchScript Inception of FID, as StyleGAN2-ADA and clean-fid use it;
* `alexnet-owt-7be5be79.pth`, `squeezenet1_1-b8a52dc0.pth`, `vgg16-397923af.pth`: trunks, the files of torchvision
  (the digits are the beginning of their SHA-256 and are checked);
* `alex.pth`, `squeeze.pth`, `vgg.pth`: the linear weights of LPIPS v0.1, the files in the wheel of `lpips`.

Needs PyTorch: `pip install "vestiary[evaluate]"`; neither torchvision nor the packages of the measures.
"""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vestiary.download import sha256_of
from vestiary.errors import MissingExtraError, WeightsError
from vestiary.weights import cache_dir

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Picture

VERSION = "1"
Trunk = Literal["alex", "squeeze", "vgg"]
TRUNKS: dict[Trunk, str] = {
    "alex": "alexnet-owt-7be5be79.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
    "vgg": "vgg16-397923af.pth",
}
INCEPTION = "inception-2015-12-05.pt"
INSTALL = 'Type: pip install "vestiary[evaluate]"'


@dataclass(frozen=True)
class Standard:
    """Which standard measures can be had.

    Attributes:
        lpips: trunk → the files of trunk and linear weights.
        inception: the file of FID and KID, or None.
        absent: measure → why it cannot be had.
        sha256: file name → SHA-256 of what is used.
    """

    lpips: dict[Trunk, tuple[Path, Path]]
    inception: Path | None
    absent: dict[str, str]
    sha256: dict[str, str]


def find(folder: Path | None = None) -> Standard:
    """The standard networks in a folder; a broken file counts as absent.

    Args:
        folder: where they are; by default `evaluation` in the folder of model files.
    """
    place = folder or cache_dir() / "evaluation"
    lpips: dict[Trunk, tuple[Path, Path]] = {}
    absent, digests = {}, {}
    torchless = "" if importlib.util.find_spec("torch") else f"PyTorch is not installed. {INSTALL}"
    for trunk, file in TRUNKS.items():
        paths = place / file, place / f"{trunk}.pth"
        reason = torchless or _trouble(paths)
        if reason:
            absent[f"lpips_{trunk}"] = reason
        else:
            lpips[trunk] = paths
            digests.update({path.name: sha256_of(path) for path in paths})
    inception = place / INCEPTION
    reason = torchless or _trouble((inception,))
    if reason:
        absent["fid"] = absent["kid"] = reason
    else:
        digests[INCEPTION] = sha256_of(inception)
    return Standard(lpips, None if reason else inception, absent, digests)


def _trouble(paths: tuple[Path, ...]) -> str:
    """Why these files cannot be used; empty if they can."""
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        return f"{' and '.join(missing)} not in {paths[0].parent}; see docs/bench.md."
    beginning = paths[0].stem.rpartition("-")[2]
    if paths[0].suffix == ".pth" and not sha256_of(paths[0]).startswith(beginning):
        return f"{paths[0]} is broken: its SHA-256 does not begin with {beginning}."
    return ""


class Lpips:
    """LPIPS v0.1 (Zhang et al. 2018) with one of its trunks.

        d = Σ_l mean over places p of w_l · (â_lp - b̂_lp)²,  â = a / |a| along the channels

    Raises:
        MissingExtraError: PyTorch is not installed.
        WeightsError: the files do not hold what they should.
    """

    def __init__(self, trunk: Trunk, files: tuple[Path, Path]) -> None:
        torch = _torch()
        from vestiary.networks import lpips_trunks

        self._torch = torch
        try:
            state = torch.load(files[0], map_location="cpu", weights_only=True)
            self._trunk, self._taps = lpips_trunks.load(trunk, state)
            linear = torch.load(files[1], map_location="cpu", weights_only=True)
            self._weights = [linear[f"lin{level}.model.1.weight"] for level in range(len(self._taps))]
        except Exception as problem:
            raise _broken(files, problem) from problem
        shape = (1, 3, 1, 1)
        self._shift = torch.tensor((-0.030, -0.088, -0.188)).view(shape)
        self._scale = torch.tensor((0.458, 0.448, 0.450)).view(shape)

    def distance(self, one: Picture, other: Picture) -> float:
        """LPIPS of two `(H, W, 3) uint8` pictures of one size; 0 for equal ones."""
        torch = self._torch
        with torch.no_grad():
            maps = [self._maps(picture) for picture in (one, other)]
            levels = [
                (weight * (a - b) ** 2).sum(dim=1).mean() for a, b, weight in zip(*maps, self._weights, strict=True)
            ]
            return float(sum(levels))

    def _maps(self, picture: Picture) -> list[Any]:
        x = self._torch.from_numpy(picture.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
        x = (x - self._shift) / self._scale
        found = []
        for index, layer in enumerate(self._trunk):
            x = layer(x)
            if index in self._taps:
                found.append(x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10))
        return found


class Inception:
    """The features of FID and KID: `(2048,)` of a picture, resized as clean-fid does it (Parmar, Zhang and Zhu, "On
    aliased resizing and surprising subtleties in GAN evaluation", 2022): antialiased bicubic to 299 × 299, as floats.

    Raises:
        MissingExtraError: PyTorch is not installed.
        WeightsError: the file does not hold what it should.
    """

    def __init__(self, file: Path) -> None:
        self._torch = _torch()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript is on its way out; the file stays
                self._layers = self._torch.jit.load(str(file), map_location="cpu").eval().layers
        except Exception as problem:
            raise _broken((file,), problem) from problem

    def features(self, picture: Picture) -> NDArray[np.float32]:
        """The pooled features of an `(H, W, 3) uint8` picture."""
        from PIL import Image

        channels = [
            np.asarray(Image.fromarray(picture[..., c].astype(np.float32)).resize((299, 299), Image.Resampling.BICUBIC))
            for c in range(3)
        ]
        x = self._torch.from_numpy(np.stack(channels)[None])
        with self._torch.no_grad():
            return np.asarray(self._layers((x - 128) / 128).view(-1).numpy(), np.float32)


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingExtraError("the standard measures need PyTorch.", hint=INSTALL) from None
    return torch


def _broken(files: tuple[Path, ...], problem: Exception) -> WeightsError:
    names = " and ".join(str(file) for file in files)
    return WeightsError(f"{names} cannot be used: {problem}", hint="Take the files that docs/bench.md names.")
