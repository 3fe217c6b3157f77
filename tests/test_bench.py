"""`vestiary bench`: what a stage costs, and how energy is counted."""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from vestiary.cli.main import cli
from vestiary.evaluation.bench import Energy, measure, resized


def counter(folder: Path, start: int, limit: int) -> Path:
    place = folder / "intel-rapl:0"
    place.mkdir()
    (place / "energy_uj").write_text(f"{start}\n")
    (place / "max_energy_range_uj").write_text(f"{limit}\n")
    return place / "energy_uj"


def test_work_costs_processor_time_and_a_large_array_costs_memory() -> None:
    def work() -> None:
        until = time.process_time() + 0.03
        while time.process_time() < until:
            pass

    gc.collect()  # what the tests before have left would go in the middle
    small = measure(work, 2, Energy(10.0, rapl=Path("/nowhere")))
    assert small.cpu_seconds >= 0.03
    assert small.joules == pytest.approx(10.0 * small.cpu_seconds)
    large = measure(lambda: np.ones(2**26, np.uint8), 2, Energy(rapl=Path("/nowhere")))
    if sys.platform == "linux":
        assert small.peak_mb is not None
        assert large.peak_mb is not None
        assert 48 < large.peak_mb - small.peak_mb < 128  # too large to be put where something was freed


def test_a_flag_that_the_command_uses_itself_stays_its_own_whatever_was_run_before() -> None:
    from vestiary.cli.options import engine_options

    assert "--size" in {flag for param in engine_options("paste", set()) for flag in param.opts}
    assert "--size" not in {flag for param in engine_options("paste", {"--size"}) for flag in param.opts}


def test_energy_is_measured_where_there_is_a_counter(tmp_path: Path) -> None:
    place = counter(tmp_path, 2_000_000, 10_000_000)
    energy = Energy(rapl=tmp_path)
    assert energy.source == "RAPL"
    before = energy.read()
    place.write_text("5000000\n")
    assert energy.between(before, energy.read(), cpu_seconds=99) == pytest.approx(3.0)


def test_a_counter_that_begins_anew_is_no_negative_energy(tmp_path: Path) -> None:
    place = counter(tmp_path, 9_000_000, 10_000_000)
    energy = Energy(rapl=tmp_path)
    before = energy.read()
    place.write_text("1000000\n")
    assert energy.between(before, energy.read(), cpu_seconds=99) == pytest.approx(2.0)


def test_without_a_counter_energy_is_called_an_estimate() -> None:
    energy = Energy(15.0, rapl=Path("/nowhere"))
    assert energy.source.startswith("estimate: 15 W")
    assert energy.between([], [], cpu_seconds=2) == pytest.approx(30.0)


def test_a_picture_keeps_its_shape_when_it_is_fitted_into_a_size(tmp_path: Path) -> None:
    from vestiary.images import save_picture

    save_picture(np.full((100, 300, 3), 90, np.uint8), tmp_path / "wide.png")
    assert resized(tmp_path / "wide.png", (150, 150)).shape == (50, 150, 3)


def test_the_command_names_what_its_figures_belong_to(tmp_path: Path) -> None:
    order = ["bench", "--engine", "paste", "--runs", "1", "--no-processes", "--size", "240x320", "--json"]
    ran = CliRunner().invoke(cli, [*order, "-o", str(tmp_path / "new" / "bench.json")], catch_exceptions=False)
    said = json.loads(ran.stdout)
    assert said == json.loads((tmp_path / "new" / "bench.json").read_text())
    assert said["engine"] == "paste"
    assert set(said["data"]) == {"person", "garment"}
    assert {"weights", "command", "machine", "date", "energy"} <= set(said)
    stages = said["sizes"]["240x320"]
    assert list(stages) == ["scan", "garment", "prepare", "fit", "save", "next garment", "whole"]
    assert 0 < sum(stages["scan"]["steps"].values()) <= stages["scan"]["seconds"] + 1e-3


def test_a_size_that_is_none_is_refused() -> None:
    ran = CliRunner().invoke(cli, ["bench", "--size", "large"])
    assert ran.exit_code == 2
    assert "768x1024" in ran.output
