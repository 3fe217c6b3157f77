"""How long a step of our try-on pipeline takes, beside diffusers' own inpainting pipeline with the same UNet and size.

    python tools/diffusion_speed.py [tiny] [middle] [--steps 6] [--rounds 5] [--small 1] [--device cpu] [--dtype …]

Person and garment side by side are a picture of twice the width to the plain pipeline, so both UNets work on the same
latents; both use guidance, the same scheduler and a text of 77 tokens. The plain one, ours, and ours with a preview at
every step take turns in one process, in another order every round. A step is a call of the UNet and what lies between
it and the next; of all steps the middle one. A ratio, plain over ours, is the middle one of all rounds; above 1 ours is
quicker. (On a CPU: the processor's time, which other work lengthens by less.) Weights are random. `--small N` divides
the picture's sides: then little is left but what the pipelines cost beside arithmetic, in which alone they differ.
"""

from __future__ import annotations

import argparse
import logging
import time
from typing import Any

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
from numpy.typing import NDArray

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


def conditions_of(model: TryOnModel, width: int, height: int) -> Conditions:
    """Noise in the shapes of pictures: the time does not depend on what they show."""
    pictures = torch.rand(3, 1, 3, height, width, generator=seeded(1)) * 2 - 1
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 4 : height // 2, width // 4 : -width // 4] = 1
    text = torch.randn(2, 1, 77, model.unet.config.cross_attention_dim, generator=seeded(2))
    frame = Frame.around((width, height), (width, height))
    worn = torch.ones(1, 1, 1, height, width)
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
    parser.add_argument("--small", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    logging.getLogger("diffusers").setLevel(logging.ERROR)
    print("| UNet | parameters | a step, ms (of it beside the UNet): plain | ours | with previews |", end="")
    print(" plain / ours | plain / with previews |\n|" + " --- |" * 7)
    for size in args.sizes:
        model = model_of(size).to(args.device, getattr(torch, args.dtype))
        times = compare(model, args)  # rounds, pipelines, steps, UNet and pause
        middle = np.median(times, axis=(0, 2))
        whole = times.sum(axis=3)
        ratios = np.median(np.median(whole[:, :1], axis=2) / np.median(whole, axis=2), axis=0)
        cells = [f"{unet + pause:.2f} ({pause:.2f})" for unet, pause in middle]
        cells += [f"{ratio:.4f}" for ratio in ratios[1:]]
        count = sum(weight.numel() for weight in model.unet.parameters())
        print(f"| {size} | {count / 1e6:.1f} M | {' | '.join(cells)} |")


def compare(model: TryOnModel, args: argparse.Namespace) -> NDArray[np.float64]:
    """`(rounds, 3, steps - 1, 2)`: milliseconds of the UNet's call and from it to the next one, in the plain pipeline,
    ours, and ours with previews."""
    calls: list[float] = []
    clock = time.process_time if args.device == "cpu" else time.perf_counter

    def note(*_: object) -> None:
        if args.device.startswith("cuda"):
            torch.cuda.synchronize()
        calls.append(clock())

    model.unet.register_forward_pre_hook(note)
    model.unet.register_forward_hook(note)
    width, height = WIDTH // args.small, HEIGHT // args.small
    conditions, plain = conditions_of(model, width, height), plain_of(model)
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
            height=height,
            width=2 * width,
            num_inference_steps=args.steps,
            guidance_scale=GUIDANCE,
            generator=seeded(0),
        )

    def run_ours() -> None:
        sample(model, conditions, options, generator=seeded(0))

    def run_shown() -> None:
        sample(model, conditions, options, generator=seeded(0), on_step=lambda *_: None)

    runs = (run_plain, run_ours, run_shown)
    times = np.zeros((args.rounds, len(runs), args.steps - 1, 2))
    for number in range(-1, args.rounds):  # the first round warms up
        for turn in range(len(runs)):
            which = (number + turn) % len(runs)
            calls.clear()
            runs[which]()
            times[number, which] = 1000 * np.diff(calls)[:-1].reshape(-1, 2)
    return times


if __name__ == "__main__":
    main()
