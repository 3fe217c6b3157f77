"""What is measured, as data: names, directions, and which version of the code computes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "one"]


@dataclass(frozen=True)
class Measure:
    """One number of a pair, or of a whole set.

    Attributes:
        name: its key in result files.
        title: what people read.
        better: which way it points; "one" = the nearer to 1 (as a ratio) the better.
        meaning: one line of explanation, with range and unit.
        digits: behind the point, in tables.
        main: whether the report shows the best, median and worst pictures by it.
    """

    name: str
    title: str
    better: Better
    meaning: str
    digits: int = 3
    main: bool = False

    def merit(self, value: float) -> float:
        """The value on a scale where more is always better."""
        if self.better == "one":
            return -abs(math.log(max(value, 1e-6)))
        return value if self.better == "higher" else -value


PER_PAIR: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("psnr", "PSNR", "higher", "peak signal-to-noise ratio to the true photo, dB", 2),
        Measure("ssim", "SSIM", "higher", "structural similarity to the true photo, at most 1", 4, True),
        Measure("ms_ssim", "MS-SSIM", "higher", "the same over five scales", 4),
        Measure("lpips_alex", "LPIPS (AlexNet)", "lower", "learned perceptual distance to the true photo", 4, True),
        Measure("lpips_squeeze", "LPIPS (SqueezeNet)", "lower", "the same with another trunk", 4),
        Measure("lpips_vgg", "LPIPS (VGG)", "lower", "the same with another trunk", 4),
        Measure(
            *("lite0_distance", "Lite0 distance", "lower"),
            "perceptual distance to the true photo by an offline stand-in; not LPIPS, not comparable with it",
            *(4, True),
        ),
        Measure(
            *("pattern_match", "Pattern match", "higher"),
            "correlation of the garment's pattern with the true photo's, at most 1",
            *(3, True),
        ),
        Measure(
            *("print_place", "Print displacement", "lower"),
            "median distance of the print's points from their true place, % of the torso",
            *(1,),
        ),
        Measure(
            *("print_kept", "Print kept", "higher"),
            "share of the print's points found again where a smooth warp puts them, 0 to 1",
            *(3, True),
        ),
        Measure("print_kept_truth", "Print kept in truth", "higher", "the same of the true photo: what can be reached"),
        Measure(
            *("texture_kept", "Texture ratio", "one"),
            "fine structure on the body against the flat garment's: below 1 blurred, above 1 noisy or folded",
            *(3, True),
        ),
        Measure("texture_kept_truth", "Texture ratio of truth", "one", "the same of the true photo"),
        Measure(
            *("colour_shift", "Colour shift", "lower"),
            "drift of hue and saturation from the flat garment, a*b* units; 2 is hardly seen",
            *(2, True),
        ),
        Measure(
            "outside_max", "Largest change outside", "lower", "outside the edit mask, levels of 255; 0 is right", 0
        ),
        Measure("outside_changed", "Changed outside", "lower", "share of pixels changed outside the edit mask", 5),
        Measure("face_difference", "Face difference", "lower", "mean change of the face's pixels, levels of 255", 2),
        Measure("seconds", "Seconds", "lower", "of prepare and fit, on this machine", 3),
    )
}

PER_SET: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("fid", "FID", "lower", "Fréchet Inception distance to real photos", 2),
        Measure("kid", "KID", "lower", "kernel Inception distance to real photos (not times 1,000)", 5),
        Measure(
            *("lite0_frechet", "Lite0 Fréchet distance", "lower"),
            "Fréchet distance by an offline stand-in; not FID, not comparable with it",
            *(3,),
        ),
        Measure(
            *("lite0_kid", "Lite0 kernel distance", "lower"),
            "kernel distance by an offline stand-in; not KID, not comparable with it",
            *(5,),
        ),
    )
}


def versions() -> dict[str, str]:
    """The versions of the code behind the measures; results of different ones are not compared."""
    from vestiary.evaluation import detail, distribution, lite0, pixels, preserved, standard, synthetic

    modules = (pixels, lite0, distribution, standard, preserved, detail, synthetic)
    return {module.__name__.rpartition(".")[2]: module.VERSION for module in modules}
