"""Options that save memory or time, switched on in diffusers."""

from __future__ import annotations

from vestiary.diffusion.model import TryOnModel
from vestiary.diffusion.options import DiffusionOptions
from vestiary.errors import OptionError


def apply(model: TryOnModel, options: DiffusionOptions) -> TryOnModel:
    """The model with the options' memory switches set. Number format and device were set when it was loaded.

    Raises:
        OptionError: a switch that does not work yet.
    """
    for name, idle in (("offload", "none"), ("compile", False)):
        if getattr(options, name) != idle:
            raise OptionError(f"option {name!r} does not work yet.", hint=f"Leave it at {idle}.")
    if options.attention not in ("full", "sliced"):
        raise OptionError(f"{options.attention} attention does not work yet.", hint="Choose full or sliced.")
    model.vae.enable_slicing() if options.vae_slicing else model.vae.disable_slicing()
    model.vae.enable_tiling() if options.vae_tiling else model.vae.disable_tiling()
    if options.attention == "sliced":
        model.unet.set_attention_slice("auto")
    return model
