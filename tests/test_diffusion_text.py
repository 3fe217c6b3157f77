"""Prompts: what is read, what is refused and why, and what a garment told in words covers."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.train
torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from vestiary.diffusion.model import TryOnModel, tiny_model  # noqa: E402
from vestiary.diffusion.text import encode_text, garment_of  # noqa: E402
from vestiary.errors import OptionError  # noqa: E402


@pytest.fixture(scope="module")
def model() -> TryOnModel:
    return tiny_model(controls=())


def test_prompts_become_embeddings(model: TryOnModel) -> None:
    both = encode_text(model, ["red dress", "blue dress"])
    assert both is not None
    assert both.shape == (2, 77, 16)
    assert not torch.equal(both[0], both[1])
    assert torch.allclose(both[1:], encode_text(model, ["blue dress"]), atol=1e-6)
    empty = encode_text(model, [""])
    assert empty is not None
    assert not torch.equal(empty, both[:1])


def test_a_prompt_over_the_limit_says_what_would_be_cut(model: TryOnModel) -> None:
    fits = "a" * 75
    assert encode_text(model, [fits]) is not None
    with pytest.raises(OptionError) as told:
        encode_text(model, ["a" * 75 + "bcd"])
    assert "78 tokens" in told.value.message
    assert "at most 75 (77 with" in told.value.message
    assert told.value.hint == "Shorten it. This would be cut off: 'bcd'."


def test_a_model_without_a_text_encoder_says_so() -> None:
    deaf = tiny_model(text=False, controls=())
    assert encode_text(deaf, ["", ""]) is None
    with pytest.raises(OptionError, match=r"tiny-0 reads no text.*text_encoder folder"):
        encode_text(deaf, ["red"])


@pytest.mark.parametrize(
    ("prompt", "category"),
    [
        ("red silk dress, V neck", "dress"),
        ("a blue shirt dress", "dress"),
        ("Denim JACKET over a white shirt", "outerwear"),
        ("slim jeans with a torn knee", "trousers"),
        ("for the summer, a striped t-shirt", "top"),
        ("pleated miniskirt", "skirt"),
        ("linen shorts", "shorts"),
    ],
)
def test_words_say_what_a_garment_covers(prompt: str, category: str) -> None:
    garment = garment_of(prompt)
    assert garment.category == category
    assert not garment.alpha.any(), "there is nothing to see of it"
    assert garment_of(prompt, "outerwear").category == "outerwear"


def test_words_that_name_no_garment_need_a_category() -> None:
    with pytest.raises(OptionError, match=r"'red silk' does not say what the garment covers.*covers.*top, outerwear"):
        garment_of("red silk")
    assert garment_of("red silk", "skirt").category == "skirt"
