"""Where the service keeps pixels, what it keeps in memory, and what it does not keep."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import standing
from test_service import ME, Open, files, fit, folder, furnished, mine, open_  # noqa: F401

from vestiary import samples
from vestiary.errors import InputError, NotFoundError, OutputError, UnsuitableError
from vestiary.serve.memory import Memory, weigh
from vestiary.serve.store import Store
from vestiary.types import Person


def check_blobs(store: Store, other: Store, now: float) -> None:
    """Blobs are put, got, listed and deleted; `other` sees the same place, where what is older than `now` is all."""
    assert store.ping()
    store.write("fittings/f_1/x.npz", b"one")
    store.write("fittings/f_1/x.npz", b"two")
    store.write("fittings/f_2/x.npz", b"three")
    assert other.read("fittings/f_1/x.npz") == b"two"
    assert sorted(other.older_than(now)) == ["fittings/f_1/x.npz", "fittings/f_2/x.npz"]
    assert other.older_than(600) == []
    store.delete("fittings/f_1")
    store.delete("fittings/f_1")
    with pytest.raises(NotFoundError):
        other.read("fittings/f_1/x.npz")
    assert other.older_than(now) == ["fittings/f_2/x.npz"]


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_blobs_are_kept_listed_and_deleted(kind: str, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "a b") if kind == "folder" else f"memory://{tmp_path.name}")
    check_blobs(store, store, -1)


def test_a_folder_of_the_service_is_private(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "pictures"))
    store.write("people/p_1.npz", b"1")
    modes = [path.stat().st_mode & 0o077 for path in (tmp_path / "pictures").rglob("*")]
    assert modes == [0, 0]
    with pytest.raises(InputError):
        Store("nothing://known")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in ("file", "file/pictures"):
        with pytest.raises(OutputError, match=r"folder .*file.* cannot be made: (file exists|not a directory)"):
            Store(str(tmp_path / place))


def test_memory_keeps_the_last_used_within_its_bytes() -> None:
    memory = Memory(10_000)
    for name in "abc":
        memory.get(("person", name), lambda: np.zeros(4_000, np.uint8))
    assert memory.size <= 10_000
    assert (("person", "a") in memory, ("person", "c") in memory) == (False, True)
    assert memory.get(("person", "huge"), lambda: np.zeros(99_999, np.uint8)).size == 99_999
    assert memory.size <= 10_000
    memory.forget("c")
    assert memory.subjects() == {"b"}


def test_weight_counts_buffers_not_views() -> None:
    person = standing(np.zeros((300, 200, 3), np.uint8))
    assert weigh(person) >= 300 * 200 * 5
    array = np.zeros(100_000, np.uint8)
    assert weigh({"a": array, "b": array, "c": array[:10]}) < 101_000
    assert weigh(array[:10]) >= 100_000, "a small view keeps the whole buffer"


def test_one_makes_and_the_others_wait() -> None:
    memory, made = Memory(1000), []

    def make() -> object:
        made.append(1)
        time.sleep(0.05)
        return object()

    got: list[object] = []
    threads = [threading.Thread(target=lambda: got.append(memory.get(("a", "1"), make))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(set(map(id, got))) == 1


def test_what_is_forgotten_while_it_is_made_is_not_kept() -> None:
    memory = Memory(1000)

    def make() -> str:
        memory.forget("1")
        return "a"

    assert memory.get(("x", "1"), make) == "a"
    assert memory.subjects() == set()


def test_a_failure_is_not_kept() -> None:
    memory = Memory(1000)
    with pytest.raises(ZeroDivisionError):
        memory.get(("x", "1"), lambda: 1 // 0)
    assert memory.get(("x", "1"), lambda: 7) == 7


def test_a_photo_is_kept_without_what_its_file_says(open_: Open, folder: Path) -> None:  # noqa: F811
    from PIL import Image

    marked = folder / "marked.jpg"
    exif = Image.Exif()
    exif[0x010E] = "Mira at home, 48.2N 16.3E"
    Image.open(samples.people()["mira"]).save(marked, exif=exif)
    service = open_(start=False)
    service.add_person(ME, marked.read_bytes())
    for path in files(folder, "people"):
        assert b"at home" not in path.read_bytes()


def test_faces_are_hidden_in_all_that_is_kept(
    open_: Open,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def blurred(person: Person) -> Any:
        return cv2.blur(person.image, (31, 31))

    monkeypatch.setattr("vestiary.serve.checks.hidden", blurred)
    monkeypatch.setattr(
        "vestiary.api.scan_person", lambda photo, **_: standing(cv2.imdecode(np.frombuffer(photo, np.uint8), 1))
    )
    monkeypatch.setattr("vestiary.serve.checks.without_faces", lambda image: 255 - image)
    service = open_(anonymize=True)
    garment = samples.garments()["tee_white"].read_bytes()
    worn = service.garment_picture(ME, service.add_garment(ME, garment, category="shorts").id)
    plain = service.garment_picture(ME, mine(service)[1])
    assert (worn[..., :3] == 255 - plain[..., :3]).mean() > 0.9, "the cut-out differs a little by category"
    photo = samples.people()["mira"].read_bytes()
    record = service.add_person(ME, photo)
    clear = standing(cv2.imdecode(np.frombuffer(photo, np.uint8), 1))
    hidden = blurred(clear)
    service.memory.forget(record.id)
    assert np.array_equal(service.person_picture(ME, record.id), hidden)
    _, top, _ = mine(service)
    done = service.wait(ME, service.add_fitting(ME, record.id, [top], engine="paste").id, 120)
    outside = service.fitting_mask(ME, done.id) == 0
    assert np.array_equal(service.fitting_picture(ME, done.id)[outside], hidden[outside])


def test_nude_pictures_are_neither_taken_nor_given(
    open_: Open,  # noqa: F811
    folder: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: Any) -> None:
        raise UnsuitableError("this picture shows too much.")

    monkeypatch.setattr("vestiary.trust.nudity.require_decent", refuse)
    service = open_(nudity="on")
    before = len(files(folder, ""))
    with pytest.raises(UnsuitableError):
        service.add_garment(ME, samples.garments()["tee_white"].read_bytes())
    failed = service.wait(ME, fit(service).id, 120)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error.code == "unsuitable"
    assert len(files(folder, "")) == before


def test_scans_of_the_shipped_values_survive_the_storage(open_: Open) -> None:  # noqa: F811
    service = open_(start=False)
    person, top, _ = mine(service)
    scan = service.scanned(ME, person)
    assert scan.image.shape == (1024, 768, 3)
    assert replace(scan).pose.dtype == np.float32
    assert service.read(ME, top).category == "top"
