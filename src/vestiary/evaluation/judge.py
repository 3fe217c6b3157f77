"""One pair judged: every measure that can be had of one result."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vestiary.evaluation import detail, lite0, pixels, preserved, slices, standard, synthetic
from vestiary.evaluation.torso import torso_height
from vestiary.types import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.datasets import Sample
    from vestiary.types import Garment, Mask, Person, Picture

MOST_DB = 100.0  # what equal pictures count, so that a mean can be taken


@dataclass(frozen=True, eq=False)
class Case:
    """A result and all that it can be judged by.

    Attributes:
        sample: the pair's files and facts.
        photo: the person as handed to the engine, at the protocol's size.
        made: what came out, of the photo's size, before any repainting.
        judged: the same as the protocol judges it.
        truth: the true photo at the photo's size; None when unpaired.
        mask: where the engine says that it may have changed the photo; None when unknown.
        person: the scan; None when it failed on a photo that another system coped with.
        garment: likewise.
    """

    sample: Sample
    photo: Picture
    made: Picture
    judged: Picture
    truth: Picture | None
    mask: Mask | None
    person: Person | None
    garment: Garment | None


@dataclass
class Verdict:
    """What was found: `measures` by name, `slices` by name, and `features` of result and real photo by network."""

    measures: dict[str, float | None] = field(default_factory=dict)
    slices: dict[str, str] = field(default_factory=dict)
    features: dict[str, NDArray[np.float32]] = field(default_factory=dict)


class Judge:
    """Judges one pair after another.

    Args:
        found: which standard networks there are.
    """

    def __init__(self, found: standard.Standard) -> None:
        self.lpips = {f"lpips_{trunk}": standard.Lpips(trunk, files) for trunk, files in found.lpips.items()}
        self.inception = standard.Inception(found.inception) if found.inception else None

    def judge(self, case: Case) -> Verdict:
        """Every measure that this case allows.

        Raises:
            InputError: pictures that cannot be laid on each other.
            ImageError: a file of the ground truth is damaged.
        """
        verdict = Verdict()
        self._features(case, verdict)
        if case.truth is not None:
            self._against_truth(case.judged, case.truth, verdict)
        if case.mask is not None:
            outside = preserved.outside(case.photo, case.made, case.mask)
            verdict.measures |= {"outside_max": outside[0], "outside_changed": outside[1]}
        if case.person is not None:
            verdict.measures["face_difference"] = preserved.face(case.photo, case.judged, case.person.parts)
            verdict.slices |= slices.of_person(case.person)
        if case.person is not None and case.garment is not None:
            self._detail(case, case.person, case.garment, verdict)
        verdict.slices |= slices.of_facts(case.sample.facts)  # what the data set knows goes before what was guessed
        return verdict

    def _features(self, case: Case, verdict: Verdict) -> None:
        """Features of the result and of the photo that it is set against: the truth, or the person's own photo."""
        real = case.truth if case.truth is not None else case.photo
        levels = [lite0.maps(picture) for picture in (case.judged, real)]
        for side, maps in zip(("result", "real"), levels, strict=True):
            verdict.features[f"lite0_{side}"] = lite0.pooled(maps)
        if case.truth is not None:
            verdict.measures["lite0_distance"] = lite0.distance(*levels)
        if self.inception is not None:
            verdict.features["inception_result"] = self.inception.features(case.judged)
            verdict.features["inception_real"] = self.inception.features(real)

    def _against_truth(self, result: Picture, truth: Picture, verdict: Verdict) -> None:
        verdict.measures["psnr"] = min(pixels.psnr(result, truth), MOST_DB)
        if min(truth.shape[:2]) >= pixels.SMALLEST:
            verdict.measures["ssim"], verdict.measures["ms_ssim"] = pixels.ssim_and_ms_ssim(result, truth)
        else:
            verdict.measures["ssim"] = pixels.ssim(result, truth)
        verdict.measures |= {name: network.distance(result, truth) for name, network in self.lpips.items()}

    def _detail(self, case: Case, person: Person, garment: Garment, verdict: Verdict) -> None:
        flat = detail.FlatPrint(garment, person)
        where = case.mask if case.mask is not None else person.silhouette
        matches = flat.matches(case.judged, _grown(where))
        verdict.slices |= slices.of_garment(garment, matches.findable)
        verdict.measures |= {
            "print_kept": matches.kept,
            "texture_kept": detail.texture_kept(garment, person, case.judged),
            "colour_shift": detail.colour_shift(garment, person, case.judged),
        }
        if case.truth is None:
            return
        verdict.measures["texture_kept_truth"] = detail.texture_kept(garment, person, case.truth)
        cloth, flow = true_cloth(case.sample, case.photo.shape[:2])
        if cloth is None:
            return
        verdict.measures["print_kept_truth"] = flat.matches(case.truth, _grown(cloth)).kept
        verdict.measures["pattern_match"] = synthetic.pattern_match(case.judged, case.truth, cloth)
        if flow is not None and matches.kept is not None:
            verdict.measures["print_place"] = synthetic.print_place(matches, flow, torso_height(person))


_CLOTH = {
    "top": (Part.TOP,), "outerwear": (Part.OUTERWEAR,), "dress": (Part.DRESS,), "skirt": (Part.SKIRT,),
    "trousers": (Part.TROUSERS,), "shorts": (Part.SHORTS,),
}  # fmt: skip


def true_cloth(sample: Sample, shape: tuple[int, ...]) -> tuple[Mask | None, NDArray[np.float32] | None]:
    """Where the true photo shows the garment, `(H, W) uint8`, and which place of the flat picture each pixel shows.

    From the correspondence map of a synthetic set; from the person's own parse map where the photo is its own truth;
    None where nothing tells.

    Raises:
        ImageError: a file of them is damaged.
    """
    size = (shape[1], shape[0])
    flow_file = _flow_file(sample.target) if sample.target else None
    if flow_file is not None:
        flow = synthetic.read_flow(flow_file, _flow_scale(flow_file.parents[2]))
        if flow.shape[:2] != tuple(shape):
            flow = cv2.resize(flow, size, interpolation=cv2.INTER_NEAREST)
        return np.where(np.isnan(flow[..., 0]), 0, 255).astype(np.uint8), flow
    if sample.target == sample.person and sample.parse is not None and sample.category is not None:
        pose_needed = sample.labels in ("multimodal", "co-parsing")
        if not pose_needed:
            parts = sample.read_parts()
            cloth = np.isin(parts, _CLOTH[sample.category]).astype(np.uint8) * 255
            return preserved.at_size(cloth, size, labels=True), None
    return None, None


def _flow_file(target: Path) -> Path | None:
    """The correspondence map beside a true photo of a synthetic set: `person_b.jpg` has `flow_b.png`."""
    place = target.with_name(f"flow_{target.stem.removeprefix('person_')}.png")
    return place if target.stem.startswith("person_") and place.is_file() else None


@lru_cache(maxsize=4)
def _flow_scale(folder: Path) -> float:
    try:
        found: dict[str, Any] = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 32.0
    return float(found.get("scale", 32.0))


def _grown(mask: Mask) -> Mask:
    """A little more than the mask, without soft edges."""
    return np.asarray(cv2.dilate(np.where(mask > 0, 255, 0).astype(np.uint8), np.ones((9, 9), np.uint8)), np.uint8)
