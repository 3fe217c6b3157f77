"""The mirror: frames of a film go in, the same frames with the garment on come out.

What must be new in every frame is: pose, silhouette, the body's curves, where the garment goes. What is slow and
changes little (parts, bare skin, light) comes from a close look at every few frames, made on another thread, and is
carried to the present frame along the picture's own motion. A look is always used a fixed number of frames after it
began, so the same film gives the same pictures on any machine.
"""

from __future__ import annotations

import time as clock_time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.clock import Clock
from vestiary.engines.embedded import EmbeddedEngine, EmbeddedOptions, Prepared
from vestiary.errors import GarmentError, InputError
from vestiary.fitting import agnostic, body
from vestiary.mirror.ground import Ground
from vestiary.mirror.look import Seen, carry_shares, lay_over, look_closely
from vestiary.mirror.motion import Motion, Way
from vestiary.mirror.steady import BodyAverage, Majority
from vestiary.mirror.swipe import Swipe, SwipeWatch
from vestiary.mirror.track import PoseTracker, Tracked
from vestiary.person import describe
from vestiary.person.pose import openpose18
from vestiary.person.silhouette import find_silhouette, person_box
from vestiary.types import Garment, Person

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture, Points

F32 = NDArray[np.float32]
SIZE = (384, 512)
EVERY = 5  # frames between close looks
GARMENT_SIDE = 640  # long side of a garment's picture; a frame has no room for more
AGREE = 90  # grey levels within which two silhouettes are taken to mean the same edge
NETWORKS = ("pose_detection", "pose_landmark_full", "selfie_segmentation", "parser")


@dataclass(frozen=True, eq=False)
class MirrorFrame:
    """One frame that went through the mirror.

    Attributes:
        image: `(h, w, 3) uint8` sRGB, the frame within the mirror's size, with the garment on.
        pose: `(33, 4) float32` in pixels of `image`, smoothed; None when nobody is there.
        garment: index of the garment that is worn, or -1: the frame is as it came, `message` says why.
        gesture: a swipe that ended in this frame; the garment changes with the next one.
        seconds: that it took.
        message: what the wearer should do, if anything.
        timings: seconds per step.
    """

    image: Picture
    pose: Points | None
    garment: int
    gesture: Swipe | None
    seconds: float
    message: str = ""
    timings: dict[str, float] = field(default_factory=dict)


class Mirror:
    """Fits one of several garments on the person in a film, one frame after the other. For one thread at a time.

    Args:
        garments: to choose from.
        size: (width, height) that frames are brought within.
        smooth: hold pose and body steady over time.

    Raises:
        GarmentError: there are no garments.
    """

    def __init__(self, garments: Sequence[Garment], size: tuple[int, int] = SIZE, *, smooth: bool = True) -> None:
        self.size = size
        self.offer(garments)
        self.prepared: Prepared | None = None
        self._smooth = smooth
        self._engine, self._options = EmbeddedEngine(), EmbeddedOptions.model_validate({"refine": False})
        self._tracker, self._swipes = PoseTracker(smooth=smooth), SwipeWatch()
        self._looker = ThreadPoolExecutor(1, thread_name_prefix="vestiary-mirror")
        self._forget()

    def __enter__(self) -> Mirror:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread that looks closely."""
        self._looker.shutdown(cancel_futures=True)

    def offer(self, garments: Sequence[Garment]) -> None:
        """Take these garments to choose from, and put on the first.

        Raises:
            GarmentError: there are none.
        """
        if not garments:
            raise GarmentError("a mirror needs garments.", hint="Hand in at least one garment.")
        self.garments = [lighter(garment) for garment in garments]
        self.worn = 0

    def wear(self, index: int) -> None:
        """Change to another garment; counts round."""
        self.worn = index % len(self.garments)

    def step(self, frame: Picture, time: float) -> MirrorFrame:
        """The next frame with the garment on.

        Args:
            frame: `(H, W, 3) uint8` sRGB, not mirrored.
            time: seconds at which it was taken, rising.
        """
        started = clock_time.perf_counter()
        clock = Clock()
        image = fit_within(frame, self.size)
        flow = self._motion.step(image)
        clock.lap("motion")
        tracked = self._tracker.follow(image, time, flow)
        clock.lap("pose")
        gesture = self._swipes.step(tracked.raw, time) if tracked else None
        worn, message = -1, ""
        if tracked is None:
            self._forget(motion=self._motion)
            message = "Step in front of the camera."
        else:
            try:
                image, worn = self._wearing(image, tracked, flow, time, clock), self.worn
            except InputError as problem:  # turned away, lying, or the half of the body that it covers is not in view
                message = problem.message
        if gesture:
            self.wear(self.worn + (1 if gesture == "next" else -1))
        pose = tracked.pose.landmarks if tracked else None
        return MirrorFrame(image, pose, worn, gesture, clock_time.perf_counter() - started, message, clock.laps)

    def _forget(self, motion: Motion | None = None) -> None:
        self._motion = motion or Motion()
        self._ground, self._body = Ground(), BodyAverage()
        self._arms: Majority[str] = Majority()
        self._silhouette: Mask | None = None
        self._seen: tuple[Seen, Way] | None = None
        self._pending: tuple[Future[Seen], Way] | None = None
        self._count = 0

    def _wearing(self, image: Picture, tracked: Tracked, flow: F32, time: float, clock: Clock) -> Picture:
        """The frame with the garment on."""
        if tracked.found:
            self._forget(self._motion)
        describe.check_can_serve(tracked.pose.landmarks, tracked.pose.world, describe.facing_of(tracked.pose.world, 1))
        person = self._person(image, tracked, flow)
        clock.lap("silhouette")
        seen, way = self._look(person, flow)
        clock.lap("look")
        person = replace(person, parts=lay_over(way.carry(seen.labels, labels=True), person.silhouette))
        clock.lap("parts")
        shape = body.measure(person)
        if self._smooth:
            shape = self._body(shape, time)
        clock.lap("body")
        behind = self._behind(person, shape, seen, way, flow)
        window = (0, 0, image.shape[1], image.shape[0])
        gain = way.carry(seen.light).astype(np.float32)
        self.prepared = Prepared(person, window, person, shape, behind, gain, {})
        clock.lap("behind")
        fitting = self._engine.fit(self.prepared, [self.garments[self.worn]], self._options)
        clock.lap("fit")
        return fitting.image

    def _person(self, image: Picture, tracked: Tracked, flow: F32) -> Person:
        """The scan of this frame but for its parts."""
        pose = tracked.pose
        silhouette = find_silhouette(image, pose)
        if self._silhouette is not None and self._smooth:
            step = Way(flow.shape)
            step.extend(flow)
            silhouette = steady_mask(silhouette, step.carry(self._silhouette))
        self._silhouette = silhouette.copy()
        return Person(
            image=image,
            pose=pose.landmarks,
            world=pose.world,
            keypoints=openpose18(pose.landmarks),
            silhouette=silhouette,
            parts=np.zeros_like(silhouette),
            facing=describe.facing_of(pose.world, 1),
            arm_in_front=self._arms(describe.arms_in_front(pose.landmarks, pose.world)),
            box=person_box(silhouette, pose),
            networks=NETWORKS,
        )

    def _look(self, person: Person, flow: F32) -> tuple[Seen, Way]:
        """The latest close look that is due, and the way from its frame to this one."""
        if self._seen is None:
            self._seen = look_closely(person, None), Way(flow.shape)
            self._ground.guess(self._seen[0].bare.background)
        else:
            self._seen[1].extend(flow)
        if self._pending:
            self._pending[1].extend(flow)
        if self._count % EVERY == 0:
            if self._pending:
                self._seen = self._pending[0].result(), self._pending[1]
                self._ground.guess(self._seen[0].bare.background)
            seen, way = self._seen
            before = carry_shares(seen.shares, way.carry)
            self._pending = self._looker.submit(look_closely, person, before), Way(flow.shape)
        self._count += 1
        return self._seen

    def _behind(self, person: Person, shape: body.Body, seen: Seen, way: Way, flow: F32) -> agnostic.Agnostic:
        """What is behind the clothes in this frame: the ground as it was ever seen, the rest carried from the look."""
        reach = 2 * max(2, round(0.035 * shape.unit)) + 1
        around = cv2.dilate(person.silhouette, np.ones((reach, reach), np.uint8))
        hidden = cv2.bitwise_or(cv2.compare(around, 60, cv2.CMP_GT), cv2.compare(person.parts, 0, cv2.CMP_GT))
        self._ground.see(person.image, np.asarray(hidden, np.uint8), flow)
        arms, legs, trunk = agnostic.body_masks(person, shape)
        lower = None if seen.bare.lower is None else way.carry(seen.bare.lower)
        return agnostic.Agnostic(self._ground.picture(), way.carry(seen.bare.skin), lower, arms, legs, trunk)


def fit_within(frame: Picture, size: tuple[int, int]) -> Picture:
    """The frame scaled down, if it must be, so that it fits into (width, height)."""
    height, width = frame.shape[:2]
    scale = min(1.0, size[0] / width, size[1] / height)
    if scale == 1.0:
        return frame
    target = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(frame, target, interpolation=cv2.INTER_AREA), np.uint8)


def lighter(garment: Garment, side: int = GARMENT_SIDE) -> Garment:
    """The garment with a picture of at most this long side."""
    height, width = garment.alpha.shape
    scale = min(1.0, side / max(height, width))
    if scale == 1.0:
        return garment
    size = round(width * scale), round(height * scale)
    alpha = cv2.resize(garment.alpha, size, interpolation=cv2.INTER_AREA)
    image = cv2.resize(garment.image, size, interpolation=cv2.INTER_AREA)
    marks = garment.landmarks.copy()
    marks[:, :2] = (marks[:, :2] + 0.5) * np.array([size[0] / width, size[1] / height]) - 0.5
    return replace(garment, image=image, alpha=alpha, landmarks=marks.astype(np.float32))


def steady_mask(now: Mask, before: NDArray[Any]) -> Mask:
    """A mask whose edge does not tremble: the mean with the one before where both nearly agree."""
    mean = cv2.addWeighted(now, 0.5, before, 0.5, 0)
    agree = cv2.compare(cv2.absdiff(now, before), AGREE, cv2.CMP_LT)
    return np.asarray(np.where(agree > 0, mean, now), np.uint8)
