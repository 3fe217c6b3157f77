"""What is known exactly of a scene: where joints are in the picture and in space, and words for garments and people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vestiary.synth.flat import Flat
from vestiary.synth.mesh import f32
from vestiary.synth.wear import hang
from vestiary.types import UPPER, Joint

if TYPE_CHECKING:
    from vestiary.synth.scene import Scene

Array = NDArray[np.float32]
BONES = {
    "SHOULDER": "upperarm01", "ELBOW": "lowerarm01", "WRIST": "wrist", "PINKY": "finger5-1", "INDEX": "finger2-1",
    "THUMB": "finger1-2", "HIP": "upperleg01", "KNEE": "lowerleg01", "ANKLE": "foot", "EYE": "eye",
}  # fmt: skip
COCO = (
    Joint.NOSE, None, Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW,
    Joint.LEFT_WRIST, Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, Joint.LEFT_HIP, Joint.LEFT_KNEE,
    Joint.LEFT_ANKLE, Joint.RIGHT_EYE, Joint.LEFT_EYE, Joint.RIGHT_EAR, Joint.LEFT_EAR,
)  # fmt: skip


def joints(scene: Scene) -> Array:
    """`(33, 3)` places in the room of `Joint`s, metres: x to the picture's right, y away, z up."""
    posed, found = scene.posed, np.zeros((len(Joint), 3), np.float32)
    spots = posed.body.basis.spots
    found[Joint.NOSE] = posed.points[spots["nose"]]
    head = posed.moves[posed.body.basis.bones.index("head")][:, :3]
    for side, letter, sign in (("LEFT", "L", 1.0), ("RIGHT", "R", -1.0)):
        for name, bone in BONES.items():
            found[Joint[f"{side}_{name}"]] = posed.heads[f"{bone}.{letter}"]
        for name in ("EAR", "HEEL", "FOOT"):
            found[Joint[f"{side}_{name}"]] = posed.points[spots[f"{side.lower()}_{name.lower()}"]]
        found[Joint[f"MOUTH_{side}"]] = posed.points[spots[f"mouth_{side.lower()}"]]
        eye = found[Joint[f"{side}_EYE"]]
        for name, shift in (("INNER", -0.014), ("OUTER", 0.014)):
            found[Joint[f"{side}_EYE_{name}"]] = eye + head @ np.array([sign * shift, -0.008, 0.0])
    return np.asarray(found @ scene.turn.T, np.float32)


def pose(scene: Scene) -> tuple[Array, Array, Array]:
    """`(33, 4)` pose, `(33, 3)` world and `(18, 3)` keypoints, as `Person` has them."""
    room = joints(scene)
    camera = scene.camera
    hips = (room[Joint.LEFT_HIP] + room[Joint.RIGHT_HIP]) / 2
    screen = camera.project(room)
    scale = camera.focal / float(hips[1] - camera.eye[1])
    held: NDArray[np.bool_] = np.asarray((screen[:, :2] >= 0) & (screen[:, :2] <= np.array(camera.size) - 1))
    inside = held[:, 0] & held[:, 1]
    landmarks = np.concatenate([screen[:, :2], (room[:, 1:2] - hips[1]) * scale, inside[:, None]], 1)
    world = (room - hips)[:, [0, 2, 1]] * f32([1, -1, 1])
    table = np.zeros((len(COCO), 3), np.float32)
    for row, joint in enumerate(COCO):
        pair = (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER) if joint is None else (joint, joint)
        table[row, :2] = (screen[pair[0], :2] + screen[pair[1], :2]) / 2
        table[row, 2] = min(inside[pair[0]], inside[pair[1]])
    return landmarks.astype(np.float32), world.astype(np.float32), table


def garment_words(flat: Flat, scene: Scene) -> dict[str, Any]:
    """Category, sleeve, neckline, length, pattern, colour and more of a garment on this body."""
    cut = flat.cut
    pattern = cut.pattern
    how = hang(cut, scene.anatomy)
    hem = float(cut.mark("HEM_LEFT")[1])
    start = how.tip if cut.category in UPPER else how.top
    drop = hem - (float(cut.mark("SHOULDER_LEFT")[1]) if cut.category in UPPER else 0.0)
    share = (start - drop / 103 - scene.floor) / (scene.anatomy.waist - scene.floor)
    steps = ((0.88, "waist"), (0.72, "hip"), (0.52, "thigh"), (0.38, "knee"), (0.18, "calf"))
    length = next((word for least, word in steps if share > least), "ankle")
    girth = scene.anatomy.girths.chest if cut.category in UPPER else scene.anatomy.girths.hips
    wide = abs(float(cut.mark("ARMPIT_LEFT" if cut.category in UPPER else "HIP_LEFT")[0]))
    return {
        "category": cut.category,
        "sleeve": pattern.sleeve,
        "neckline": pattern.neckline,
        "length": length,
        "pattern": "print" if flat.motif is not None else flat.fabric.pattern,
        "colour": flat.fabric.colour,
        "attributes": {
            "cut": pattern.attributes.get("cut", ""),
            "opening": pattern.attributes.get("opening", "none"),
            "word": flat.motif.word if flat.motif is not None else "",
            "ease": round(4 * wide / girth - 1, 3),
            "stiffness": round(flat.fabric.stiff, 3),
            "pixels_per_cm": round(flat.scale, 4),
        },
    }


def person_words(scene: Scene) -> dict[str, Any]:
    """Body, scene and camera as JSON-ready data."""
    girths = scene.anatomy.girths
    body = {name: round(value, 3) for name, value in scene.body.parameters.items()}
    return {
        "body": {
            **body,
            "height_cm": round(100 * scene.body.height, 1),
            "chest_cm": round(girths.chest, 1),
            "waist_cm": round(girths.waist, 1),
            "hips_cm": round(girths.hips, 1),
        },
        "scene": {
            "pose": scene.pose.name,
            "turn": round(scene.pose.turn, 1),
            "frame": scene.frame,
            "light": scene.light,
            "background": scene.ground.kind,
            "skin": scene.face.skin_name,
            "hair": scene.face.hair_name,
            "hair_style": scene.face.style,
            "tucked": scene.tucked,
            "others": [flat.cut.category for flat in scene.others],
        },
        "camera": {
            "eye": [round(value, 4) for value in scene.camera.eye],
            "focal": round(scene.camera.focal, 3),
            "centre": [round(value, 3) for value in scene.camera.centre],
        },
    }
