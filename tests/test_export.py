"""From a checkpoint to ONNX: it answers as the trained network, weighs half, and INT8 says what it costs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("accelerate")
onnxruntime = pytest.importorskip("onnxruntime")

from toy_recipe import ToyRecipe  # noqa: E402

from vestiary.cli.main import main  # noqa: E402
from vestiary.errors import OptionError, TrainingError, WeightsError  # noqa: E402
from vestiary.training import checkpoint  # noqa: E402
from vestiary.training.config import load_config  # noqa: E402
from vestiary.training.export import Answering, Exported, OnnxFile, write_onnx  # noqa: E402
from vestiary.training.loop import Trainer  # noqa: E402
from vestiary.training.quantise import quantise  # noqa: E402
from vestiary.training.recipes import make_recipe  # noqa: E402
from vestiary.training.ship import Order, ship  # noqa: E402

pytestmark = pytest.mark.train
TOY = "toy_recipe:ToyRecipe"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best checkpoint of a toy run."""
    folder = tmp_path_factory.mktemp("run")
    plan = {"steps": 60, "batch": 4, "workers": 0, "device": "cpu", "threads": 1}
    config = load_config(ToyRecipe.Config, {"training": plan, "width": 16})
    result = Trainer(make_recipe(ToyRecipe, config, folder), config, folder).fit()
    assert result.best is not None
    return result.best


def test_the_file_answers_as_the_network(trained: Path, tmp_path: Path) -> None:
    report = ship(Order(trained, tmp_path / "toy.onnx", TOY, scored=True))
    told = report["onnx"]
    content = (tmp_path / "toy.onnx").read_bytes()
    assert (told["bytes"], told["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert 0 < told["difference"]["logits"]["relative_max"] < 0.01
    assert told["difference"]["logits"]["mean"] <= told["difference"]["logits"]["max"]
    assert told["score"]["score"] == pytest.approx(report["score"]["score"], abs=0.01)
    assert report["steps"] == 60
    assert told["milliseconds"] > 0


def test_weights_are_folded_and_halved(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3), torch.nn.BatchNorm2d(32), torch.nn.ReLU())
    network[1].running_mean += 0.5
    write_onnx(Exported(network, {"image": torch.rand(1, 3, 9, 9)}, ("out",)), tmp_path / "net.onnx")
    graph = onnx.load(str(tmp_path / "net.onnx")).graph
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    kinds = {tensor.data_type for tensor in graph.initializer if np.prod(tensor.dims) >= 64}
    assert kinds == {onnx.TensorProto.FLOAT16}
    assert network[1].training  # the caller's network is left as it was


def test_int8_tells_its_size_and_what_it_loses(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = ["export", str(trained), "-o", str(tmp_path / "toy.onnx"), "--recipe", TOY, "--int8", "--calibration", "8"]
    assert main([*order, "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    small = report["int8"]
    assert small["file"] == str(tmp_path / "toy.int8.onnx")
    assert small["integer_nodes"] == 2
    assert report["onnx"]["difference"]["logits"]["max"] < small["difference"]["logits"]["relative_max"] < 0.2
    assert small["score"]["score"] > 0.9 * report["score"]["score"] > 0.5
    weights = onnx.load(small["file"]).graph.initializer
    assert onnx.TensorProto.INT8 in {tensor.data_type for tensor in weights}
    per_channel = [tensor for tensor in weights if tensor.name.endswith("_scale") and list(tensor.dims) == [16]]
    assert per_channel, "weights have a scale per channel"
    answer = OnnxFile(Path(small["file"]))({"image": torch.rand(2, 3, 16, 16)})
    assert answer["logits"].shape == (2, 1, 16, 16)


def test_the_table_for_people(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(trained), "--out", str(tmp_path / "toy.onnx"), "--recipe", TOY, "--score"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["file", "pytorch", "onnx"]


def test_a_file_that_answers_otherwise_is_not_written(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"does not answer as the trained network: logits differs by 0\.\d+%"):
        ship(Order(trained, tmp_path / "toy.onnx", TOY, tolerance=1e-7))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_said(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "toy.onnx"
    with pytest.raises(WeightsError, match="there is no checkpoint"):
        ship(Order(tmp_path / "none.pt", out))
    with pytest.raises(WeightsError, match="another architecture"):
        ship(Order(trained, out, TOY, ("width=3",)))
    with pytest.raises(OptionError, match="unknown key wdth"):
        ship(Order(trained, out, TOY, ("wdth=3",)))
    with pytest.raises(WeightsError, match=r"of the recipe 'toyrecipe', not of 'parser'"):
        ship(Order(trained, out, "parser"))
    assert (
        main(["export", str(trained), "-o", str(out), "--recipe", TOY, "--int8", "--data", str(tmp_path / "no")]) == 2
    )
    assert "there is no folder" in capsys.readouterr().err
    assert main(["export", str(trained), "-o", str(out)]) == 2
    assert "no recipe is called 'toyrecipe'" in capsys.readouterr().err
    assert main(["export", str(trained), "-o", str(tmp_path / "no" / "toy.onnx"), "--recipe", TOY]) == 3
    assert not list(tmp_path.iterdir())


def test_a_best_checkpoint_is_smaller_than_one_to_resume_from(trained: Path) -> None:
    (last,) = checkpoint.saved(trained.parent)
    assert trained.stat().st_size < last.stat().st_size
    assert set(checkpoint.read(trained)) < set(checkpoint.read(last)) | {"score"}


class Named(torch.nn.Module):
    """A network that answers with a dict."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, image: Any) -> Any:
        return {"logits": self.inner(image)}


class Shown(torch.nn.Module):
    """What goes into the file."""

    def __init__(self, named: Any, answer: Any) -> None:
        super().__init__()
        self.named, self.answer = named, answer

    def forward(self, image: Any) -> Any:
        return self.answer(self.named(image)["logits"])


@pytest.mark.parametrize("answer", ["sigmoid", "softmax", "own"])
def test_a_file_stands_in_for_the_network_that_it_was_made_from(tmp_path: Path, answer: str) -> None:
    answers: dict[str, Any] = {"sigmoid": torch.sigmoid, "softmax": lambda x: x.softmax(1), "own": lambda x: x}
    torch.manual_seed(0)
    network = Named(torch.nn.Conv2d(3, 2, 3)).eval()
    image = torch.rand(3, 3, 8, 8)
    exported = Exported(Shown(network, answers[answer]).eval(), {"image": image[:1]}, ("logits",))
    write_onnx(exported, tmp_path / "net.onnx")
    found = Answering(OnnxFile(tmp_path / "net.onnx"), exported, network, [image[:1]])(image)["logits"]
    wanted = network(image)["logits"]
    if answer == "softmax":  # it forgets the sum
        found, wanted = found.softmax(1), wanted.softmax(1)
    assert torch.allclose(found, wanted, atol=1e-2)


def test_an_answer_that_cannot_be_led_back_is_said(tmp_path: Path) -> None:
    network = torch.nn.Conv2d(3, 2, 3).eval()
    squared = Shown(Named(network), torch.square).eval()
    exported = Exported(squared, {"image": torch.rand(1, 3, 8, 8)}, ("logits",))
    with pytest.raises(OptionError, match=r"logits cannot be led back.*answering"):
        Answering(OnnxFile(tmp_path / "net.onnx"), exported, network, list(exported.inputs.values()))


def test_the_ends_of_a_quantised_network_can_stay_in_floating_point(tmp_path: Path) -> None:
    layers = [torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers, torch.nn.Conv2d(8, 2, 3), torch.nn.Tanh()).eval()
    write_onnx(Exported(network, {"image": torch.rand(1, 3, 16, 16)}, ("maps",)), tmp_path / "net.onnx")
    shown = [{"image": np.random.default_rng(i).random((1, 3, 16, 16), np.float32)} for i in range(4)]
    assert quantise(tmp_path / "net.onnx", tmp_path / "whole.onnx", shown) == 3
    assert quantise(tmp_path / "net.onnx", tmp_path / "inner.onnx", shown, float_ends=True) == 1
    wanted = OnnxFile(tmp_path / "net.onnx")({"image": torch.from_numpy(shown[0]["image"])})["maps"]
    whole, inner = (
        OnnxFile(tmp_path / name)({"image": torch.from_numpy(shown[0]["image"])})["maps"]
        for name in ("whole.onnx", "inner.onnx")
    )
    assert (inner - wanted).abs().mean() < (whole - wanted).abs().mean()
