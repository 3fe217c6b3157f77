"""Options that save memory or time, switched on for one request and off again for the next.

What each saves is measured in docs/diffusion.md. How much a run takes is told beforehand by `estimate`.
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, NamedTuple

import torch
from accelerate import cpu_offload
from accelerate.hooks import CpuOffload, add_hook_to_module, remove_hook_from_module
from torch._dynamo.exc import TorchDynamoException

from vestiary.diffusion.attention import attend
from vestiary.diffusion.model import TryOnModel
from vestiary.diffusion.options import DiffusionOptions
from vestiary.diffusion.pool import keep_buffers, trim
from vestiary.errors import MemoryShortError, OptionError

AT_ONCE = 2**27  # bytes of weights that are laid anew before what they left is given back


class Wanted(NamedTuple):
    """The options that are switches."""

    offload: Literal["none", "model", "layers"]
    attention: Literal["full", "sliced", "linear", "sparse"]
    vae_slicing: bool
    vae_tiling: bool
    channels_last: bool
    keep_memory: bool
    compile: bool


class Switches:
    """The switches of one model: `set` puts them as a request's options say and takes back what another one had."""

    def __init__(self, model: TryOnModel, device: str) -> None:
        """
        Args:
            model: as it was loaded, in the number format of the options, on `home(options, device)`.
            device: where it computes.
        """
        self.model, self.device = model, device
        self.compiled: Compiled | None = None  # kept, since it takes minutes
        self._set = ExitStack()
        self._now: Wanted | None = None
        self._notes: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Which options were of no use, and why, for people; to be read after the run."""
        compiled = self.compiled if self._now is not None and self._now.compile else None
        return self._notes + ((compiled.problem,) if compiled and compiled.problem else ())

    def set(self, options: DiffusionOptions) -> None:
        """Put every switch as the options say. Number format and device were chosen when the model was loaded.

        Raises:
            OptionError: switches that do not go together.
        """
        wanted = Wanted(**{name: getattr(options, name) for name in Wanted._fields})
        if options.compile and options.offload == "layers":
            hint = "Choose one of them, or offload model."
            raise OptionError("compile and offload layers do not go together.", hint=hint)
        if wanted == self._now:
            return
        self.clear()
        try:
            self._notes = self._switch(wanted)
        except BaseException:
            self.clear()
            raise
        self._now = wanted

    def clear(self) -> None:
        """Everything as it was when the model was loaded."""
        self._now = None
        self._set.close()

    def _switch(self, options: Wanted) -> tuple[str, ...]:
        model, undo = self.model, self._set.callback
        networks = [model.unet, *model.controls.values()]
        if options.vae_slicing:
            model.vae.enable_slicing()
            undo(model.vae.disable_slicing)
        if options.vae_tiling:
            model.vae.enable_tiling()
            undo(model.vae.disable_tiling)
        if options.channels_last:
            for network in (*networks, model.vae):
                undo(lay, network, torch.contiguous_format)
                lay(network, torch.channels_last)
        if options.attention != "full":
            for network in networks:
                undo(attend(network, options.attention, places=model.card.garments + 1, concat=model.card.concat))
        if options.compile:
            self.compiled = self.compiled or Compiled(model.unet.forward)
            model.unet.forward = self.compiled
            undo(model.unet.__dict__.pop, "forward")
        notes = []
        if options.keep_memory:
            back = keep_buffers() if self.device == "cpu" else None
            if back is not None:
                undo(back)
            else:
                notes.append("keep_memory is of no use here: it is for the CPU and the C library of Linux.")
        if options.offload != "none":
            if self.device.startswith("cuda"):
                undo(offload(model, options.offload, torch.device(self.device)))
            else:
                notes.append(f"offload is of no use on {self.device}: the networks have no other memory to go to.")
        return tuple(notes)


def lay(network: torch.nn.Module, order: torch.memory_format) -> None:
    """Lay the weights in another order, some at a time: what the old order took would stay with the process."""
    moved = 0
    for layer in network.modules():
        if next(layer.children(), None) is None:
            layer.to(memory_format=order)  # type: ignore[call-overload]
            moved += sum(weight.nbytes for weight in layer.parameters())
        if moved > AT_ONCE:
            moved = 0
            trim()
    trim()


class Compiled:
    """A forward pass by torch.compile; where it cannot be compiled, by PyTorch as it is, and `problem` says why."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        self.plain, self.quick = forward, torch.compile(forward)
        self.problem = ""

    def __call__(self, *args: Any, **named: Any) -> Any:
        """What the forward pass gives."""
        if not self.problem:
            try:
                return self.quick(*args, **named)
            except TorchDynamoException as problem:
                reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0].rstrip(".")
                self.problem = f"The network was not compiled, and ran as it is: {reason}."
        return self.plain(*args, **named)


class Turn(CpuOffload):
    """Brings a network to the accelerator when it is called, and sends those away that do not work with it."""

    def __init__(self, device: torch.device, others: list[torch.nn.Module]) -> None:
        super().__init__(execution_device=device)
        self.others = others

    def pre_forward(self, module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        """The arguments, on the accelerator."""
        for other in self.others:
            other.to("cpu")
        return super().pre_forward(module, *args, **kwargs)


def offload(model: TryOnModel, what: str, device: torch.device) -> Callable[[], None]:
    """Let weights wait on the CPU and come to a device when they have their turn.

    Args:
        model: on the CPU.
        what: "model": autoencoder, or UNet with its ControlNet branches, as a whole; least slow. "layers": every layer
            for itself; least memory. A text encoder, which runs once for a request, stays on the CPU.
        device: where they compute.

    Returns:
        What takes it back: then all are on the CPU.
    """
    painters = [model.unet, *model.controls.values()]

    def undo() -> None:
        for network in (*painters, model.vae):
            remove_hook_from_module(network, recurse=True)
            network.to("cpu")

    for network in (*painters, model.vae):
        if what == "layers":
            cpu_offload(network, device, offload_buffers=True)
        else:
            add_hook_to_module(network, Turn(device, painters if network is model.vae else [model.vae]))
    return undo


def home(options: DiffusionOptions, device: str) -> str:
    """Where a model has to be loaded: on the device where it computes, unless it is offloaded from there."""
    return "cpu" if options.offload != "none" and device.startswith("cuda") else device


def release() -> None:
    """Give back the memory of what is used no more; compiled and offloaded networks refer to themselves."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def ran_out(problem: BaseException) -> bool:
    """Whether memory was not enough; PyTorch's allocator for the CPU raises a plain RuntimeError."""
    return isinstance(problem, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(problem, RuntimeError) and "DefaultCPUAllocator" in str(problem)
    )


@contextmanager
def told(error: Callable[[], MemoryShortError]) -> Iterator[None]:
    """Within it, running out of memory becomes that error, and what the run had taken is given back.

    Args:
        error: makes the error, after the memory was given back.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as problem:
        if not ran_out(problem):
            raise
        traceback.clear_frames(problem.__traceback__)  # they hold the run's tensors
        release()
        raise error() from None
