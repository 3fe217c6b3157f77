"""What goes wrong in a run is said in words, and nothing is lost that was saved."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("yaml")

from toy_run import equal_runs, events, trainer  # noqa: E402

from vestiary import errors  # noqa: E402
from vestiary.errors import InputError, OutputError, TrainingError, WeightsError  # noqa: E402
from vestiary.training import checkpoint  # noqa: E402
from vestiary.training.loader import Places, batches  # noqa: E402

pytestmark = pytest.mark.train


def test_unreadable_samples_are_replaced_named_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plan = {"steps": 20, "unreadable": 0.1}
    result = trainer(tmp_path, plan, broken=20).fit()
    assert result.skipped == 4
    assert [event["count"] for event in events(tmp_path, "skipped")] == [1, 2, 3, 4]
    assert "photos/19.jpg" in events(tmp_path, "skipped")[0]["reason"]
    assert "photos/19.jpg" in caplog.text


def test_too_many_unreadable_samples_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"4 of \d+ samples could not be read.*photos/\d+.jpg") as caught:
        trainer(tmp_path, {"steps": 20}, broken=5).fit()
    assert "training.unreadable" in caught.value.hint


@pytest.mark.parametrize("workers", [0, 1])
def test_data_that_cannot_be_read_at_all_is_an_error_in_words(tmp_path: Path, workers: int) -> None:
    class Nothing:
        def __getitem__(self, index: int) -> Any:
            raise errors.ImageError("photos/1.jpg is no picture.")

    class Wrong:
        def __getitem__(self, index: int) -> Any:
            raise InputError("labels/1.png has another size than its photo.")

    for samples, words in (
        (Nothing(), "in a row cannot be read; the last one: photos/1.jpg"),
        (Wrong(), "^labels/1.png"),
    ):
        with pytest.raises(InputError, match=words):
            next(batches(samples, Places(0, 2), workers=workers))


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"diverged at step 7: generator/l1 = nan"):
        trainer(tmp_path, {"steps": 20, "checkpoint_steps": 3}, diverge_at=7).fit()
    assert checkpoint.newest(tmp_path)[1]["position"]["steps"] == 6


def test_a_gradient_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    run = trainer(tmp_path, {"steps": 5})
    run.recipe.losses = lambda *_: {  # type: ignore[method-assign]
        "root": (0 * next(run.recipe.networks["generator"].parameters()).sum()).sqrt()
    }
    with pytest.raises(TrainingError, match="generator/gradient = nan"):
        run.fit()


def test_checkpoints_of_something_else_are_refused(tmp_path: Path) -> None:
    trainer(tmp_path, {"steps": 1}).fit()
    with pytest.raises(WeightsError, match=r"another architecture: other shapes: generator.0.weight \(4, 3, 3, 3\)"):
        trainer(tmp_path, {"steps": 2}, resume=True, width=5)
    with pytest.raises(WeightsError, match=r"it lacks discriminator.0.weight, .*discriminator.2.bias"):
        trainer(tmp_path, {"steps": 2}, resume=True, adversarial=True)
    with pytest.raises(WeightsError, match=r"of the recipe 'toyrecipe', not of 'other'"):
        checkpoint.check_recipe(checkpoint.read(checkpoint.saved(tmp_path)[0]), "other", tmp_path)
    (tmp_path / "notes.pt").write_text("nothing")
    with pytest.raises(WeightsError, match="damaged or no checkpoint"):
        checkpoint.read(tmp_path / "notes.pt")
    with pytest.raises(WeightsError, match="no checkpoint to go on from"):
        trainer(tmp_path / "empty", {"steps": 2}, resume=True)


def test_a_run_does_not_write_over_another(tmp_path: Path) -> None:
    trainer(tmp_path, {"steps": 1}).fit()
    with pytest.raises(OutputError, match="holds a run already"):
        trainer(tmp_path, {"steps": 1})


def test_a_damaged_last_checkpoint_falls_back_on_the_one_before(tmp_path: Path) -> None:
    trainer(tmp_path, {"steps": 4, "checkpoint_steps": 2}).fit()
    last = checkpoint.saved(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:500])
    trainer(tmp_path, {"steps": 4}, resume=True).fit()
    (resumed,) = events(tmp_path, "resumed")
    assert resumed["step"] == 2
    assert "step-00000004.pt is damaged" in resumed["problems"][0]


def test_a_resumed_run_says_what_was_changed(tmp_path: Path) -> None:
    trainer(tmp_path, {"steps": 1}).fit()
    trainer(tmp_path, {"steps": 2}, resume=True, rate=0.02).fit()
    assert events(tmp_path, "changed")[0]["keys"] == ["rate", "training.steps"]


def test_a_full_disk_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    path = trainer(tmp_path, {"steps": 1}).fit().checkpoint
    before, content = path.read_bytes(), {"averaged": {}, "weights": torch.zeros(100_000)}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # the system refuses to write beyond that
    try:
        with pytest.raises(OutputError, match=f"{path} cannot be written: file too large") as caught:
            checkpoint.save(content, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "step-00000001.pt" in caught.value.hint
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_a_disk_that_fills_up_ends_the_run_with_the_earlier_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = torch.save

    def full(content: dict[str, Any], file: Any) -> None:
        if content["position"]["steps"] >= 4:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(content, file)

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(OutputError, match=r"step-00000004.pt cannot be written: no space left on device"):
        trainer(tmp_path, {"steps": 9, "checkpoint_steps": 2}).fit()
    monkeypatch.undo()
    assert checkpoint.newest(tmp_path)[1]["position"]["steps"] == 2
    assert not list(tmp_path.glob(".*"))
    equal_runs(trainer(tmp_path, {"steps": 9}, resume=True).fit(), trainer(tmp_path / "straight", {"steps": 9}).fit())
