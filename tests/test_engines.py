"""The engine contract, and the engine `paste`."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import lying, standing

import vestiary
from vestiary.api import check_options
from vestiary.errors import Cancelled, GarmentError, MissingExtraError, OptionError, UnknownEngineError
from vestiary.registry import Engine, EngineSpec, list_engines, load_engine
from vestiary.types import Joint, Person


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (320, 240, 3), np.uint8)


@pytest.fixture
def person(photo: np.ndarray) -> Person:
    return standing(photo)


@pytest.mark.parametrize("name", [name for name, spec in list_engines().items() if not spec.missing])
def test_every_engine_keeps_the_contract(name: str) -> None:
    engine = load_engine(name)
    assert isinstance(engine, Engine)
    assert engine.Options.model_config.get("extra") == "forbid"
    assert all(field.description for field in engine.Options.model_fields.values())


def test_unknown_and_missing_engines_say_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownEngineError, match=r"Choose one of: .*diffusion, embedded, .*paste"):
        load_engine("magic")
    spec = EngineSpec("far", "far:Engine", "not here", needs=("no_such_module",), install='pip install "vestiary[far]"')
    monkeypatch.setattr("vestiary.registry.list_engines", lambda: {"far": spec})
    with pytest.raises(MissingExtraError, match=r'pip install "vestiary\[far\]"'):
        load_engine("far")


def test_options_are_checked_in_words() -> None:
    model = load_engine("paste").Options
    assert check_options(model, None).model_dump() == {"size": 1.0}
    with pytest.raises(OptionError, match=r"'size': input should be less than or equal to 2.*options are: size"):
        check_options(model, {"size": 3})
    with pytest.raises(OptionError, match="'wings'"):
        check_options(model, {"wings": 1})


def test_paste_changes_only_the_mask_and_repeats_itself(person: Person, photo: np.ndarray) -> None:
    garment = lying(np.full((200, 160, 3), (200, 30, 30), np.uint8))
    first, second = (vestiary.try_on(person, garment, engine="paste") for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.image[first.mask == 0], photo[first.mask == 0])
    assert 0.05 < (first.mask > 0).mean() < 0.9
    inside = first.layers["garment-1"][..., 3] == 255
    assert (first.image[inside] == (200, 30, 30)).all()


def test_paste_hangs_the_garment_on_the_shoulders(person: Person) -> None:
    garment = lying(np.full((200, 160, 3), 90, np.uint8))
    columns = np.flatnonzero(vestiary.try_on(person, garment, engine="paste").mask.any(axis=0))
    centre = person.pose[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], 0].mean()
    assert abs(columns.mean() - centre) < 3
    wide = vestiary.try_on(person, garment, engine="paste", options={"size": 1.3}).mask.any(axis=0).sum()
    assert 1.2 < wide / len(columns) < 1.4


def test_paste_refuses_what_the_photo_does_not_show(person: Person) -> None:
    portrait = standing(person.image)
    pose = portrait.pose.copy()
    pose[[Joint.LEFT_HIP, Joint.RIGHT_HIP], 1] = 700
    cropped = Person(
        portrait.image, pose, portrait.world, portrait.keypoints, portrait.silhouette, portrait.parts, "front"
    )
    with pytest.raises(GarmentError, match="does not show the hips"):
        vestiary.try_on(cropped, lying(person.image, "trousers"), engine="paste")


def test_steps_are_told_and_false_stops(person: Person) -> None:
    steps: list[tuple[int, int, str]] = []
    garments = [lying(person.image), lying(person.image, "skirt")]
    vestiary.try_on(person, garments, engine="paste", on_step=lambda n, of, name, _: steps.append((n, of, name)))
    assert steps == [(1, 2, "top"), (2, 2, "skirt")]
    with pytest.raises(Cancelled):
        vestiary.try_on(person, garments, engine="paste", on_step=lambda *_: False)


def test_provenance_names_engine_options_and_inputs(person: Person) -> None:
    fitting = vestiary.try_on(person, lying(person.image, source="abc"), engine="paste", options={"size": 1.1})
    assert fitting.provenance["engine"] == "paste"
    assert fitting.provenance["vestiary"] == vestiary.__version__
    assert fitting.provenance["options"] == {"size": 1.1}
    assert fitting.provenance["garments"] == [{"sha256": "abc", "category": "top"}]
