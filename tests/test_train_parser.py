"""The part parser's recipe at toy size: the labels' meaning, the variations, a loss that falls, resume, export."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.train
torch.set_num_threads(1)  # several threads wait for each other when the machine is busy

from vestiary.networks import parser as network  # noqa: E402
from vestiary.person import framing, parsing  # noqa: E402
from vestiary.training import parser as recipe  # noqa: E402
from vestiary.training.augment_people import plain, upper_body, vary  # noqa: E402
from vestiary.training.loop import Plan, State, one_cycle, train  # noqa: E402
from vestiary.training.people import INDEX, LabelledPerson, endless, to_classes  # noqa: E402
from vestiary.types import Joint  # noqa: E402


def drawn_person(number: int) -> LabelledPerson:
    """Rectangles in colours that tell the classes apart: face, top, trousers before a grey ground."""
    rng = np.random.default_rng(number)
    classes = np.zeros((240, 160), np.uint8)
    left = int(rng.integers(40, 70))
    for name, (y0, y1), inset in (("face", (20, 60), 12), ("top", (60, 130), 0), ("trousers", (130, 220), 4)):
        classes[y0:y1, left + inset : left + 50 - inset] = INDEX[name]
    colours = np.full((len(parsing.CLASSES), 3), 120, np.uint8)
    colours[INDEX["face"]], colours[INDEX["top"]], colours[INDEX["trousers"]] = (
        (220, 180, 150),
        (200, 30, 40),
        (20, 40, 90),
    )
    noise = rng.integers(0, 20, (240, 160, 3), np.uint8)
    pose = np.ones((33, 4), np.float32)
    pose[:, :2] = left + 25, 40
    for joint, y in ((Joint.LEFT_SHOULDER, 65), (Joint.LEFT_HIP, 130), (Joint.LEFT_KNEE, 175), (Joint.LEFT_ANKLE, 215)):
        pose[joint, :2], pose[joint + 1, :2] = (left + 44, y), (left + 6, y)
    return LabelledPerson(number, colours[classes] + noise, classes, pose, (classes > 0).astype(np.uint8) * 255)


def small_network() -> network.PartParser:
    torch.manual_seed(0)
    return network.PartParser(widths=(8, 8, 12, 16, 16), frozen=3)


def test_the_network_and_the_parser_agree():
    assert network.CLASSES == parsing.CLASSES
    assert (network.HEIGHT, network.WIDTH) == (framing.HEIGHT, framing.WIDTH)


def test_labels_mean_what_is_worn():
    names = ["null", "pants", "skirt", "leggings", "vest", "shirt", "suit"]
    pose = drawn_person(0).pose
    labels = np.zeros((240, 160), np.uint8)
    labels[60:100], labels[100:140], labels[140:200] = (
        names.index("vest"),
        names.index("skirt"),
        names.index("leggings"),
    )
    worn = to_classes(labels, names, pose)
    assert [worn[y, 80] for y in (70, 120, 170)] == [INDEX["top"], INDEX["skirt"], INDEX["leg"]]
    labels[30:60], labels[100:140] = names.index("shirt"), names.index("leggings")
    worn = to_classes(labels, names, pose)
    assert [worn[y, 80] for y in (40, 70, 170)] == [INDEX["top"], INDEX["outerwear"], INDEX["trousers"]]
    labels[60:] = names.index("suit")
    worn = to_classes(labels, names, pose)
    assert [worn[y, 80] for y in (100, 200)] == [INDEX["outerwear"], INDEX["trousers"]]


def test_examples_have_the_networks_shapes_and_ranges():
    person, rng = drawn_person(1), np.random.default_rng(0)
    parts = person.image, person.classes, person.pose, person.silhouette
    for example in (plain(*parts), upper_body(*parts), *(vary(*parts, rng) for _ in range(30))):
        assert example.image.shape == (3, 320, 224)
        assert example.hints.shape == (19, 160, 112)
        assert example.target.shape == (160, 112)
        assert min(example.image.min(), example.hints.min()) >= 0
        assert max(example.image.max(), example.hints.max()) <= 1


def test_the_same_seed_gives_the_same_examples():
    people = [drawn_person(i) for i in range(3)]
    first, second = (next(endless(people, seed=4)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_learning_rate_rises_and_falls():
    rates = [one_cycle(p, 0.1) for p in (0.0, 0.1, 0.5, 1.0)]
    assert rates[1] == pytest.approx(1)
    assert rates[0] < rates[2] < rates[1]
    assert rates[3] == pytest.approx(0)


def test_the_loss_falls_and_a_run_goes_on_where_it_stopped(tmp_path):
    people = [drawn_person(i) for i in range(4)]
    model = small_network()
    state = State.fresh(model, recipe.optimizer_of(model))
    quarter = (slice(None, None, 2), slice(None, None, 2))  # a quarter of the pixels is enough for a toy
    stream = (
        (image[..., *quarter][..., :96], hints[..., *quarter][..., :48], target[:, *quarter][..., :48])
        for image, hints, target in recipe.batches(people, 2, seed=0, workers=0)
    )
    plan = Plan(tmp_path, minutes=60, warm_up=0.0, max_steps=16, bfloat16=False)
    train(state, stream, recipe.loss_of, plan)
    assert np.mean(state.losses[-3:]) < 0.9 * np.mean(state.losses[:3])

    again = State.fresh(small_network(), recipe.optimizer_of(small_network()))
    again.load(tmp_path / "checkpoint.pt")
    assert again.steps == 16
    for old, new in zip(state.model.state_dict().values(), again.model.state_dict().values(), strict=True):
        assert torch.equal(old, new)


def test_the_exported_network_answers_as_the_trained_one(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    model = small_network().eval()
    recipe.export(model, tmp_path / "parser.onnx")
    image, hints = torch.rand(1, 3, 320, 224), torch.rand(1, 19, 160, 112)
    session = onnxruntime.InferenceSession(str(tmp_path / "parser.onnx"), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"image": image.numpy(), "hints": hints.numpy()})
    with torch.no_grad():
        expected = model(image, hints).numpy()
    assert np.abs(answer - expected).max() < 0.01 * np.abs(expected).max()
