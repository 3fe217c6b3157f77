"""Blind rating: shuffled, blind, stored at once, and summed up rightly; the page's server keeps to this machine."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from vestiary.cli.main import main
from vestiary.errors import InputError, OutputError
from vestiary.evaluation import rating
from vestiary.evaluation.rating_page import RatingServer

NAMES = [f"pair{i:02}" for i in range(12)]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for system, colour in (("paste", (200, 0, 0)), ("secret", (0, 0, 200))):
        (tmp_path / system).mkdir()
        for name in NAMES:
            Image.new("RGB", (80, 100), colour).save(tmp_path / system / f"{name}.png")
    Image.new("RGB", (80, 100)).save(tmp_path / "paste" / "alone.png")
    return tmp_path / "paste", tmp_path / "secret"


@pytest.fixture
def votes(tmp_path: Path) -> rating.Votes:
    return rating.Votes(tmp_path / "votes.db")


def test_questions_are_shuffled_and_blind(folders: tuple[Path, Path], votes: rating.Votes) -> None:
    poll = rating.Poll(folders, "compare", votes, seed=3)
    asked = [poll.question("eva", i) for i in range(len(NAMES))]
    assert sorted(question.picture for question in asked) == NAMES
    assert [question.picture for question in asked] != NAMES
    sides = [question.left.parent.name for question in asked]
    assert {"paste", "secret"} == set(sides)
    assert all(question.left.stem == question.right.stem for question in asked if question.right)
    assert poll.order("eva") == rating.Poll(folders, "compare", votes, seed=3).order("eva")
    assert poll.order("eva") != poll.order("ben")
    assert poll.order("eva") != rating.Poll(folders, "compare", votes, seed=4).order("eva")


def test_preference(folders: tuple[Path, Path], votes: rating.Votes) -> None:
    """Somebody who always prefers the blue system, whatever its side."""
    poll = rating.Poll(folders, "compare", votes)
    for i in range(len(NAMES)):
        left = poll.question("eva", i).left.parent.name
        poll.vote("eva", i, "left" if left == "secret" else "right", seconds=1.5)
    poll.vote("ben", 0, "tie")
    (found,) = rating.summarize(votes)
    assert (found["a_wins"], found["b_wins"], found["ties"]) == (0, 12, 1)
    assert found["b_preferred"]["value"] == 1
    assert found["b_preferred"]["low"] == pytest.approx(0.7575, abs=1e-4)  # Wilson, 12 of 12
    assert found["raters"] == {"ben": 1, "eva": 12}


def test_votes_stay_and_can_be_changed(folders: tuple[Path, Path], votes: rating.Votes) -> None:
    poll = rating.Poll(folders, "compare", votes)
    assert poll.next_index("eva") == 0
    poll.vote("eva", 0, "left")
    poll.vote("eva", 1, "tie")
    again = rating.Poll(folders, "compare", rating.Votes(votes.path))
    assert again.next_index("eva") == 2
    again.vote("eva", 0, "tie")
    (found,) = rating.summarize(votes)
    assert (found["votes"], found["ties"]) == (2, 2)


def test_mean_opinion_score(folders: tuple[Path, Path], votes: rating.Votes) -> None:
    poll = rating.Poll(folders, "score", votes)
    assert len(poll.order("eva")) == 2 * len(NAMES)
    for i in range(2 * len(NAMES)):
        question = poll.question("eva", i)
        assert question.right is None
        good = question.left.parent.name == "secret"
        poll.vote("eva", i, (4 if good else 2) + int(question.picture[-1]) % 2)
    scores = rating.summarize(votes)[0]["mean_opinion_score"]
    assert scores["a"]["value"] == 2.5
    assert scores["b"]["value"] == 4.5
    assert scores["b"]["low"] < 4.5 < scores["b"]["high"]
    assert scores["b"]["votes"] == len(NAMES)


def test_what_cannot_be_asked_or_answered(folders: tuple[Path, Path], votes: rating.Votes, tmp_path: Path) -> None:
    poll = rating.Poll(folders, "compare", votes)
    for answer in ("middle", 3):
        with pytest.raises(InputError, match="no answer"):
            poll.vote("eva", 0, answer)
    with pytest.raises(InputError, match="no question 99"):
        poll.vote("eva", 99, "left")
    with pytest.raises(InputError, match="no score"):
        rating.Poll(folders, "score", votes).vote("eva", 0, 6)
    with pytest.raises(InputError, match="two folders"):
        rating.Poll(folders[:1], "compare", votes)
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        rating.Poll((folders[0], tmp_path / "other"), "compare", votes)
    Image.new("RGB", (80, 100)).save(tmp_path / "other" / "stranger.png")
    with pytest.raises(InputError, match="no picture in common"):
        rating.Poll((folders[0], tmp_path / "other"), "compare", votes)
    (tmp_path / "text.db").write_text("this is no database, but it is long enough to be read as one" * 20)
    with pytest.raises(OutputError, match="votes cannot be kept"):
        rating.Votes(tmp_path / "text.db")


@pytest.fixture
def server(folders: tuple[Path, Path], votes: rating.Votes) -> Iterator[RatingServer]:
    with RatingServer(rating.Poll(folders, "compare", votes)) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server: RatingServer, path: str, body: object = None, **headers: str) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.address + path, data, headers)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return bytes(reply.read())


def test_the_page_asks_and_keeps(server: RatingServer, votes: rating.Votes) -> None:
    page = ask(server, "").decode()
    token = re.search(r'token = "([^"]+)"', page)
    assert token is not None
    assert "secret" not in page
    assert "paste" not in page
    question = json.loads(ask(server, "question?rater=eva"))
    assert question == {"index": 0, "total": 12, "pictures": 2, "references": []}
    pictures = [ask(server, f"picture?rater=eva&index=0&which={side}") for side in ("left", "right")]
    assert pictures[0] != pictures[1]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    vote = {"rater": "eva", "index": 0, "answer": "left", "seconds": 2.0}
    assert json.loads(ask(server, "vote", vote, **{"X-Token": token[1]})) == {"kept": True}
    assert json.loads(ask(server, "question?rater=eva"))["index"] == 1
    assert len(votes.all(server.poll.id)) == 1
    assert json.loads(ask(server, "question?rater=eva&index=12")) == {"done": True, "total": 12}


def test_the_server_refuses_strangers(server: RatingServer, votes: rating.Votes) -> None:
    assert server.server_address[0] == "127.0.0.1"
    for path, body, headers, code in (
        ("vote", {"rater": "x", "index": 0, "answer": "left"}, {"X-Token": "guess"}, 403),
        ("", None, {"Host": "evil.example:80"}, 403),
        ("picture?rater=eva&index=0&which=../../etc/passwd", None, {}, 404),
        ("picture?rater=eva&index=400&which=left", None, {}, 404),
        ("question?index=x", None, {}, 400),
        ("vote", {"index": 0, "answer": "middle"}, {"X-Token": server.token}, 400),
        ("nowhere", None, {}, 404),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(server, path, body, **headers)
        assert refused.value.code == code
        refused.value.close()
    assert votes.all(server.poll.id) == []


def test_summary_on_the_command_line(
    folders: tuple[Path, Path], votes: rating.Votes, capsys: pytest.CaptureFixture[str]
) -> None:
    poll = rating.Poll(folders, "compare", votes)
    for i in range(4):
        poll.vote("eva", i, "left")
    assert main(["rate", "--summary", str(votes.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["polls"][0]
    assert found["a_wins"] + found["b_wins"] == 4
    assert main(["rate", "--summary", str(votes.path)]) == 0
    assert "95 % interval" in capsys.readouterr().out
    assert main(["rate", "--summary", str(votes.path) + "x"]) == 2
    assert main(["rate"]) == 2


def test_an_evaluation_shows_person_and_garment(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pairs").mkdir()
    Image.new("RGB", (80, 100)).save(tmp_path / "pictures" / "one.png")
    inputs = {"person": {"file": "/p/one.jpg"}, "garment": {"file": "/g/shirt.jpg"}}
    pairs = [{"picture": "pictures/one.png", "inputs": inputs}, {"picture": "", "inputs": {}}]
    (tmp_path / "result.json").write_text(json.dumps({"format": "vestiary-evaluation/1", "pairs": pairs}))
    assert list(rating.pictures_of(tmp_path)) == ["one"]
    assert rating.references_of(tmp_path)["garment"] == {"one": Path("/g/shirt.jpg")}
    assert rating.references_of(tmp_path / "pictures") == {}
