"""Natural standing and walking poses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vestiary.synth.body import Turn

POSES = ("standing", "relaxed", "contrapposto", "walking", "hand on hip", "arms crossed in front", "pocket")
_CHANCES = (0.26, 0.22, 0.16, 0.14, 0.10, 0.06, 0.06)
_FINGERS = ("finger2", "finger3", "finger4", "finger5")


@dataclass(frozen=True)
class Pose:
    """A pose: its class, bone turns, bend of elbows and knees (0..1) by side.

    `turn`: degrees by which the person stands turned to the wearer's left; not among the bone turns.
    """

    name: str
    turns: dict[str, Turn]
    turn: float
    elbows: dict[str, float]
    knees: dict[str, float]


def draw_pose(rng: np.random.Generator, room: float = 0.0) -> Pose:
    """A random pose seen from the front ± 35°; hanging arms lean out by `room` (a slope) at least."""
    name = str(rng.choice(POSES, p=_CHANCES))
    turn = float(np.clip(rng.normal(0, 14), -35, 35))
    turns: dict[str, Turn] = {}
    elbows = {side: float(rng.uniform(0.12, 0.34)) for side in "LR"}
    knees = {"L": 0.05, "R": 0.05}
    out = max(float(rng.uniform(0.16, 0.34)), min(room, 0.6))
    for side, sign in (("L", 1.0), ("R", -1.0)):
        _hang(turns, side, sign, out * float(rng.uniform(1.0, 1.2)), elbows[side], float(rng.normal(0, 6)))
        spread = float(rng.uniform(0.02, 0.07))
        turns[f"upperleg01.{side}"] = (f"lowerleg01.{side}", (sign * spread, -0.02, -1.0), 0.0)
        _curl(turns, side, sign, float(rng.uniform(4, 20)))
    free = str(rng.choice(["L", "R"]))
    sign = 1.0 if free == "L" else -1.0
    if name == "contrapposto":
        knees[free] = 0.35
        turns[f"upperleg01.{free}"] = (f"lowerleg01.{free}", (sign * 0.10, -0.16, -1.0), sign * 6.0)
        turns[f"lowerleg01.{free}"] = (f"foot.{free}", (sign * 0.04, 0.14, -1.0), 0.0)
        turns["spine04"] = (0.0, sign * 2.5, 0.0)
    elif name == "walking":
        _walk(turns, knees, free, sign, float(rng.uniform(0.10, 0.24)), max(0.2, min(room, 0.6)))
    elif name == "hand on hip":
        elbows[free] = 1.0
        turns[f"upperarm01.{free}"] = (f"lowerarm01.{free}", (sign * 0.74, 0.30, -0.86), 0.0)
        turns[f"lowerarm01.{free}"] = (f"wrist.{free}", (-sign * 0.80, -0.42, -0.60), 0.0)
        turns[f"wrist.{free}"] = (f"finger3-1.{free}", (-sign * 0.55, -0.35, -0.85), 0.0)
    elif name == "arms crossed in front":
        elbows[free] = 0.9
        turns[f"upperarm01.{free}"] = (f"lowerarm01.{free}", (sign * 0.26, -0.14, -1.0), 0.0)
        turns[f"lowerarm01.{free}"] = (f"wrist.{free}", (-sign * 0.85, -0.62, float(rng.uniform(-0.35, 0.1))), 0.0)
        turns[f"wrist.{free}"] = (f"finger3-1.{free}", (-sign * 0.95, -0.25, 0.0), 0.0)
    elif name == "pocket":
        elbows[free] = 0.5
        turns[f"upperarm01.{free}"] = (f"lowerarm01.{free}", (sign * 0.42, 0.22, -1.0), 0.0)
        turns[f"lowerarm01.{free}"] = (f"wrist.{free}", (-sign * 0.12, -0.38, -1.0), 0.0)
    turns["head"] = (
        float(rng.normal(1, 2.5)),
        float(rng.normal(0, 2)),
        float(np.clip(rng.normal(-turn * 0.5, 6), -24, 24)),
    )
    turns.setdefault("spine03", (0.0, float(rng.normal(0, 1.2)), float(rng.normal(0, 2))))
    return Pose(name, turns, turn, elbows, knees)


def _hang(turns: dict[str, Turn], side: str, sign: float, out: float, bend: float, roll: float) -> None:
    """An arm at the side, slightly off the body."""
    turns[f"upperarm01.{side}"] = (f"lowerarm01.{side}", (sign * out, 0.05, -1.0), 0.0)
    turns[f"lowerarm01.{side}"] = (f"wrist.{side}", (sign * out * 0.55, -bend, -1.0), sign * roll)
    turns[f"wrist.{side}"] = (f"finger3-1.{side}", (sign * 0.05, -bend * 0.8, -1.0), 0.0)
    turns[f"clavicle.{side}"] = (0.0, sign * 3.0, 0.0)


def _curl(turns: dict[str, Turn], side: str, sign: float, degrees: float) -> None:
    """Fingers slightly bent, about an axis across the resting hand."""
    for finger in _FINGERS:
        for joint in ("1", "2", "3"):
            turns[f"{finger}-{joint}.{side}"] = (-degrees * 0.6, sign * degrees * 0.6, 0.0)


def _walk(turns: dict[str, Turn], knees: dict[str, float], free: str, sign: float, stride: float, out: float) -> None:
    other = "R" if free == "L" else "L"
    turns[f"upperleg01.{free}"] = (f"lowerleg01.{free}", (sign * 0.02, -stride, -1.0), 0.0)
    turns[f"lowerleg01.{free}"] = (f"foot.{free}", (sign * 0.01, -stride * 0.5, -1.0), 0.0)
    turns[f"upperleg01.{other}"] = (f"lowerleg01.{other}", (-sign * 0.02, stride * 0.7, -1.0), 0.0)
    turns[f"lowerleg01.{other}"] = (f"foot.{other}", (-sign * 0.01, stride * 2.1, -1.0), 0.0)
    knees[free], knees[other] = 0.2, 0.45
    for side, way in ((free, 1.0), (other, -1.0)):
        k = 1.0 if side == "L" else -1.0
        turns[f"upperarm01.{side}"] = (f"lowerarm01.{side}", (k * out, way * stride, -1.0), 0.0)
        turns[f"lowerarm01.{side}"] = (f"wrist.{side}", (k * out * 0.5, way * stride * 0.6 - 0.25, -1.0), 0.0)
