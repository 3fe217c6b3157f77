"""How much memory and time the engine `diffusion` takes by resolution and option: a Markdown table.

    python tools/diffusion_memory.py [--only TEXT] [--threads 1]

A UNet and an autoencoder of the size of Stable Diffusion 1.5 (860 and 84 million parameters, random) paint one person
in one garment, side by side, by our own pipeline. Every row is a process of its own, so that its peak is its own; it
counts from before the weights came. Where only one of the networks has its full size, the other has next to none.
Encoder, steps and decoder are counted apart. Time is the processor's, which other work on the machine lengthens by
less; of several steps it is the middle one. On a GPU (`--device cuda`) memory is the GPU's and time the clock's.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

HALF: dict[str, Any] = {"dtype": "bfloat16"}
# Width and height, passes (2 = with guidance), options, and what has its full size: the UNet, the autoencoder or both.
ROWS: list[tuple[int, int, int, dict[str, Any], str]] = [
    (192, 256, 2, {}, "both"),
    (192, 256, 1, {}, "unet"),
    (192, 256, 1, {"keep_memory": True}, "unet"),
    (192, 256, 1, HALF, "unet"),
    (192, 256, 1, {**HALF, "keep_memory": True}, "unet"),
    (192, 256, 1, {**HALF, "channels_last": True}, "unet"),
    (384, 512, 1, HALF, "unet"),
    (384, 512, 1, {**HALF, "attention": "linear"}, "unet"),
    (384, 512, 1, {**HALF, "attention": "sparse"}, "unet"),
    (384, 512, 1, {**HALF, "keep_memory": True}, "unet"),
    (384, 512, 1, HALF, "vae"),
    (384, 512, 1, {**HALF, "vae_tiling": True}, "vae"),
    (512, 768, 1, HALF, "unet"),
    (512, 768, 1, {**HALF, "attention": "linear"}, "unet"),
    (384, 512, 1, {**HALF, "attention": "sliced"}, "unet"),
    (512, 768, 1, {**HALF, "attention": "sparse"}, "unet"),
    (384, 512, 1, {}, "vae"),
    (384, 512, 1, {}, "unet"),
    (192, 256, 1, {"dtype": "float16"}, "unet"),
    (192, 256, 1, {"compile": True}, "unet"),
    (512, 768, 1, {}, "unet"),
    (192, 256, 1, {"channels_last": True}, "unet"),
    (192, 256, 1, {**HALF, "compile": True}, "unet"),
    (384, 512, 1, {"dtype": "float16"}, "unet"),
    (768, 1024, 1, HALF, "unet"),
    (768, 1024, 1, {**HALF, "attention": "linear"}, "unet"),
    (768, 1024, 1, {**HALF, "attention": "sparse"}, "unet"),
    (768, 1024, 1, {}, "unet"),
    (768, 1024, 1, {"attention": "linear"}, "unet"),
    (768, 1024, 1, {"dtype": "float16"}, "unet"),
    (768, 1024, 1, HALF, "vae"),
    (768, 1024, 1, {**HALF, "vae_tiling": True}, "vae"),
    (768, 1024, 1, {}, "vae"),
    (768, 1024, 1, {"vae_tiling": True}, "vae"),
]


def main() -> None:
    """Print the table, a row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="rows whose text has this in it")
    parser.add_argument("--first", type=int, default=0, help="row to begin with")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    import_all(args.threads)
    print(
        "| working size | passes | what | options | weights, GB | peak GB: encode | step | decode | estimate |", end=""
    )
    print(" seconds: encode | step | decode |\n|" + " --- |" * 12)
    for row in ROWS[args.first :]:
        width, height, passes, options, what = row
        named = ", ".join(str(v) if isinstance(v, str) else k for k, v in {"dtype": "float32", **options}.items())
        title = f"| {width} × {height} | {passes} | {what} | {named} |"
        if args.only in title:
            print(title, cells(alone(row, args)), flush=True)


def import_all(threads: int) -> None:
    """Load the libraries once for all rows, and let them do what they do once."""
    import torch

    from vestiary.diffusion import estimate, memory  # noqa: F401
    from vestiary.diffusion.latents import seeded
    from vestiary.diffusion.options import DiffusionOptions
    from vestiary.diffusion.pipeline import sample

    torch.set_num_threads(threads)
    if threads == 1:  # a process with threads cannot be copied
        sample(tiny(), conditions_of(48, 64), DiffusionOptions(steps=1, guidance=1), generator=seeded(0))


def alone(row: tuple[Any, ...], args: argparse.Namespace) -> dict[str, Any]:
    """`measure` in a copy of this process."""
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=report, args=(theirs, row, args))
    child.start()
    theirs.close()
    try:
        found: dict[str, Any] = ours.recv()
    except EOFError:
        found = {"problem": "killed"}
    child.join()
    return found


def report(to: Any, row: tuple[Any, ...], args: argparse.Namespace) -> None:
    """Send what `measure` finds, or why it finds nothing."""
    try:
        to.send(measure(*row, args.steps, args.device))
    except Exception as problem:
        to.send({"problem": f"{type(problem).__name__}: {problem}"})


def cells(found: dict[str, Any]) -> str:
    """The measured part of a row."""
    if "problem" in found:
        return f"{found['problem']} |"
    peaks = [found["weights"], *(found["peaks"][part] for part in ("encode", "step", "decode")), found["estimate"]]
    seconds = [found["seconds"][part] for part in ("encode", "step", "decode")]
    return " | ".join([*(f"{peak / 1e9:.2f}" for peak in peaks), *(f"{one:.1f}" for one in seconds)]) + " |"


def measure(
    width: int, height: int, passes: int, options: dict[str, Any], what: str, steps: int, device: str
) -> dict[str, Any]:
    """Bytes and seconds of a run in this process."""
    import torch

    from vestiary.diffusion import estimate
    from vestiary.diffusion.latents import seeded
    from vestiary.diffusion.memory import Switches, home
    from vestiary.diffusion.options import DiffusionOptions
    from vestiary.diffusion.pipeline import sample

    chosen = DiffusionOptions(steps=steps, guidance=1 if passes == 1 else 2.5, scheduler="ddim", **options)
    meter, seen = Meter(device), conditions_of(width, height)
    before = meter.used()
    model = model_of(what, chosen.dtype).to(home(chosen, device), getattr(torch, chosen.dtype))
    switches = Switches(model, device)
    switches.set(chosen)
    weights = meter.used() - before
    meter.watch(model.vae, "encode", "encode")
    meter.watch(model.unet, "forward", "step")
    meter.watch(model.vae, "decode", "decode")
    sample(model, seen, chosen, generator=seeded(0))
    if switches.notes:
        raise RuntimeError(" ".join(switches.notes))
    frame = chosen.model_copy(update={"long_side": max(width, height)})
    guess = estimate.Run("", estimate.extent_of_model(model), (width, height), frame, device).need()
    peaks = {part: peak - before for part, peak in meter.peaks.items()}
    seconds = {part: median(found) for part, found in meter.seconds.items()}
    return {"weights": weights, "peaks": peaks, "seconds": seconds, "estimate": guess.device}


class Meter:
    """Memory and time of methods: of this process by what Linux counts, or of a GPU by what PyTorch counts."""

    def __init__(self, device: str) -> None:
        self.gpu = device.startswith("cuda")
        self.peaks: dict[str, int] = {}
        self.seconds: dict[str, list[float]] = {}

    def used(self) -> int:
        """Bytes now."""
        return self._gpu().memory_allocated() if self.gpu else status("VmRSS")

    def watch(self, network: Any, method: str, name: str) -> None:
        """Measure every call of a network's method."""
        plain: Callable[..., Any] = getattr(network, method)

        def watched(*args: Any, **named: Any) -> Any:
            self._reset()
            begin = self._clock()
            made = plain(*args, **named)
            self.seconds.setdefault(name, []).append(self._clock() - begin)
            peak = self._gpu().max_memory_allocated() if self.gpu else status("VmHWM")
            self.peaks[name] = max(self.peaks.get(name, 0), peak)
            return made

        setattr(network, method, watched)

    def _reset(self) -> None:
        if self.gpu:
            self._gpu().reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew

    def _clock(self) -> float:
        if not self.gpu:
            return time.process_time()
        self._gpu().synchronize()
        return time.perf_counter()

    @staticmethod
    def _gpu() -> Any:
        import torch

        return torch.cuda


def status(entry: str) -> int:
    """Bytes of an entry of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{entry}:"))


def model_of(what: str, dtype: str) -> Any:
    """The model: what does not have its full size is tiny."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    from vestiary.diffusion.model import Card, TryOnModel

    small = tiny()
    return TryOnModel(
        small.unet if what == "vae" else filled(UNet2DConditionModel, "sd15-inpainting-unet", dtype),
        small.vae if what == "unet" else filled(AutoencoderKL, "sd-vae-ft-mse", dtype),
        card=Card(name="random"),
    )


def tiny() -> Any:
    """A model of no weight."""
    from vestiary.diffusion.model import tiny_model

    return tiny_model(text=False, controls=())


def filled(kind: Any, name: str, dtype: str) -> Any:
    """A network of a published configuration with small random weights."""
    import torch
    from accelerate import init_empty_weights

    from vestiary.diffusion.latents import seeded
    from vestiary.diffusion.published.specs import CONFIGS

    with init_empty_weights(include_buffers=False):
        network = kind.from_config(json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8")))
    network.to(getattr(torch, dtype)).to_empty(device="cpu")
    some = (torch.rand(999_983, generator=seeded(0)) - 0.5) / 25
    for weight in network.parameters():
        for part in weight.data.view(-1).split(len(some)):
            part.copy_(some[: len(part)] + float(weight.ndim == 1))
    return network


def conditions_of(width: int, height: int) -> Any:
    """Noise in the shapes of pictures: neither memory nor time depends on what they show."""
    import torch

    from vestiary.diffusion.conditions import Conditions
    from vestiary.diffusion.latents import seeded
    from vestiary.encoding.frames import Frame

    pictures = torch.rand(3, 1, 3, height, width, generator=seeded(1)) * 2 - 1
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 4 : height // 2, :] = 1
    frame = Frame.around((width, height), (width, height))
    return Conditions(pictures[0], mask, pictures[1], pictures[2:], torch.ones(1, 1, 1, height, width), frame)


if __name__ == "__main__":
    main()
