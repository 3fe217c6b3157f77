"""Another background and another light: what may change, what must not, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import figures
import numpy as np
import pytest

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # diffusers' schedulers
]
pytest.importorskip("torch")
pytest.importorskip("diffusers")

from dressing_rooms import changed, fit, saved  # noqa: E402

from vestiary.diffusion import scene  # noqa: E402
from vestiary.diffusion.options import DiffusionOptions  # noqa: E402
from vestiary.errors import OptionError, PersonError  # noqa: E402
from vestiary.types import Part, Person  # noqa: E402


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "masked": saved(folder / "masked"),
        "free": saved(folder / "free", seed=1, mask_free=True),
        "deaf": saved(folder / "deaf", text=False),
    }


@pytest.fixture
def person() -> Person:
    return figures.person(scale=1.2)


def as_painted(image: np.ndarray) -> np.ndarray:
    return (image.transpose(2, 0, 1) / np.float32(127.5) - 1).astype(np.float32)


@pytest.mark.parametrize("kind", ["masked", "free"])
def test_another_background_leaves_the_person(models: dict[str, str], person: Person, kind: str) -> None:
    fitting = fit(models[kind], person=person, scene="a beach in the evening")
    new = changed(fitting, person)
    assert not new[fitting.mask == 0].any()
    assert not new[person.is_part(Part.FACE)].any()
    sure = figures_core(person)
    assert not new[sure].any()
    assert new[person.silhouette == 0].mean() > 0.95, "all of the ground is new"
    assert fitting.provenance["passes"] == ["scene"]


def figures_core(person: Person) -> np.ndarray:
    """Well inside the person."""
    import cv2

    return cv2.erode(person.silhouette, np.ones((9, 9), np.uint8)) > 250


def test_the_persons_edge_takes_on_the_new_ground(person: Person) -> None:
    red = np.zeros((3, *person.silhouette.shape), np.float32)
    red[0], red[1:] = 1, -1
    made = scene.before(person, red)
    assert (made[5, 5] == (255, 0, 0)).all()
    outside = scene.ground_mask(person) == 0
    assert np.array_equal(made[outside], person.image[outside])
    matte = scene.matte_of(person, 1.0)
    soft = (matte > 0.3) & (matte < 0.7) & ~person.is_part(Part.FACE)
    assert soft.any()
    between = made[soft].astype(float)
    assert 90 < between[:, 0].mean() < 250
    assert between[:, 1].mean() < person.image[soft][:, 1].mean()


def test_light_has_usual_levels_and_tints() -> None:
    grey = np.full((40, 30, 3), 128, np.uint8)
    lit = {name: scene.graded(grey, name).astype(int).mean(axis=(0, 1)) for name in scene.USUAL}
    assert lit["night"].mean() < lit["indoor"].mean() < lit["outdoor"].mean() < lit["day"].mean()
    assert lit["night"][2] > lit["night"][0] + 10
    assert lit["indoor"][0] > lit["indoor"][2] + 10
    dark, bright = np.full((40, 30, 3), 40, np.uint8), np.full((40, 30, 3), 220, np.uint8)
    apart = [float(scene.graded(one, "day").mean()) for one in (dark, bright)]
    assert apart[1] - apart[0] < 60, "both come near the same level"


def test_of_what_is_painted_only_the_light_is_taken(person: Person) -> None:
    """Half as much linear light everywhere, with noise on it that stands for what a network redraws."""
    half = scene._encoded(scene._linear(person.image) * np.float32(0.5)).astype(int)
    noisy = np.clip(half + np.random.default_rng(0).integers(-12, 13, half.shape), 0, 255).astype(np.uint8)
    made = scene.relit(person, as_painted(noisy), ground=True, face=True)
    assert np.abs(made.astype(int) - half).mean() < 3
    assert np.abs(made.astype(int) - half).mean() < 0.5 * np.abs(noisy.astype(int) - half).mean()


def test_light_falls_where_it_may(person: Person) -> None:
    dark = as_painted(scene._encoded(scene._linear(person.image) * np.float32(0.3)))
    face = person.is_part(Part.FACE)
    for ground in (False, True):
        for lit_face in (False, True):
            made = scene.relit(person, dark, ground=ground, face=lit_face)
            mask = scene.lit_mask(person, ground=ground, face=lit_face)
            new = (made != person.image).any(axis=2)
            assert not new[mask == 0].any()
            assert new[face].mean() == (1 if lit_face else 0)
            assert new[20:60, 20:60].mean() == (1 if ground else 0)
            assert new[figures_core(person) & person.is_part(Part.TROUSERS)].mean() > 0.99
    made = scene.relit(person, dark, ground=True, face=False).astype(int)
    rim = (person.image.astype(int) - made).sum(axis=2)
    neck = person.is_part(Part.NECK)
    assert rim[neck][:200].mean() < rim[neck][-200:].mean(), "it ends softly beside the face"


def test_another_light_by_a_model(models: dict[str, str], person: Person) -> None:
    night = fit(models["masked"], person=person, light="night", steps=2)
    new = changed(night, person)
    assert not new[night.mask == 0].any()
    assert not new[person.is_part(Part.FACE)].any()
    assert night.provenance["passes"] == ["light"]
    faces = fit(models["masked"], person=person, light="night", steps=2, light_face=True)
    assert changed(faces, person)[person.is_part(Part.FACE)].mean() > 0.9
    assert (faces.mask == 255).all()


def test_scene_and_light_together_light_only_the_person_again(models: dict[str, str], person: Person) -> None:
    both = fit(models["masked"], person=person, scene="a street", light="night", steps=2)
    ground = fit(models["masked"], person=person, scene=scene.prompt_of("a street", "night"), steps=2)
    assert both.provenance["passes"] == ["scene", "light"]
    far = person.silhouette == 0
    far[:, 100:280] = False
    assert np.array_equal(both.image[far], ground.image[far])
    assert not np.array_equal(both.image, ground.image)


def test_new_clothes_are_looked_at_before_the_ground_changes(
    models: dict[str, str], person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    wider = person.silhouette.copy()
    wider[300:340, 20:60] = 255
    monkeypatch.setattr("vestiary.person.scan.scan", lambda image: replace(person, image=image, silhouette=wider))
    told: list[tuple] = []
    made = fit(models["masked"], "tee_white.jpg", person=person, scene="a beach", on_step=lambda *s: told.append(s[:2]))
    assert made.provenance["passes"] == ["wear", "scene"]
    assert not changed(made, person)[305:335, 25:55].any(), "a wide sleeve is no ground"
    assert told == [(1, 2), (2, 2)]

    def nobody(image: np.ndarray) -> Person:
        raise PersonError("nobody is there.")

    monkeypatch.setattr("vestiary.person.scan.scan", nobody)
    made = fit(models["masked"], "tee_white.jpg", person=person, scene="a beach")
    assert changed(made, person)[305:335, 25:55].all()


def test_models_that_read_no_text_cannot(models: dict[str, str], person: Person) -> None:
    told: list[tuple] = []
    for asked in ({"scene": "a beach"}, {"light": "night"}):
        with pytest.raises(OptionError, match="tiny-0 reads no text"):
            fit(models["deaf"], "tee_white.jpg", person=person, on_step=lambda *step: told.append(step), **asked)
    assert told == [], "it is said before anything is painted"
    with pytest.raises(ValueError, match="light"):
        DiffusionOptions(light="disco")
