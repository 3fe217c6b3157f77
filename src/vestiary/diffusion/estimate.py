"""How much memory a run will take, told before anything is fetched, loaded or painted, and what would fit instead.

A run holds the weights and, one after another, what lives inside the autoencoder and inside the UNet at their peaks.
Both grow with the number of pixels and of pictures, and hold besides their largest layer's weights once more, in the
order in which the libraries multiply them. How many feature maps of a network's first level that comes to (`UNET_MAPS`
and the others) is fitted to the tables in docs/diffusion.md, measured on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestiary.diffusion.card import CARD, Card, read_card, read_json
from vestiary.diffusion.conditions import frame_size
from vestiary.diffusion.model import TryOnModel
from vestiary.diffusion.options import DiffusionOptions
from vestiary.diffusion.published import hub, room, specs
from vestiary.diffusion.published.headers import parameters_in, weight_files
from vestiary.errors import MemoryShortError, WeightsError

if TYPE_CHECKING:
    from vestiary.diffusion.published.specs import Published

BYTES = room.BYTES
UNET_MAPS, VAE_MAPS = 36, 10
BRANCH_MAPS = 20  # what ControlNet branches add to the UNet's; two of them no more than one
ENCODER_MAPS = 5  # of each picture that an anchor shows to the autoencoder at once
GRADIENT_MAPS = 60  # of the decoder, kept for the way back where an anchor looks at pixels
COMPILER = 500_000_000  # bytes that `torch.compile` leaves with the process
ANCHOR_VIEWS = 3  # of every picture, in other hues
SIDES = (1024, 768, 640, 512, 384, 256)  # that are proposed where the asked one does not fit


@dataclass(frozen=True)
class Extent:
    """What of a model decides how much memory it takes.

    Attributes:
        networks: number of parameters of each network that is loaded.
        unet, vae: channels of their levels.
        tile: side of an autoencoder's tile in pixels.
        frame: width and height that it was trained at.
        places: person and garments.
    """

    networks: Mapping[str, int]
    unet: tuple[int, ...]
    vae: tuple[int, ...]
    tile: int
    frame: tuple[int, int]
    places: int

    @property
    def multiple(self) -> int:
        """Width and height of a working frame are multiples of this."""
        return int(2 ** (len(self.vae) - 1 + len(self.unet) - 1))


@dataclass(frozen=True)
class Need:
    """Bytes on the device where the networks compute, and beside it on the machine (0 if that is the device)."""

    device: int
    host: int = 0

    def fits(self, device: int, host: int) -> bool:
        """Whether so many bytes are enough."""
        return self.device <= device and self.host <= host


@dataclass(frozen=True)
class Run:
    """A run of which the memory is asked.

    Attributes:
        name: of the weights, for people.
        extent: of their networks.
        photo: its width and height.
        options: of the request.
        device: where the networks compute.
        loaded: whether they are in memory already, and count no more.
        spare: bytes on the device that a model which is there now will give back.
        pairs: how many people are dressed at once.
    """

    name: str
    extent: Extent
    photo: tuple[int, int]
    options: DiffusionOptions
    device: str
    loaded: bool = False
    spare: int = 0
    pairs: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the working frame."""
        multiple = self.extent.multiple * (2 if self.options.refine else 1)
        return frame_size(self.photo, self.extent.frame, self.options.long_side, multiple)

    def with_options(self, change: Mapping[str, Any]) -> Run:
        """The same with other options; in another number format the weights would be loaded anew."""
        options = self.options.model_copy(update=change)
        again = self.loaded and not change.keys() & {"dtype", "offload"}
        spare = self.spare + (0 if again or not self.loaded else weights_of(self.extent, self.options.dtype))
        return replace(self, options=options, loaded=again, spare=spare)

    def need(self) -> Need:
        """The memory that it takes."""
        weights = 0 if self.loaded else weights_of(self.extent, self.options.dtype)
        unet, vae = running(self.extent, self.size, self.options, self.pairs)
        if not self.device.startswith("cuda"):
            return Need(weights + max(unet, vae))
        item, offload = BYTES[self.options.dtype], self.options.offload
        if offload == "model":
            painters = sum(count for name, count in self.extent.networks.items() if name not in ("vae", "text_encoder"))
            return Need(max(painters * item + unet, self.extent.networks["vae"] * item + vae), weights)
        if offload == "layers":
            return Need(_largest_layer(self.extent) * item + max(unet, vae), weights)
        return Need(weights + max(unet, vae), weights)  # they come by way of the machine's own memory

    def require(self) -> None:
        """Make sure that it fits.

        Raises:
            MemoryShortError: it does not; the message says what is needed, what is there, and what would fit.
        """
        need = self.need()
        there, host = self._free()
        if need.device > there:
            raise self._error(f"needs about {_gb(need.device)}, and {self.device} has {_gb(there)} free", there)
        if need.host > host:
            raise self._error(f"needs about {_gb(need.host)} beside {self.device}, and {_gb(host)} are free", there)

    def failed(self) -> MemoryShortError:
        """The error for a run that ran out of memory on the way."""
        need, (there, _) = self.need(), self._free()
        said = f"ran out of memory: about {_gb(need.device)} were expected, and {self.device} has {_gb(there)} free"
        return self._error(said, min(there, need.device - 1))  # what was expected to fit did not

    def _free(self) -> tuple[int, int]:
        host = room.free("cpu")
        return (room.free(self.device) if self.device.startswith("cuda") else host) + self.spare, host

    def _error(self, what: str, there: int) -> MemoryShortError:
        host = self._free()[1]
        fitting = [
            f"{_words(change)} ({_gb(need.device)})"
            for change in self._changes()
            if (need := (other := self.with_options(change)).need()).fits(there + other.spare - self.spare, host)
        ]
        hint = (
            f"This would fit: {'; or '.join(fitting[:3])}."
            if fitting
            else "No option makes it fit; use another engine."
        )
        width, height = self.size
        said = f"{self.name} at {width} × {height} in {self.options.dtype} {what}."
        return MemoryShortError(said, hint=hint)

    def _changes(self) -> Iterator[dict[str, Any]]:
        """Other options, those first that cost the picture least."""
        single: list[dict[str, Any]] = []
        if _looks_at_pixels(self.options):
            single.append({"anchor_space": "latents"})
        if _is_anchored(self.options) and not self.options.vae_slicing:
            single.append({"vae_slicing": True})
        if not self.options.vae_tiling:
            single.append({"vae_tiling": True})
        if self.options.dtype == "float32":
            single.append({"dtype": "bfloat16"})
        if self.device.startswith("cuda"):
            single += [
                {"offload": what} for what in ("model", "layers") if self.options.offload not in (what, "layers")
            ]
        joined = [
            {key: value for one in single[:count] for key, value in one.items()} for count in range(1, len(single) + 1)
        ]
        yield from [*single, *joined[1:]]
        for side in (side for side in SIDES if side < max(self.size)):
            yield {"long_side": side}
            yield from ({"long_side": side, **change} for change in joined)


def run_of(
    name: str,
    photo: tuple[int, int],
    options: DiffusionOptions,
    device: str,
    *,
    last: TryOnModel | None = None,
    loaded: bool = False,
) -> Run:
    """The run of a request.

    Args:
        name: folder or published name of the weights.
        photo: width and height.
        options: of the request.
        device: where the networks compute.
        last: the model that is in memory.
        loaded: whether that is the one that is asked for; else it will go.
    """
    extent = extent_of_model(last) if last is not None and loaded else extent_of(name)
    spare = 0
    if last is not None and not loaded:
        weights = [weight for part in last.parts().values() for weight in part.parameters()]
        spare = sum(weight.nbytes for weight in weights if weight.device.type == device.partition(":")[0])
    return Run(Path(name).name, extent, photo, options, device, loaded, spare)


def weights_of(extent: Extent, dtype: str) -> int:
    """Bytes of all weights."""
    return BYTES[dtype] * sum(extent.networks.values())


def running(extent: Extent, size: tuple[int, int], options: DiffusionOptions, pairs: int = 1) -> tuple[int, int]:
    """Bytes that live inside the UNet with its branches, and inside the autoencoder, at their peaks.

    Args:
        extent: of the model.
        size: width and height of the working frame.
        options: number format, guidance, branches, anchor, tiling, slicing.
        pairs: how many people are dressed at once.
    """
    item, pixels = BYTES[options.dtype], size[0] * size[1]
    latents = pixels * extent.places // 4 ** (len(extent.vae) - 1)
    passes = 1 if options.guidance <= 1 else 2
    tiled = min(pixels, 2 * extent.tile**2) if options.vae_tiling else pixels  # and the tiles that are done
    again = 4 * _largest_layer(extent)
    maps = UNET_MAPS + (BRANCH_MAPS if options.control else 0)
    unet = maps * extent.unet[0] * latents * passes * pairs * item + (COMPILER if options.compile else 0)
    together = 1 if options.vae_slicing else pairs
    of_pixels = [VAE_MAPS * tiled * together]
    if _is_anchored(options):
        shown = 1 if options.vae_slicing else ANCHOR_VIEWS * extent.places * pairs
        of_pixels.append(ENCODER_MAPS * tiled * shown)
    if _looks_at_pixels(options):
        of_pixels.append(GRADIENT_MAPS * pixels * pairs)  # in tiles or not, all is kept
    return unet + again, max(of_pixels) * extent.vae[0] * item + again


def _is_anchored(options: DiffusionOptions) -> bool:
    return bool(options.anchor) and options.anchor_strength > 0


def _looks_at_pixels(options: DiffusionOptions) -> bool:
    return _is_anchored(options) and options.anchor_space == "pixels"


def _largest_layer(extent: Extent) -> int:
    """Parameters of a 3 × 3 convolution of two joined feature maps on the deepest level."""
    return 9 * 2 * max(extent.unet) ** 2


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def _words(change: Mapping[str, Any]) -> str:
    """Options as one types them."""
    return " ".join(
        f"--{key.replace('_', '-')}" + ("" if value is True else f" {value}") for key, value in change.items()
    )


def extent_of_model(model: TryOnModel) -> Extent:
    """The extent of a model that is loaded."""
    counts = {name: sum(p.numel() for p in network.parameters()) for name, network in model.parts().items()}
    return _extent(counts, model.unet.config, model.vae.config, model.card)


def extent_of(name_or_folder: str) -> Extent:
    """The extent of a model by its files' headers, or by what is known of published weights; a model of no size where
    neither is right, since loading will tell what is wrong.
    """
    folder = Path(name_or_folder)
    try:
        if (folder / CARD).is_file():
            parts = [part for part in sorted(folder.iterdir()) if list(part.glob("*.safetensors"))]
            counts = {part.name: parameters_in(weight_files(part)) for part in parts}
            unet, vae = (read_json(folder / part / "config.json") for part in ("unet", "vae"))
            return _extent(counts, unet, vae, read_card(folder))
        found = hub.parts_in(folder) if folder.is_dir() else None
        published = found[0] if found else specs.find(name_or_folder)
        return _published(published, found[1] if found else hub.here(published))
    except (WeightsError, KeyError, TypeError, OSError):
        return Extent({"vae": 0}, (1, 1), (1, 1), 1, (8, 8), 2)


def _published(published: Published, folders: Mapping[str, Path] | None) -> Extent:
    if folders:
        unet, vae = read_json(folders["base"] / "unet" / "config.json"), read_json(folders["vae"] / "config.json")
    else:
        masked = published.traits["in_channels"] == 9
        unet = read_json(specs.CONFIGS / f"{'sd15-inpainting' if masked else 'instruct-pix2pix'}-unet.json")
        vae = read_json(specs.CONFIGS / "sd-vae-ft-mse.json")
    card = Card(width=published.traits["width"], height=published.traits["height"])
    return _extent(room.counted(published, folders), unet, vae, card)


def _extent(counts: Mapping[str, int], unet: Mapping[str, Any], vae: Mapping[str, Any], card: Card) -> Extent:
    wide, fine = (tuple(config["block_out_channels"]) for config in (unet, vae))
    return Extent(counts, wide, fine, vae["sample_size"], (card.width, card.height), card.garments + 1)
