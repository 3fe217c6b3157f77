"""The published weights that Vestiary knows, as data: where they lie, at which commit, which files, which licence.

Every part of a set is a repository on the Hugging Face hub, pinned by its full commit hash, so that what was checked is
what is loaded. docs/published.md says where each fact comes from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from vestiary.errors import OptionError, WeightsError

CONFIGS = Path(__file__).parent / "configs"
Kind = Literal["catvton", "catvton-flux", "fashn"]


@dataclass(frozen=True)
class Part:
    """One repository of a set of weights.

    Attributes:
        name: of its folder, where files are put by hand.
        repo: on the hub.
        revision: full commit hash; "" where none is known, and the user names one.
        files: needed from it. Where a file exists in several forms, their names are parted by `|`, the hub's first.
        licence: a key of `licences.LICENCES`.
        bytes: of the files, about.
        sha256: of those files whose hash is known, in hex.
        asked: whether the user chose this commit.
    """

    name: str
    repo: str
    revision: str
    files: tuple[str, ...]
    licence: str
    bytes: int
    sha256: Mapping[str, str] = field(default_factory=dict)
    asked: bool = False

    @property
    def patterns(self) -> list[str]:
        """What is asked of the hub."""
        return [file.partition("|")[0] for file in self.files]

    def missing(self, folder: Path) -> list[str]:
        """The files that this folder does not have."""
        return [file for file in self.files if self.found(folder, file) is None]

    def weights(self, folder: Path) -> list[Path]:
        """Those of its files in this folder that hold weights; of several forms the first that is there."""
        firsts = (next((m for form in file.split("|") if (m := sorted(folder.glob(form)))), []) for file in self.files)
        return [file for matches in firsts for file in matches if file.suffix == ".safetensors"]

    @staticmethod
    def found(folder: Path, file: str) -> Path | None:
        """Where one of the needed files lies in this folder; the first of its forms that is there."""
        for form in file.split("|"):
            if matches := sorted(folder.glob(form)):
                return matches[0]
        return None


@dataclass(frozen=True)
class Published:
    """A set of published weights that makes one try-on model.

    Attributes:
        name: what users type.
        kind: which loader it needs.
        summary: one line for lists.
        engine: the engine that runs it.
        parts: its repositories, that which the set is named for first.
        networks: number of parameters of each network that is loaded.
        traits: width and height of the frame that it was trained at, and what its loader has to know.
        paper: to cite.
    """

    name: str
    kind: Kind
    summary: str
    engine: str
    parts: tuple[Part, ...]
    networks: Mapping[str, int]
    traits: Mapping[str, Any] = field(default_factory=dict)
    paper: str = ""

    @property
    def bytes(self) -> int:
        """To fetch, in all."""
        return sum(part.bytes for part in self.parts)

    def part(self, name: str) -> Part:
        """The part of that name."""
        return next(part for part in self.parts if part.name == name)


SD15_UNET, PIX2PIX_UNET, SD_VAE = 859_535_364, 859_532_484, 83_653_863
FLUX_TRANSFORMER, FLUX_VAE, CLIP_L_TEXT, T5_XXL_ENCODER = 11_902_391_360, 83_819_683, 123_060_480, 4_762_310_656

_INPAINTING = Part(
    name="base",
    repo="stable-diffusion-v1-5/stable-diffusion-inpainting",
    revision="8a4288a76071f7280aedbdb3253bdb9e9d5d84bb",
    files=(
        "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors|unet/diffusion_pytorch_model.safetensors",
        "scheduler/scheduler_config.json",
    ),
    licence="creativeml-openrail-m",
    bytes=1_719_100_000,
)
_PIX2PIX = Part(
    name="base",
    repo="timbrooks/instruct-pix2pix",
    revision="31519b5cb02a7fd89b906d88731cd4d6a7bbf88d",
    files=(
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors|unet/diffusion_pytorch_model.fp16.safetensors",
        "scheduler/scheduler_config.json",
    ),
    licence="creativeml-openrail-m",  # its code is MIT; the weights descend from Stable Diffusion 1.5
    bytes=3_438_100_000,
)
_VAE = Part(
    name="vae",
    repo="stabilityai/sd-vae-ft-mse",
    revision="31f26fdeee1355a5c34592e401dd41e45d25a493",
    files=("config.json", "diffusion_pytorch_model.safetensors"),
    licence="mit",
    bytes=334_643_823,
    sha256={"diffusion_pytorch_model.safetensors": "a1d993488569e928462932c8c38a0760b874d166399b14414135bd9c42df5815"},
)
_FILL = Part(
    name="base",
    repo="black-forest-labs/FLUX.1-Fill-dev",
    revision="358293da0354175698b67ec8299acf928313a78a",
    files=(
        "scheduler/scheduler_config.json",
        "transformer/config.json",
        "transformer/diffusion_pytorch_model*.safetensors*",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "text_encoder_2/config.json",
        "text_encoder_2/model*.safetensors*",
        "tokenizer/*",
        "tokenizer_2/*",
    ),
    licence="flux-1-dev-non-commercial",
    bytes=33_750_000_000,
)
_CATVTON_PAPER = "Chong et al., CatVTON: Concatenation Is All You Need for Virtual Try-On, 2024, arXiv:2407.15886"


def _attention(folder: str, repo: str, revision: str) -> Part:
    file = f"{folder}/attention/model.safetensors"
    return Part("attention", repo, revision, (file,), "cc-by-nc-sa-4.0", 198_310_000)


def _catvton(name: str, folder: str, summary: str, width: int, height: int) -> Published:
    attention = _attention(folder, "zhengchong/CatVTON", "2969fcf85fe62f2036605716f0b56f0b81d01d79")
    return Published(
        name=name,
        kind="catvton",
        summary=summary,
        engine="diffusion",
        parts=(attention, _INPAINTING, _VAE),
        networks={"unet": SD15_UNET, "vae": SD_VAE},
        traits={"in_channels": 9, "concat": "height", "width": width, "height": height},
        paper=_CATVTON_PAPER,
    )


def _mask_free() -> Published:
    attention = _attention("mix-48k-1024", "zhengchong/CatVTON-MaskFree", "b034d7700d6bf0e8ae1c01f9398f2eb54df5f52a")
    return Published(
        name="catvton-mask-free",
        kind="catvton",
        summary="CatVTON without a mask: it sees the clothes that are worn; 768x1024",
        engine="diffusion",
        parts=(attention, _PIX2PIX, _VAE),
        networks={"unet": PIX2PIX_UNET, "vae": SD_VAE},
        traits={"in_channels": 8, "concat": "width", "width": 768, "height": 1024},
        paper=_CATVTON_PAPER,
    )


def _flux(name: str, summary: str, main: Part, base: Part) -> Published:
    return Published(
        name=name,
        kind="catvton-flux",
        summary=summary,
        engine="catvton-flux",
        parts=(main, base),
        networks={
            "transformer": FLUX_TRANSFORMER,
            "vae": FLUX_VAE,
            "text_encoder": CLIP_L_TEXT,
            "text_encoder_2": T5_XXL_ENCODER,
        },
        traits={"width": 768, "height": 1024, "in_turn": ("text_encoder", "text_encoder_2")},
        paper=_CATVTON_PAPER,
    )


# The authors' repositories of these two have no commit that could be confirmed; the user names one.
_FLUX_LORA = Part(
    "lora",
    "xiaozaa/catvton-flux-lora-alpha",
    "",
    ("pytorch_lora_weights.safetensors",),
    "flux-1-dev-non-commercial",
    74_750_000,
)
_FLUX_FULL = Part(
    "transformer",
    "xiaozaa/catvton-flux-alpha",
    "",
    ("config.json", "diffusion_pytorch_model*.safetensors*"),
    "flux-1-dev-non-commercial",
    23_804_900_000,
)
_FILL_WITHOUT_TRANSFORMER = replace(
    _FILL, files=tuple(f for f in _FILL.files if not f.startswith("transformer/")), bytes=9_940_000_000
)

_FASHN = Published(
    name="fashn-vton-1.5",
    kind="fashn",
    summary="FASHN VTON 1.5: pixel space, without a mask; 576x864; through its own package",
    engine="fashn",
    parts=(
        Part(
            name=".",  # the folder that the package wants: model.safetensors, and the poses' networks below it
            repo="fashn-ai/fashn-vton-1.5",
            revision="7720683168567eb5a2a4c67f15116c6e29c83ded",
            files=("model.safetensors",),
            licence="apache-2.0",
            bytes=1_943_668_048,
            sha256={"model.safetensors": "d6cd38286885bc29fa487ea9383f80ffeb95862e7747c630d42c5d3c05bdd35a"},
        ),
        Part(
            name="dwpose",
            repo="fashn-ai/DWPose",
            revision="548b5df25b84d9f4aac0611dfa1c2a7a12f15571",
            files=("yolox_l.onnx", "dw-ll_ucoco_384.onnx"),
            licence="apache-2.0",
            bytes=351_400_000,
        ),
        # Fetched by the package itself when it starts; named here because its licence has to be accepted too.
        Part("parser", "fashn-ai/fashn-human-parser", "", (), "nvidia-segformer", 244_000_000),
    ),
    networks={"model": 971_814_240},
    traits={"width": 576, "height": 864, "one_folder": True},
    paper="Bochman and Bochman, FASHN VTON v1.5: Efficient Maskless Virtual Try-On in Pixel Space, 2026",
)

_ALL = (
    _catvton("catvton", "mix-48k-1024", "CatVTON, trained on VITON-HD and DressCode; 768x1024", 768, 1024),
    _catvton("catvton-vitonhd", "vitonhd-16k-512", "CatVTON, trained on VITON-HD (tops); 384x512", 384, 512),
    _catvton("catvton-dresscode", "dresscode-16k-512", "CatVTON, trained on DressCode; 384x512", 384, 512),
    _mask_free(),
    _FASHN,
    _flux(
        "catvton-flux", "CatVTON on FLUX.1 Fill, all weights trained; 12 billion", _FLUX_FULL, _FILL_WITHOUT_TRANSFORMER
    ),
    _flux("catvton-flux-lora", "CatVTON on FLUX.1 Fill as a LoRA adapter; 12 billion", _FLUX_LORA, _FILL),
)


def list_published() -> dict[str, Published]:
    """Every set of published weights, by name. Reads no file and asks no network."""
    return {published.name: published for published in _ALL}


def find(name: str) -> Published:
    """The set of that name, or of that hub id; `@` and a full commit hash after it choose another commit.

    Raises:
        WeightsError: no such set; the message lists the names.
        OptionError: what follows `@` is not a full commit hash.
    """
    plain, _, revision = name.partition("@")
    known = list_published()
    chosen = known.get(plain) or next((p for p in _ALL if p.parts[0].repo.lower() == plain.lower()), None)
    if chosen is None:
        raise WeightsError(
            f"no published weights are called {plain!r}, and no folder is there.",
            hint=f"Choose one of: {', '.join(known)}; or the folder of a model.",
        )
    if not revision:
        return chosen
    if len(revision) != 40 or set(revision) - set("0123456789abcdef"):
        raise OptionError(
            f"{revision!r} is not a full commit hash.", hint=f"Type {plain}@ and the 40 digits of the commit."
        )
    main = replace(chosen.parts[0], revision=revision, sha256={}, asked=True)
    return replace(chosen, parts=(main, *chosen.parts[1:]))


def config(name: str) -> dict[str, Any]:
    """A network's published configuration, by the name of its file in `configs/`."""
    loaded: dict[str, Any] = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))
    return loaded
