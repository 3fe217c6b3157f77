"""CatVTON on FLUX.1 Fill: a diffusion transformer that paints the right half of a pair, the garment on the left.

The transformer is FLUX.1 Fill [dev] (Black Forest Labs 2024), trained further on VITON-HD: all weights, or a LoRA
adapter (Hu et al. 2021). Per latent pixel it sees noisy latents, latents of the picture with a hole, and the mask. Its
prompt is always the same sentence, so the text encoders read it once and leave the memory before the transformer comes.
Sampling is diffusers' `FluxFillPipeline`.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxFillPipeline, FluxTransformer2DModel
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoTokenizer, CLIPTextModel, T5EncoderModel

from vestiary.diffusion import latents as lat
from vestiary.diffusion.conditions import Conditions
from vestiary.diffusion.published import accounting
from vestiary.diffusion.published.headers import shapes_in
from vestiary.diffusion.published.specs import Published
from vestiary.errors import Cancelled, WeightsError

if TYPE_CHECKING:
    from vestiary.registry import OnStep

# The sentence that the authors trained and sample with.
PROMPT = (
    "The pair of images highlights a clothing and its styling on a model, high resolution, 4K, 8K; "
    "[IMAGE1] Detailed product shot of a clothing"
    "[IMAGE2] The same cloth is worn by a model in a lifestyle setting."
)
TOKENS = 512
TOKENIZERS = ("tokenizer", "tokenizer_2")
MULTIPLE = 16  # the autoencoder halves three times, and the transformer takes patches of 2 x 2
_SMALL = 8  # previews' colours are fitted to pictures of this share of the size


@dataclass(frozen=True, eq=False)
class FluxTryOn:
    """The networks and the prompt as they have been read.

    Attributes:
        transformer, vae: on their device.
        scheduler: rectified flow, by Euler's steps.
        prompt: `(1, 512, D)` embedding of `PROMPT` by T5.
        pooled: `(1, D')` embedding of it by CLIP.
    """

    transformer: FluxTransformer2DModel
    vae: AutoencoderKL
    scheduler: FlowMatchEulerDiscreteScheduler
    prompt: Tensor
    pooled: Tensor

    def pipeline(self) -> FluxFillPipeline:
        """A pipeline for one run: the scheduler keeps the state of a run."""
        made = FluxFillPipeline(copy.deepcopy(self.scheduler), self.vae, None, None, None, None, self.transformer)
        made.set_progress_bar_config(disable=True)
        return made


def check(published: Published, folders: Mapping[str, Path]) -> None:
    """Hold transformer, adapter and autoencoder against their architectures, by their headers alone.

    Raises:
        WeightsError: names what is missing, left over or of another shape.
    """
    place = _transformer_folder(folders)
    config = accounting.account_folder(place, f"the transformer in {place}")
    vae = accounting.account_folder(folders["base"] / "vae", f"the autoencoder in {folders['base'] / 'vae'}")
    side = 2 ** (len(vae["block_out_channels"]) - 1)  # of a latent pixel; the mask is handed in at full size
    wanted = 4 * (2 * vae["latent_channels"] + side * side)
    if config["in_channels"] != wanted:
        raise WeightsError(
            f"the transformer in {place} takes {config['in_channels']} channels; one that fills holes takes {wanted}.",
            hint="It has to be FLUX.1 Fill [dev], not FLUX.1 [dev].",
        )
    if "lora" in folders:
        file = folders["lora"] / published.part("lora").files[0]
        accounting.account_lora(shapes_in([file]), accounting.empty(config), f"the adapter {file}")


def load(published: Published, folders: Mapping[str, Path], *, dtype: str, device: str) -> FluxTryOn:
    """The model of folders that hold its parts.

    Raises:
        WeightsError: a checkpoint is not what its architecture needs, or a part cannot be read.
    """
    check(published, folders)
    kind, base = getattr(torch, dtype), folders["base"]
    try:
        prompt, pooled = _read_prompt(base, kind, device)
        gc.collect()  # the encoders refer to themselves
        options = {"torch_dtype": kind, "use_safetensors": True, "local_files_only": True}
        transformer = FluxTransformer2DModel.from_pretrained(_transformer_folder(folders), **options)
        if "lora" in folders:
            _adapt(transformer, folders["lora"], published.part("lora").files[0])
        vae = AutoencoderKL.from_pretrained(base / "vae", **options)
        scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(base / "scheduler")
    except (OSError, ValueError, KeyError) as problem:
        raise WeightsError(f"{published.name} cannot be loaded: {problem}.") from problem
    for network in (transformer, vae):
        network.to(device).eval().requires_grad_(False)
    return FluxTryOn(transformer, vae, scheduler, prompt, pooled)


@torch.no_grad()
def sample(
    model: FluxTryOn,
    conditions: Conditions,
    *,
    steps: int,
    guidance: float,
    generator: torch.Generator,
    on_step: OnStep | None = None,
) -> Tensor:
    """`(1, 3, H, W)` in -1..1: the person wearing the first garment, the whole working frame as it is decoded.

    Args:
        model: the networks.
        conditions: of one person and one garment; H and W are multiples of `MULTIPLE`.
        steps: of Euler's method.
        guidance: how strongly the prompt pulls; the transformer has been told it, there is no second pass.
        generator: on the CPU, so that every machine draws the same noise.
        on_step: told after every step.

    Raises:
        Cancelled: `on_step` returned False.
    """
    garment, person = conditions.garments[:, 0], conditions.person
    pair = torch.cat([garment, person], dim=-1)
    mask = torch.cat([torch.zeros_like(conditions.mask), conditions.mask], dim=-1)
    pipeline = model.pipeline()
    height, width = pair.shape[-2:]
    start = _noise(pipeline, model, height, width, generator)
    watch = _Watch(model, pair, start, steps, on_step) if on_step else None
    made = pipeline(
        image=(pair + 1) / 2,
        mask_image=mask,
        height=height,
        width=width,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=generator,
        latents=start,
        prompt_embeds=model.prompt,
        pooled_prompt_embeds=model.pooled,
        output_type="pt",
        callback_on_step_end=watch,
    ).images
    return made[..., width // 2 :].float() * 2 - 1


class _Watch:
    """Shows every step's clean picture as it is seen coming, and stops the run if it is asked to."""

    def __init__(self, model: FluxTryOn, pair: Tensor, start: Tensor, steps: int, on_step: OnStep) -> None:
        self.vae, self.before, self.steps, self.on_step = model.vae, start, steps, on_step
        self.size = pair.shape[-2:]
        small = F.interpolate(pair, [max(side // _SMALL // MULTIPLE, 2) * MULTIPLE for side in self.size], mode="area")
        self.colours = lat.preview_map(lat.encode(model.vae, small), small)

    def __call__(
        self, pipeline: FluxFillPipeline, step: int, t: Tensor, tensors: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        after, sigmas = tensors["latents"], pipeline.scheduler.sigmas
        velocity = (after - self.before).float() / float(sigmas[step + 1] - sigmas[step])
        clean = after.float() - float(sigmas[step + 1]) * velocity
        self.before = after
        unpacked = pipeline._unpack_latents(clean, *self.size, pipeline.vae_scale_factor)
        seen = lat.preview(unpacked, self.colours)
        half = seen[0, :, :, seen.shape[-1] // 2 :]
        picture = ((half.permute(1, 2, 0) + 1) * 127.5).round().to("cpu", torch.uint8).numpy()
        if self.on_step(step + 1, self.steps, "denoise", picture) is False:
            raise Cancelled("the fitting was cancelled.")
        return {}


def _noise(pipeline: FluxFillPipeline, model: FluxTryOn, height: int, width: int, generator: torch.Generator) -> Tensor:
    """`(1, n, 4C)`: standard normal latents, packed as the transformer takes them."""
    channels, factor = model.vae.config.latent_channels, pipeline.vae_scale_factor
    rows, columns = 2 * (height // (2 * factor)), 2 * (width // (2 * factor))
    drawn = lat.noise((1, channels, rows, columns), generator, model.transformer.device)
    packed: Tensor = pipeline._pack_latents(drawn, 1, channels, rows, columns)
    return packed.to(model.prompt.dtype)


def _read_prompt(base: Path, kind: torch.dtype, device: str) -> tuple[Tensor, Tensor]:
    """The prompt's embeddings by T5 and by CLIP; both encoders are gone afterwards."""
    encoders = {"text_encoder": CLIPTextModel, "text_encoder_2": T5EncoderModel}
    loaded: dict[str, Any] = {}
    for name, network in encoders.items():
        loaded[name], told = network.from_pretrained(
            base / name, dtype=kind, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        if lost := {*told["missing_keys"], *told["unexpected_keys"]}:
            raise WeightsError(f"{base / name} is not what its architecture needs: {', '.join(sorted(lost)[:6])}.")
        loaded[name].to(device).eval()
    first, second = (AutoTokenizer.from_pretrained(base / name, local_files_only=True) for name in TOKENIZERS)
    reader = FluxFillPipeline(None, None, loaded["text_encoder"], first, loaded["text_encoder_2"], second, None)
    with torch.no_grad():
        prompt, pooled, _ = reader.encode_prompt(PROMPT, device=torch.device(device), max_sequence_length=TOKENS)
    return prompt, pooled


def _adapt(transformer: FluxTransformer2DModel, folder: Path, file: str) -> None:
    """Lay a LoRA adapter over the transformer and melt it in: no step is slower for it."""
    transformer.load_lora_adapter(folder, weight_name=file, prefix="transformer")
    transformer.fuse_lora()
    transformer.unload_lora()


def _transformer_folder(folders: Mapping[str, Path]) -> Path:
    return folders["transformer"] if "transformer" in folders else folders["base"] / "transformer"
