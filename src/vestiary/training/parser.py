"""The recipe of the part parser: `python -m vestiary.training.parser --data DIR --out runs/parser --minutes 90`.

`DIR` holds `photos/ID.jpg`, `labels/ID.png` and `labels.txt`, as Clothing Co-Parsing does (Yang, Luo & Lin 2014).
"""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from vestiary.networks.encoder import load_imagenet
from vestiary.networks.parser import CLASSES, HEIGHT, HINTS, WIDTH, PartParser
from vestiary.training.augment_people import Example, plain, upper_body
from vestiary.training.loop import Batch, Plan, State, train
from vestiary.training.people import INDEX, LabelledPerson, endless, load_people, split

ENCODER_RATE, DECODER_RATE, WEIGHT_DECAY = 4e-4, 2.5e-3, 0.02
CLASS_WEIGHTS = {"background": 0.6, "skirt": 1.5, "shorts": 1.5, "hat": 1.3, "neck": 1.2, "hand": 1.2, "arm": 1.2}
# What is compared in reports: these groups count as one class each.
MERGED: dict[str, tuple[str, ...]] = {
    "background": ("background",),
    "hair": ("hair",),
    "skin": ("face", "neck", "arm", "hand", "leg"),
    "top_outerwear": ("top", "outerwear"),
    "trousers_shorts": ("trousers", "shorts"),
    "skirt": ("skirt",),
    "dress": ("dress",),
    "shoes": ("shoes",),
    "bag": ("bag",),
}


def segmentation_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy plus soft Dice (Milletari et al. 2016) over the classes that the batch holds.

    Args:
        logits: (N, C, h, w).
        target: (N, h, w) int64.
    """
    flat = logits.permute(0, 2, 3, 1).reshape(-1, len(CLASSES)).float()  # no copy if the logits are channels-last
    target = target.reshape(-1)
    logs = flat.log_softmax(1)
    weights = torch.tensor([CLASS_WEIGHTS.get(name, 1.0) for name in CLASSES])
    entropy = F.nll_loss(logs, target, weights)
    shares = logs.exp()
    right = shares.gather(1, target[:, None])[:, 0]
    overlap = torch.zeros(len(CLASSES)).index_add(0, target, right)
    count = torch.bincount(target, minlength=len(CLASSES))
    dice = (2 * overlap + 1) / (shares.sum(0) + count + 1)
    return entropy + 0.5 * (1 - dice[count > 50].mean())


def loss_of(model: nn.Module, batch: Batch) -> Tensor:
    """The loss of one batch (image, hints, target)."""
    image, hints, target = batch
    nhwc = torch.channels_last
    return segmentation_loss(model(image.contiguous(memory_format=nhwc), hints.contiguous(memory_format=nhwc)), target)


def build() -> PartParser:
    """The network as it starts training: ImageNet features, their depthwise filters and early levels frozen."""
    torch.manual_seed(0)
    model = PartParser(frozen=3)
    load_imagenet(model.encoder)
    for block in model.encoder._blocks:
        block._depthwise_conv.requires_grad_(False)  # their gradients cost a third of the step on a CPU
    nn.Module.to(model, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def optimizer_of(model: PartParser) -> torch.optim.Optimizer:
    """AdamW with a low rate for the pretrained encoder and a high one for the decoder."""
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    known = {id(p) for p in model.encoder.parameters()}
    decoder = [p for p in model.parameters() if id(p) not in known]
    groups = [{"params": encoder, "lr": ENCODER_RATE}, {"params": decoder, "lr": DECODER_RATE}]
    return torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)


class Stream(IterableDataset[Example]):
    """Endless varied examples, made in a process of its own."""

    def __init__(self, people: list[LabelledPerson], seed: int) -> None:
        self.people, self.seed = people, seed

    def __iter__(self) -> Iterator[Example]:
        cv2.setNumThreads(0)
        return endless(self.people, self.seed)


def _modest(_: int) -> None:
    os.nice(5)


def batches(people: list[LabelledPerson], size: int, seed: int, *, workers: int = 1) -> Iterator[Batch]:
    """Endless batches `(image, hints, target)`."""
    stream = Stream(people, seed)
    loader = DataLoader(stream, size, num_workers=workers, worker_init_fn=_modest if workers else None)
    yield from (tuple(batch) for batch in loader)


def intersections(predicted: NDArray[Any], target: NDArray[Any], count: int) -> NDArray[np.int64]:
    """`(count, count)` how many pixels of class `row` were called class `column`."""
    pairs = target.astype(np.int64).ravel() * count + predicted.ravel()
    return np.bincount(pairs, minlength=count * count).reshape(count, count)


def overlaps(confusion: NDArray[np.int64]) -> dict[str, float]:
    """Intersection over union of the classes that the truth holds, of the merged ones (`=name`), and their mean."""

    def iou(members: tuple[str, ...]) -> float:
        rows = [INDEX[m] for m in members]
        hit = confusion[np.ix_(rows, rows)].sum()
        return float(hit / max(confusion[rows].sum() + confusion[:, rows].sum() - hit, 1))

    present = {name: (name,) for name in CLASSES if confusion[INDEX[name]].sum() > 0.0002 * confusion.sum()}
    merged = {f"={name}": iou(members) for name, members in MERGED.items() if set(members) & set(present)}
    scores = {name: iou(members) for name, members in present.items()}
    return {**scores, **merged, "miou": float(np.mean(list(merged.values())))}


@torch.no_grad()
def validate(model: nn.Module, people: list[LabelledPerson]) -> str:
    """The overlaps on whole photos and on their upper halves, at the network's own resolution, as one line."""
    lines = []
    for view, make in (("whole", plain), ("upper", upper_body)):
        confusion = np.zeros((len(CLASSES),) * 2, np.int64)
        for person in people:
            example = make(person.image, person.classes, person.pose, person.silhouette)
            image, hints = (torch.from_numpy(array)[None] for array in example[:2])
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(image.contiguous(memory_format=torch.channels_last), hints)
            confusion += intersections(logits[0].argmax(0).numpy(), example.target, len(CLASSES))
        scores = overlaps(confusion)
        lines.append(f"{view}: " + " ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    return "\n  ".join(["", *lines])


def export(model: nn.Module, path: Path) -> None:
    """Write the network as ONNX: `image` (1, 3, 320, 224), `hints` (1, 19, 160, 112) → `logits` (1, 17, 160, 112).

    Batch norms are folded into the convolutions, and the weights are kept in half precision; the arithmetic stays in
    single precision.
    """
    model = copy.deepcopy(model).eval()
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    example = torch.rand(1, 3, HEIGHT, WIDTH), torch.rand(1, HINTS, HEIGHT // 2, WIDTH // 2)
    names: dict[str, Any] = {"input_names": ["image", "hints"], "output_names": ["logits"], "opset_version": 17}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter's own age, and about shapes that are constant here
        torch.onnx.export(model, example, str(path), dynamo=False, **names)
    _halve_weights(path)


def _halve_weights(path: Path) -> None:
    """Store every large tensor of an ONNX file as float16, with a cast that ONNX Runtime folds away when it loads."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(str(path))
    for tensor in [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT]:
        values = numpy_helper.to_array(tensor)
        if values.size < 64:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        model.graph.node.insert(0, helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/parser"), show_default=True)
@click.option("--poses", type=click.Path(path_type=Path), help="Folder of kept poses.  [default: OUT/poses]")
@click.option("--minutes", type=float, default=90.0, show_default=True)
@click.option("--batch", type=int, default=16, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--resume", is_flag=True, help="Go on from OUT/checkpoint.pt.")
def main(
    data: Path, out: Path, poses: Path | None, minutes: float, batch: int, seed: int, threads: int, resume: bool
) -> None:
    torch.set_num_threads(threads)
    training, validation = split(load_people(data, poses or out / "poses"))
    model = build()
    state = State.fresh(model, optimizer_of(model))
    if resume:
        state.load(out / "checkpoint.pt")
    stream = batches(training, batch, seed + state.steps)
    train(state, stream, loss_of, Plan(out, minutes), lambda m: validate(m, validation))
    export(state.averaged, out / "parser.onnx")


if __name__ == "__main__":
    main()
