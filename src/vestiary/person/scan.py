"""From a photo to a `Person`: pose, silhouette, parts, description, in that order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestiary.clock import Clock
from vestiary.errors import OptionError
from vestiary.person import describe
from vestiary.person.parsing import parse_parts
from vestiary.person.pose import openpose18
from vestiary.person.presence import find_person
from vestiary.person.silhouette import find_silhouette, person_box
from vestiary.types import Person

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture, Points, Reader

NETWORKS = (
    "pose_detection",
    "pose_landmark_full",
    "selfie_segmentation",
    "face_detection_short_range",
    "face_landmark",
)  # that look at every photo of a person


def scan(image: Picture, *, person: int | None = None, parser: Reader = "network", source: str = "") -> Person:
    """All that a fitting needs to know of the person in a photo.

    Args:
        image: `(H, W, 3) uint8` sRGB, upright.
        person: which one when there are several: 1 = the largest (the default), 2 = the next, …
        parser: how parts are told apart; see `find_parts`.
        source: SHA-256 of the file it came from.

    Raises:
        PersonError: nobody in it, nobody of that number, seen from behind, lying down, or far too small.
        WeightsError: a model file is missing and cannot be fetched.
    """
    clock = Clock()
    found = find_person(image, 1 if person is None else person)
    pose = found.pose
    facing = describe.facing_of(pose.world, found.face)
    describe.check_can_serve(pose.landmarks, pose.world, facing)
    clock.lap("pose")
    silhouette = find_silhouette(image, pose)
    clock.lap("silhouette")
    parts = find_parts(image, pose.landmarks, silhouette, parser=parser)
    clock.lap("parsing")
    warnings = describe.find_warnings(image, pose.landmarks, silhouette, facing=facing, people=found.count)
    arms = describe.arms_in_front(pose.landmarks, pose.world)
    clock.lap("describe")
    return Person(
        image=image,
        pose=pose.landmarks,
        world=pose.world,
        keypoints=openpose18(pose.landmarks),
        silhouette=silhouette,
        parts=parts,
        facing=facing,
        arm_in_front=arms,
        box=person_box(silhouette, pose),
        warnings=warnings,
        timings=clock.laps,
        source=source,
        networks=NETWORKS + (() if parser == "rules" else ("parser",)),
    )


def find_parts(image: Picture, pose: Points, silhouette: Mask, *, parser: Reader = "network") -> Mask:
    """What every pixel shows, `(H, W) uint8` of `Part`.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        pose: `(33, 4) float32`.
        silhouette: `(H, W) uint8`.
        parser: "network", or "rules": limbs, silhouette and skin colour alone, a baseline without any learned part.

    Raises:
        OptionError: no such parser.
        WeightsError: the network's file is missing or broken.
    """
    if parser == "rules":
        from vestiary.person.rules import parse_by_rules

        return parse_by_rules(image, pose, silhouette)
    if parser != "network":
        raise OptionError(f"there is no parser {parser!r}.", hint="Choose network or rules.")
    return parse_parts(image, pose, silhouette)
