"""The part parser's recipe at toy size: the labels' meaning, the variations, a loss that falls, resume, export."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.train
torch.set_num_threads(1)  # several threads wait for each other when the machine is busy

from vestiary.errors import DatasetError, ImageError, InputError, WeightsError  # noqa: E402
from vestiary.networks import parser as network  # noqa: E402
from vestiary.person import framing, parsing  # noqa: E402
from vestiary.training import parser as recipe  # noqa: E402
from vestiary.training.augment_people import plain, upper_body, vary  # noqa: E402
from vestiary.training.loop import Trainer  # noqa: E402
from vestiary.training.people import INDEX, LabelledPerson, labelled_people, split_people, to_classes  # noqa: E402
from vestiary.training.pseudo_people import possible_classes, pseudo_classes, tagged_people  # noqa: E402
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
    shown = np.bincount(classes.ravel(), minlength=len(parsing.CLASSES)) > 0
    silhouette = (classes > 0).astype(np.uint8) * 255
    return LabelledPerson(number, colours[classes] + noise, classes, pose, silhouette, shown)


NAMES = ("null", "skin", "top", "pants", "skirt", "dress")  # of the drawn data's labels


def write_people(folder, numbers, tagged=()):
    """A data folder of drawn people with their poses already known; `tagged` ones have tags instead of labels."""
    for name in ("photos", "labels", "kept/poses", "kept/pseudo"):
        (folder / name).mkdir(parents=True)
    (folder / "labels.txt").write_text("".join(f"{i}\t{name}\n" for i, name in enumerate(NAMES)))
    label = np.zeros(256, np.uint8)
    label[[INDEX["face"], INDEX["top"], INDEX["trousers"]]] = 1, 2, 3
    for number in (*numbers, *tagged):
        person, stem = drawn_person(number), f"{number:04d}"
        cv2.imwrite(str(folder / "photos" / f"{stem}.jpg"), person.image[..., ::-1])
        np.savez(folder / "kept/poses" / f"{stem}.npz", landmarks=person.pose, mask=person.silhouette)
        if number in tagged:
            cv2.imwrite(str(folder / "kept/pseudo" / f"{stem}.png"), person.classes)
        else:
            cv2.imwrite(str(folder / "labels" / f"{stem}.png"), label[person.classes])
    if tagged:
        tags = {f"{number:04d}": ["null", "skin", "top", "pants"] for number in tagged}
        (folder / "tags.json").write_text(json.dumps(tags))
    return folder


def toy(folder, out, **settings):
    """The recipe at toy size on that folder."""
    training = {"steps": 8, "batch": 2, "workers": 0, "threads": 1, "precision": "bf16", "warm_up": 0.0, "log_steps": 1}
    values = {"data": folder, "kept": folder / "kept", "pretrained": False, "decoder_rate": 6e-3}
    values |= {"widths": (8, 8, 12, 16, 16), "frozen": 5}
    config = recipe.ParserConfig(**{**values, **settings, "training": {**training, **settings.get("training", {})}})
    torch.manual_seed(0)
    return recipe.ParserRecipe(config, out), config


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


def test_a_romper_is_a_top_and_trousers_and_a_dress_below_a_sweater_a_skirt():
    names, pose = ["null", "romper", "dress", "sweater"], drawn_person(0).pose
    labels = np.zeros((240, 160), np.uint8)
    labels[65:210] = names.index("romper")
    worn = to_classes(labels, names, pose)
    assert [worn[y, 80] for y in (80, 150, 200)] == [INDEX["top"], INDEX["trousers"], INDEX["trousers"]]
    labels[65:130], labels[130:210] = names.index("sweater"), names.index("dress")
    assert to_classes(labels, names, pose)[170, 80] == INDEX["skirt"]
    assert to_classes(labels, names, pose, literal=True)[170, 80] == INDEX["dress"]
    labels[65:210] = names.index("dress")
    assert to_classes(labels, names, pose)[170, 80] == INDEX["dress"]


def test_tags_rule_classes_out():
    def may(*tags):
        possible = possible_classes(["null", "skin", *tags])
        return {name for name, yes in zip(parsing.CLASSES, possible, strict=True) if yes}

    body = {"background", "face", "neck", "arm", "hand", "leg"}
    assert may("dress", "hair") == body | {"dress", "hair"}
    assert may("sweater", "dress") == body | {"top", "dress", "skirt"}
    assert may("suit", "shirt") == body | {"top", "outerwear", "trousers"}
    assert may("romper") == body | {"top", "trousers", "shorts"}


def test_pseudo_labels_keep_to_the_tags_and_leave_doubt_open():
    shares = np.full((len(parsing.CLASSES), 2, 2), 0.01, np.float32)
    shares[INDEX["dress"], 0], shares[INDEX["skirt"], 0] = 0.6, 0.2  # the tags know of no dress
    shares[INDEX["top"], 1], shares[INDEX["skirt"], 1] = 0.4, 0.4
    tags = ["top", "skirt"]
    found = pseudo_classes(shares, possible_classes(tags), drawn_person(0).pose, tags)
    assert (found[0] == INDEX["skirt"]).all()
    assert (found[1] == 255).all()


def test_examples_have_the_networks_shapes_and_ranges():
    person, rng = drawn_person(1), np.random.default_rng(0)
    parts = person.image, person.classes, person.pose, person.silhouette
    for example in (plain(*parts), upper_body(*parts), *(vary(*parts, rng) for _ in range(30))):
        assert example.image.shape == (3, 320, 224)
        assert example.hints.shape == (19, 160, 112)
        assert example.target.shape == (160, 112)
        assert min(example.image.min(), example.hints.min()) >= 0
        assert max(example.image.max(), example.hints.max()) <= 1


def test_a_sample_depends_on_seed_and_number_alone(tmp_path):
    made, _ = toy(write_people(tmp_path, range(1, 5), tagged=(6, 7)), tmp_path / "run")
    first, second = made.samples("train"), made.samples("train")
    second[0]
    for key, value in first[3].items():
        np.testing.assert_array_equal(value, second[3][key])
    assert (first[3]["image"] != first[4]["image"]).any()


def test_other_layouts_teach_the_parser_too(tmp_path, monkeypatch):
    people = labelled_people(write_people(tmp_path / "data", range(1, 7)), tmp_path / "data" / "kept")
    asked = []
    monkeypatch.setattr(recipe, "people_in", lambda folder, kept: asked.append(folder) or people)
    made, _ = toy(tmp_path / "data", tmp_path / "run")
    assert made.samples("train")[0]["image"].shape == (3, 320, 224)
    assert asked == [tmp_path / "data"]
    assert made.tagged == 0, "there are no photos with tags alone"


def test_photos_are_held_back_by_number(tmp_path):
    write_people(tmp_path, (1, 5, 10, 20, 25), tagged=(30,))
    people = [*labelled_people(tmp_path, tmp_path / "kept"), *tagged_people(tmp_path, tmp_path / "kept")]
    assert [[p.name for p in part] for part in split_people(people)] == [[1, 30], [5, 25], [10, 20]]


def test_what_is_worn_is_known_where_labels_are_exact():
    person = drawn_person(0)
    target = np.zeros((160, 112), np.int64)
    target[:20, :20], target[30, :5] = INDEX["top"], INDEX["trousers"]
    seen = dict(zip(network.WORN, recipe.presence(target, person), strict=True))
    assert (seen["top"], seen["trousers"], seen["dress"]) == (1, -1, 0)


def test_unknown_pixels_teach_nothing():
    torch.manual_seed(0)
    logits, target = torch.randn(1, 17, 40, 30), torch.randint(0, 17, (1, 40, 30))
    target[:, 20:] = 255
    changed = logits.clone()
    changed[:, :, 20:] += 1 + torch.randn(1, 17, 20, 30)
    first, second = recipe.segmentation_loss(logits, target), recipe.segmentation_loss(changed, target)
    assert torch.allclose(torch.stack(first), torch.stack(second), atol=1e-6)
    assert all(torch.isfinite(value) for value in recipe.segmentation_loss(logits, target * 0 + 255))


def test_bad_data_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"no labels.txt and no photos"):
        labelled_people(tmp_path, tmp_path / "kept")
    folder = write_people(tmp_path / "data", (1, 2))
    people = labelled_people(folder, folder / "kept")
    (folder / "photos" / "0002.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"0002\.jpg"):
        people[1].open()
    (tmp_path / "run.pt").write_bytes(b"no checkpoint")
    with pytest.raises(WeightsError, match=r"run\.pt"):
        toy(folder, tmp_path / "run", start=tmp_path / "run.pt")


def test_the_loss_falls_and_the_tagged_photos_are_labelled_anew(tmp_path):
    folder = write_people(tmp_path, (1, 2, 3, 5), tagged=(6,))
    pseudo = folder / "kept/pseudo/0006.png"
    before = pseudo.read_bytes()
    made, config = toy(folder, tmp_path / "run", relabel=(0.9,), training={"steps": 12})
    losses = []

    def watch(event, fields):
        if event == "step":
            losses.append(sum(fields["losses"].values()))

    trainer = Trainer(made, config, tmp_path / "run", on_event=watch)
    result = trainer.fit()
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    assert result.figures["score"] == pytest.approx((result.figures["whole/miou"] + result.figures["upper/miou"]) / 2)
    assert pseudo.read_bytes() != before
    assert made.state() == {"relabelled": 1}
    again, _ = toy(folder, tmp_path / "other", start=result.checkpoint)
    old, new = (net.state_dict().values() for net in (trainer.averaged["parser"], again.networks["parser"]))
    assert all(torch.equal(one, other) for one, other in zip(old, new, strict=True))


def test_twins_of_held_back_photos_are_not_trained_on(tmp_path):
    folder = write_people(tmp_path, (1, 2, 3), tagged=(6,))
    made, _ = toy(folder, tmp_path / "run", without=(2, 6))
    assert [person.name for person in made.samples("train").people] == [1, 3]


def test_the_export_forgets_how_often_rare_garments_were_shown(tmp_path):
    folder = write_people(tmp_path, (1, 2, 3))
    path = folder / "kept/classes/0003.png"
    people = labelled_people(folder, folder / "kept")
    classes = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    classes[classes == INDEX["trousers"]] = INDEX["skirt"]
    cv2.imwrite(str(path), classes)
    shift = recipe.natural_shift(people, 0.7)
    assert shift["skirt"] < -np.log(1.5) < shift["trousers"]
    made, _ = toy(folder, tmp_path / "run")
    bias = (made.exported(made.networks).module.head.bias - made.networks["parser"].head.bias).detach()
    assert float(bias[INDEX["skirt"]]) == pytest.approx(shift["skirt"], abs=1e-5)
    assert float(bias[INDEX["hair"]]) == 0


def test_the_exported_network_answers_as_the_trained_one(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    made, _ = toy(tmp_path, tmp_path / "run")
    model = made.networks["parser"].eval()
    made.export(made.networks, tmp_path / "parser.onnx")
    image, hints = torch.rand(1, 3, 320, 224), torch.rand(1, 19, 160, 112)
    session = onnxruntime.InferenceSession(str(tmp_path / "parser.onnx"), providers=["CPUExecutionProvider"])
    answers = session.run(["logits", "worn"], {"image": image.numpy(), "hints": hints.numpy()})
    with torch.no_grad():
        expected = model(image, hints)
    for answer, wanted in zip(answers, expected, strict=True):
        assert np.abs(answer - wanted.numpy()).max() < 0.01 * max(1, np.abs(wanted.numpy()).max())


def test_too_few_photos_to_choose_by_are_named(tmp_path):
    write_people(tmp_path / "data", [1, 2])
    trained, _ = toy(tmp_path / "data", tmp_path / "run")
    with pytest.raises(InputError, match="too few photos"):
        trained.validate(trained.networks)
