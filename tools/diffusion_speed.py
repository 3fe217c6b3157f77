"""How long a step of our try-on pipeline takes, beside diffusers' own inpainting pipeline with the same UNet and size.

    python tools/diffusion_speed.py [tiny] [middle] [--steps 6] [--rounds 5] [--device cpu] [--dtype float32]

Person and garment side by side are a picture of twice the width to the plain pipeline, so both UNets work on the same
latents; both use guidance, the same scheduler and a text of 77 tokens. The three take turns in one process. Measured
are the UNet's calls, the same in all, and what lies between two of them, in which alone the pipelines differ; a step is
the middle of all calls and the middle of a pipeline's own pauses. (On a CPU: the processor's time, which other work
lengthens by less.) A ratio above 1 means that ours is quicker. Weights are random.
"""

from __future__ import annotations

import argparse
import logging
import time
from statistics import median
from typing import Any

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel

from vestiary.diffusion.conditions import Conditions
from vestiary.diffusion.latents import seeded
from vestiary.diffusion.model import TryOnModel, tiny_model
from vestiary.diffusion.options import DiffusionOptions
from vestiary.diffusion.pipeline import sample
from vestiary.encoding.frames import Frame

HEIGHT, WIDTH, GUIDANCE = 256, 192, 2.5


def model_of(size: str) -> TryOnModel:
    """A model with random weights."""
    model = tiny_model(text=False, controls=())
    model.unet.register_to_config(sample_size=64)  # the plain pipeline wants it
    if size == "middle":
        torch.manual_seed(0)
        model.unet = UNet2DConditionModel(
            sample_size=64,
            in_channels=9,
            block_out_channels=(128, 192, 320),
            down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=768,
            attention_head_dim=8,
        )
    return model


def conditions_of(model: TryOnModel) -> Conditions:
    """Noise in the shapes of pictures: the time does not depend on what they show."""
    pictures = torch.rand(3, 1, 3, HEIGHT, WIDTH, generator=seeded(1)) * 2 - 1
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    mask[..., HEIGHT // 4 : HEIGHT // 2, WIDTH // 4 : -WIDTH // 4] = 1
    text = torch.randn(2, 1, 77, model.unet.config.cross_attention_dim, generator=seeded(2))
    frame = Frame.around((WIDTH, HEIGHT), (WIDTH, HEIGHT))
    worn = torch.ones(1, 1, 1, HEIGHT, WIDTH)
    return Conditions(pictures[0], mask, pictures[1], pictures[2:], worn, frame, text=text[0], negative_text=text[1])


def plain_of(model: TryOnModel) -> StableDiffusionInpaintPipeline:
    """The plain pipeline around the same networks."""
    scheduler = DPMSolverMultistepScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, timestep_spacing="leading"
    )
    parts: dict[str, Any] = dict.fromkeys(("text_encoder", "tokenizer", "safety_checker", "feature_extractor"))
    plain = StableDiffusionInpaintPipeline(
        vae=model.vae, unet=model.unet, scheduler=scheduler, requires_safety_checker=False, **parts
    )
    plain.set_progress_bar_config(disable=True)
    return plain


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", default=["tiny", "middle"], choices=["tiny", "middle"])
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    logging.getLogger("diffusers").setLevel(logging.ERROR)
    print(
        "| UNet | parameters | its call, ms | + plain | + ours | + ours with previews | plain / ours | with previews |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for size in args.sizes:
        model = model_of(size).to(args.device, getattr(torch, args.dtype))
        unet, plain, ours, shown = compare(model, args)
        count = sum(weight.numel() for weight in model.unet.parameters())
        pauses = f"{plain:.2f} | {ours:.2f} | {shown:.2f}"
        ratios = " | ".join(f"{(unet + plain) / (unet + other):.4f}" for other in (ours, shown))
        print(f"| {size} | {count / 1e6:.1f} M | {unet:.1f} | {pauses} | {ratios} |")


def compare(model: TryOnModel, args: argparse.Namespace) -> tuple[float, float, float, float]:
    """Milliseconds of the UNet's call, and between two of them in: the plain pipeline, ours, ours with previews."""
    calls: list[float] = []
    clock = time.process_time if args.device == "cpu" else time.perf_counter

    def note(*_: object) -> None:
        if args.device.startswith("cuda"):
            torch.cuda.synchronize()
        calls.append(clock())

    model.unet.register_forward_pre_hook(note)
    model.unet.register_forward_hook(note)
    conditions, plain = conditions_of(model), plain_of(model)
    options = DiffusionOptions(steps=args.steps, guidance=GUIDANCE)
    text = conditions.text, conditions.negative_text
    words = [one.to(args.device, model.unet.dtype) for one in text if one is not None]
    wide = (conditions.person + 1) / 2

    def run_plain() -> None:
        plain(
            prompt_embeds=words[0],
            negative_prompt_embeds=words[1],
            image=torch.cat([wide, wide], dim=-1),
            mask_image=torch.cat([conditions.mask, 0 * conditions.mask], dim=-1),
            height=HEIGHT,
            width=2 * WIDTH,
            num_inference_steps=args.steps,
            guidance_scale=GUIDANCE,
            generator=seeded(0),
        )

    def run_ours() -> None:
        sample(model, conditions, options, generator=seeded(0))

    def run_shown() -> None:
        sample(model, conditions, options, generator=seeded(0), on_step=lambda *_: None)

    pauses: dict[Any, list[float]] = {run_plain: [], run_ours: [], run_shown: []}
    inside: list[float] = []
    for number in range(args.rounds + 1):
        for run, found in pauses.items():
            calls.clear()
            run()
            if number:  # the first round warms up
                inside.extend(1000 * np.diff(calls)[::2])
                found.extend(1000 * np.diff(calls)[1::2])
    plain_pause, our_pause, shown_pause = (median(found) for found in pauses.values())
    return median(inside), plain_pause, our_pause, shown_pause


if __name__ == "__main__":
    main()
