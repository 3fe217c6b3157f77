"""Published weights as data, their licences on the command line, and where their files are looked for. No PyTorch."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vestiary.cli.weights import command
from vestiary.diffusion.published import hub, licences, room, specs
from vestiary.errors import LicenceError, MissingExtraError, OptionError, OutputError, WeightsError
from vestiary.weights import cache_dir


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VESTIARY_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("VESTIARY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(licences.ACCEPT_ENV, raising=False)
    return tmp_path


def run(*order: str, say: str | None = None) -> tuple[int, str, BaseException | None]:
    done = CliRunner().invoke(command, list(order), input=say)
    return done.exit_code, done.output, done.exception


def test_every_set_is_pinned_or_says_so_and_has_a_licence() -> None:
    unpinned = set()
    for name, published in specs.list_published().items():
        assert published.parts
        for part in published.parts:
            assert part.licence in licences.LICENCES
            assert re.fullmatch(r"[0-9a-f]{40}|", part.revision)
            if not part.revision:
                unpinned.add((name, part.name))
    assert unpinned == {("catvton-flux", "transformer"), ("catvton-flux-lora", "lora"), ("fashn-vton-1.5", "parser")}
    assert not licences.is_commercial(specs.find("catvton"))
    assert not licences.is_commercial(specs.find("fashn-vton-1.5"))  # its human parser
    assert {licence.url[:8] for licence in licences.LICENCES.values()} == {"https://"}


def test_importing_the_table_loads_no_pytorch() -> None:
    code = "from vestiary.diffusion.published import hub, licences; import sys; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_licences_are_shown_and_accepted_once_for_all(home: Path) -> None:
    published = specs.find("catvton")
    with pytest.raises(
        LicenceError, match=r"Attribution-NonCommercial.*non-commercial.*vestiary weights accept catvton"
    ):
        licences.require(published)
    code, words, _ = run("licence", "catvton")
    assert code == 0
    assert "https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode" in words
    assert "Not accepted yet" in words
    code, _, problem = run("accept", "catvton", say="n\n")
    assert code
    assert isinstance(problem, LicenceError)
    assert not licences.is_accepted(published)
    code, words, _ = run("accept", "catvton", say="y\n")
    assert code == 0
    assert "CreativeML" in words
    licences.require(published)
    assert licences.is_accepted(specs.find("catvton-vitonhd")) is False  # each for itself
    record = json.loads((home / "config" / "licences.json").read_text())
    assert record["catvton"]["licences"] == ["cc-by-nc-sa-4.0", "creativeml-openrail-m", "mit"]
    record["catvton"]["licences"].remove("mit")  # as if the set had got another licence since
    (home / "config" / "licences.json").write_text(json.dumps(record))
    assert not licences.is_accepted(published)


def test_containers_accept_by_flag_or_by_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    code, words, _ = run("accept", "fashn-vton-1.5", "--accept-licence", "--json")
    assert code == 0
    assert json.loads(words)["accepted"] is True
    monkeypatch.setenv(licences.ACCEPT_ENV, "catvton, catvton-flux")
    assert licences.is_accepted(specs.find("catvton-flux"))
    assert not licences.is_accepted(specs.find("catvton-flux-lora"))
    monkeypatch.setenv(licences.ACCEPT_ENV, "1")
    assert not licences.is_accepted(specs.find("catvton"))


def test_published_weights_are_listed() -> None:
    code, words, _ = run("published", "--json")
    assert code == 0
    entries = {entry["name"]: entry for entry in json.loads(words)}
    assert entries["catvton"]["state"] == "missing"
    assert entries["catvton"]["parts"][0]["revision"] == "2969fcf85fe62f2036605716f0b56f0b81d01d79"
    code, words, _ = run("published")
    assert code == 0
    assert "non-commercial" in words
    assert "not accepted" in words


def test_fetching_asks_for_the_licence_first_and_says_where_files_go(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert isinstance(run("fetch", "catvton")[2], LicenceError)
    problem = run("fetch", "catvton", "--accept-licence")[2]
    assert isinstance(problem, WeightsError)
    words = str(problem)
    for part in (
        "mix-48k-1024/attention/model.safetensors",
        "zhengchong/CatVTON@2969fcf",
        str(cache_dir()),
        "Go online",
    ):
        assert part in words
    assert licences.is_accepted(specs.find("catvton"))


def test_the_hub_is_asked_for_the_pinned_commit_and_only_the_files_needed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    asked: list[tuple[str, str, list[str]]] = []

    def snapshot_download(repo: str, *, revision: str, allow_patterns: list[str], local_dir: Path | None) -> str:
        asked.append((repo, revision, allow_patterns))
        place = Path(local_dir or home / "hub" / repo)
        for pattern in allow_patterns:
            (place / pattern).parent.mkdir(parents=True, exist_ok=True)
            (place / pattern).write_bytes(b"")
        return str(place)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home))
    monkeypatch.setattr(hub, "_verify", lambda part, folder: None)
    places = hub.fetch(specs.find("catvton-vitonhd"))
    assert set(places) == {"attention", "base", "vae"}
    assert asked[0] == (
        "zhengchong/CatVTON",
        "2969fcf85fe62f2036605716f0b56f0b81d01d79",
        ["vitonhd-16k-512/attention/model.safetensors"],
    )
    assert all(len(revision) == 40 for _, revision, _ in asked)
    fashn = hub.fetch(specs.find("fashn-vton-1.5"))  # one folder, as its package wants it
    assert fashn["dwpose"] == fashn["."] / "dwpose"
    assert (fashn["."] / "model.safetensors").is_file()
    before = len(asked)
    assert hub.here(specs.find("fashn-vton-1.5")) == fashn
    hub.fetch(specs.find("fashn-vton-1.5"))
    assert len(asked) == before
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 1}))
    with pytest.raises(OutputError, match=r"0\.0 GB free"):
        hub.fetch(specs.find("catvton-mask-free"))


def test_a_file_with_another_hash_is_refused(home: Path) -> None:
    part = specs.find("catvton").part("vae")
    (home / "diffusion_pytorch_model.safetensors").write_bytes(b"other")
    with pytest.raises(WeightsError, match="is not the published file"):
        hub._verify(part, home)


def test_another_commit_is_another_folder() -> None:
    asked = specs.find("catvton@" + "c" * 40)
    assert asked.parts[0].revision == "c" * 40
    assert asked.parts[1] == specs.find("catvton").parts[1]
    assert hub.by_hand(asked) != hub.by_hand(specs.find("catvton"))
    for wrong in ("main", "C" * 40, "c" * 39):
        with pytest.raises(OptionError, match="full commit hash"):
            specs.find(f"catvton@{wrong}")
    with pytest.raises(WeightsError, match="catvton-mask-free"):
        specs.find("nothing")


def test_memory_is_that_of_the_container(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psutil")
    machine = room.free("cpu")
    monkeypatch.setattr(room, "_CGROUP", home)
    assert machine > 0
    for name, text in (("memory.max", "1000\n"), ("memory.current", "400\n"), ("memory.stat", "inactive_file 100\n")):
        (home / name).write_text(text)
    assert room.free("cpu") == 700
    (home / "memory.max").write_text("max\n")
    assert room.free("cpu") > 700
    flux = specs.find("catvton-flux")  # its text encoders go before the transformer comes
    assert room.needed(flux, "bfloat16") == 2 * (specs.FLUX_TRANSFORMER + specs.FLUX_VAE)


def test_a_record_that_cannot_be_read_is_named(home: Path) -> None:
    (home / "config").mkdir()
    (home / "config" / "licences.json").write_text("{")
    with pytest.raises(OutputError, match=r"licences\.json cannot be read"):
        licences.is_accepted(specs.find("catvton"))


def test_without_the_hubs_library_the_pip_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert hub.here(specs.find("catvton")) is None
    with pytest.raises(MissingExtraError, match=r'pip install "vestiary\[diffusion\]"'):
        hub.fetch(specs.find("catvton"))
