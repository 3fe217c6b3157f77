"""Where a run computes: device, precision and processes by Hugging Face Accelerate, and what makes it repeatable."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from accelerate.utils import broadcast, set_seed
from torch import Tensor, nn

from vestiary.errors import OptionError
from vestiary.training import tracking
from vestiary.training.config import Training


def accelerator_of(plan: Training, folder: Path) -> Accelerator:
    """Device, precision, accumulation and processes (those of `accelerate launch`) by Hugging Face Accelerate.

    Raises:
        OptionError: the device cannot do this precision.
        MissingExtraError: a tracker is not installed.
    """
    tracking.check_trackers(plan.trackers)
    if plan.threads is not None:
        torch.set_num_threads(plan.threads)
    if plan.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    _forget_last_run()
    try:
        accelerator = Accelerator(
            cpu=plan.device == "cpu",
            mixed_precision=plan.precision,
            gradient_accumulation_steps=plan.accumulate,
            log_with=list(plan.trackers) or None,
            project_dir=str(folder),
        )
    except ValueError as problem:
        reason = str(problem).partition("\n")[0]
        raise OptionError(f"this machine cannot train so: {reason}", hint="Try training.precision=no") from None
    if plan.precision == "fp16" and accelerator.device.type == "cpu":  # its gradients are scaled on GPUs only
        raise OptionError("training.precision=fp16 needs a GPU.", hint="On a CPU take bf16 or no.")
    return accelerator


def _forget_last_run() -> None:
    """Accelerate keeps its settings for the life of a process, and refuses others for a second run in it."""
    if not PartialState._shared_state or PartialState().num_processes == 1:
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()


def agreed(accelerator: Accelerator, value: float) -> float:
    """The main process's value, in every process."""
    if accelerator.num_processes == 1:
        return value
    return float(broadcast(torch.tensor(value, dtype=torch.float64, device=accelerator.device)))


def share_gradients(accelerator: Accelerator, weights: Sequence[nn.Parameter], networks: Iterable[nn.Module]) -> None:
    """Average gradients and batch statistics over the processes, in one message.

    By hand and not by DistributedDataParallel: a pass may call a network twice, in parts, or not at all.
    """
    if accelerator.num_processes == 1:
        return
    tensors: list[Tensor] = []
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        tensors.append(weight.grad)
    tensors += [buffer for network in networks for buffer in network.buffers() if buffer.is_floating_point()]
    mean = accelerator.reduce(torch.cat([tensor.flatten().float() for tensor in tensors]), "mean")
    for tensor, part in zip(tensors, mean.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def seed_step(seed: int, step: int, process: int) -> None:
    """Make every random number of a step a function of these, so that a resumed run draws the same ones."""
    set_seed(int(np.random.SeedSequence((seed, step, process)).generate_state(1)[0]))


@contextlib.contextmanager
def repeatable(wanted: bool) -> Iterator[None]:
    """Ask PyTorch for kernels that give the same bytes each time, where it has them."""
    before = torch.are_deterministic_algorithms_enabled()
    if wanted:
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
