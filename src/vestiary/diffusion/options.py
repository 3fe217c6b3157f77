"""Options of the engine `diffusion`: the only place where they are written. Needs neither PyTorch nor diffusers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SchedulerName = Literal["ddpm", "ddim", "dpm++", "unipc", "euler", "lcm"]
CONTROLS = ("pose", "parts", "depth")


class DiffusionOptions(BaseModel):
    """Options of the engine `diffusion`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = Field(
        "", max_length=4096, description="Folder of a model, or the name of published weights; see docs/diffusion.md."
    )
    seed: int = Field(0, ge=0, le=2**63 - 1, description="Start of the noise: the same seed gives the same picture.")
    steps: int = Field(30, ge=1, le=1000, description="Denoising steps; with scheduler lcm 4 to 8 are enough.")
    guidance: float = Field(
        2.5, ge=1, le=30, description="How strongly garment and prompt pull; 1 = no pull, and half the time."
    )
    scheduler: SchedulerName = Field("dpm++", description="How noise is taken away; lcm needs a distilled model.")
    strength: float = Field(1.0, gt=0, le=1, description="Share of the noise to begin with; below 1 keeps the layout.")
    mask_free: bool = Field(False, description="Insist on a mask-free model, which sees the clothes that are worn.")
    prompt: str = Field("", max_length=2000, description="What the garment is, in words, for models that read text.")
    negative_prompt: str = Field("", max_length=2000, description="What shall not be in the picture, in words.")
    long_side: int = Field(
        0, ge=0, le=4096, description="Longer side of the working picture in pixels; 0 = what the model was trained at."
    )
    refine: bool = Field(False, description="Denoise at half the size first, then at the full one.")
    refine_strength: float = Field(0.5, gt=0, le=1, description="Share of the noise with which the full size begins.")
    control_pose: float = Field(0, ge=0, le=2, description="Weight of the ControlNet branch for pose; 0 = off.")
    control_parts: float = Field(0, ge=0, le=2, description="Weight of the ControlNet branch for parts; 0 = off.")
    control_depth: float = Field(
        0, ge=0, le=2, description="Weight of the ControlNet branch for depth, which is estimated; 0 = off."
    )
    control_start: float = Field(0, ge=0, le=1, description="Share of the steps before the branches have a say.")
    control_end: float = Field(1, ge=0, le=1, description="Share of the steps after which they have none.")
    covers: Literal["auto", "top", "outerwear", "dress", "skirt", "trousers", "shorts"] = Field(
        "auto", description="What a garment covers that is told in words only; auto = what the prompt names."
    )
    in_turn: bool = Field(
        False, description="Put on more garments than the model has places for one after another, not at once."
    )
    anchor: str = Field(
        "",
        max_length=4096,
        description="Whose colours and texture are held on to: garment (its own picture), colours such as "
        "#c8102e,#ffffff, or a picture file.",
    )
    anchor_strength: float = Field(
        0.5, ge=0, le=2, description="How strongly the anchor pulls; 1 = all the way at every step."
    )
    anchor_space: Literal["latents", "pixels"] = Field(
        "pixels",
        description="What the anchor looks at: the decoded picture, or colours guessed from latents, which is quicker "
        "and holds colours that are near already.",
    )
    scene: str = Field("", max_length=200, description="Another background, in words.")
    light: Literal["keep", "indoor", "outdoor", "day", "night"] = Field("keep", description="Another light.")
    light_strength: float = Field(
        0.4, gt=0, le=1, description="Share of the noise with which the other light is painted."
    )
    light_face: bool = Field(False, description="Let another light fall on the face too; else the face stays as it is.")
    region: str = Field(
        "",
        max_length=4096,
        description="Paint this region only: x0,y0,x1,y1 in the photo's pixels, a polygon x,y x,y x,y, several of them "
        "with ; between, or a picture of the photo's size in which white is painted.",
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:N or mps.")
    dtype: Literal["float32", "float16", "bfloat16"] = Field("float32", description="Numbers of the networks.")
    offload: Literal["none", "model", "layers"] = Field(
        "none", description="What leaves the accelerator's memory when it has had its turn."
    )
    attention: Literal["full", "sliced", "linear", "sparse"] = Field(
        "full",
        description="How attention is computed: sliced needs less memory; linear and sparse less time when large.",
    )
    vae_slicing: bool = Field(False, description="Decode one picture at a time.")
    vae_tiling: bool = Field(False, description="Encode and decode in tiles, for large pictures.")
    channels_last: bool = Field(False, description="Keep the channels of a pixel together; can be quicker.")
    keep_memory: bool = Field(
        False,
        description="Keep freed memory for the next step: quicker on a CPU, but the process stays large.",
    )
    compile: bool = Field(False, description="Compile the network first: minutes once, then quicker steps.")
    layers: bool = Field(False, description="Keep every intermediate picture.")

    @property
    def control(self) -> dict[str, float]:
        """Weight of each ControlNet branch that is on, by kind."""
        weights = {kind: float(getattr(self, f"control_{kind}")) for kind in CONTROLS}
        return {kind: weight for kind, weight in weights.items() if weight > 0}
