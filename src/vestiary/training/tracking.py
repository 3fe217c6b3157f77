"""What a run says of itself: `log.jsonl`, TensorBoard and Weights & Biases, and who is told while it goes on."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from vestiary import __version__
from vestiary.errors import MissingExtraError, OutputError
from vestiary.files import write_file
from vestiary.training.config import write_yaml

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger("vestiary.training")
OnEvent = Callable[[str, dict[str, Any]], None]
PACKAGES = ("torch", "accelerate", "numpy", "opencv-python-headless", "onnx", "onnxruntime")
IN_LOG = {"losses", "validation", "checkpoint", "skipped", "resumed", "changed", "end"}


class Journal:
    """Hands each event of a run to its log, its trackers and its watcher; silent in all but the main process.

    Events: "step" (not logged), "losses", "validation", "checkpoint", "skipped", "resumed", "changed", "end".
    """

    def __init__(self, folder: Path, accelerator: Accelerator, on_event: OnEvent | None = None) -> None:
        self.path, self.accelerator, self.on_event = folder / "log.jsonl", accelerator, on_event
        self.silent = not accelerator.is_main_process

    def tell(self, event: str, step: int, **fields: Any) -> None:
        """One thing that happened.

        Raises:
            OutputError: the log cannot be written.
        """
        if self.silent:
            return
        if event in IN_LOG:
            self._write({"event": event, "step": step, **fields})
        if event in ("losses", "validation"):
            prefix = "train" if event == "losses" else event
            figures = {f"{prefix}/{key}": value for key, value in _flat(fields).items() if isinstance(value, float)}
            self.accelerator.log(figures, step=step)
        if self.on_event is not None:
            self.on_event(event, {"step": step, **fields})

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            raise OutputError(
                f"{self.path} cannot be written: {reason}.", hint="Free some space, then --resume."
            ) from None


def start_trackers(accelerator: Accelerator, config: BaseModel, folder: Path, wandb_mode: str) -> None:
    """Open the trackers that the accelerator was made with; Weights & Biases keeps its files in the run's folder.

    Raises:
        MissingExtraError: a tracker is not installed.
    """
    values = {
        key: value if isinstance(value, (int, float)) else str(value)
        for key, value in _flat(config.model_dump(mode="json")).items()
    }
    os.environ.setdefault("WANDB_SILENT", "true")
    kwargs = {"wandb": {"mode": wandb_mode, "dir": str(folder), "name": folder.name}}
    accelerator.init_trackers("vestiary", config=values, init_kwargs=kwargs)


def check_trackers(names: tuple[str, ...]) -> None:
    """Find out before the run whether these trackers are installed.

    Raises:
        MissingExtraError: one is not.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(f"the tracker {name} is not installed.", hint=f"Type: pip install {name}")


def describe_run(folder: Path, recipe: str, config: BaseModel, device: str, processes: int) -> None:
    """Write `config.yaml`, the effective configuration, and `run.json`: versions, commit, command, device, time.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_file(folder / "config.yaml", write_yaml(config).encode())
    facts = {
        "recipe": recipe,
        "vestiary": __version__,
        "commit": commit(),
        "command": sys.argv,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "device": device,
        "processes": processes,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    write_file(folder / "run.json", (json.dumps(facts, indent=2) + "\n").encode())


def commit() -> str | None:
    """The commit of the source tree that this package runs from, `+` after it if files differ; None outside of one."""
    git = ["git", "-C", str(Path(__file__).parent)]
    asks = (
        ["ls-files", "--error-unmatch", Path(__file__).name],
        ["describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"],
    )
    try:
        answers = [subprocess.run([*git, *ask], capture_output=True, text=True, timeout=10, check=True) for ask in asks]
    except (OSError, subprocess.SubprocessError):
        return None
    return answers[-1].stdout.strip() or None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested groups as `group/key`."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}/")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
