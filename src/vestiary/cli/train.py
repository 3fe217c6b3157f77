"""`vestiary train`: train one of the networks."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say

if TYPE_CHECKING:
    from pydantic import BaseModel

    from vestiary.training.config import RecipeConfig
    from vestiary.training.loop import Result
    from vestiary.training.recipes import Recipe, RecipeSpec

EXIT_STOPPED = 130


@click.command("train")
@click.argument("recipe", required=False, metavar="RECIPE")
@click.option("--list", "listed", is_flag=True, help="List the recipes.")
@click.option("--keys", is_flag=True, help="List the recipe's keys, with the values that it would train with.")
@click.option("--config", metavar="FILE|NAME", help="A YAML file with the keys that differ, or a shipped one by name.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key: --set training.minutes=30")
@click.option("--out", type=options.PATH, metavar="DIR", help="Folder of the run.  [default: runs/RECIPE]")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in that folder, with its configuration.")
@options.common
def command(
    recipe: str | None,
    listed: bool,
    keys: bool,
    config: str | None,
    overrides: tuple[str, ...],
    out: str | None,
    resume: bool,
    as_json: bool,
) -> int:
    """Train one of the networks, `--list` names them, or a class of your own as module:Class.

    Ctrl-C ends a run with a checkpoint. The folder holds step-….pt, best.pt, log.jsonl, config.yaml (all keys) and
    run.json (versions, commit). Several GPUs: accelerate launch -m vestiary train …

    \b
        vestiary train parser --set data=ccp --set training.minutes=90
        vestiary train parser --resume
        vestiary train --list
        vestiary train parser --keys
    """
    if listed:
        _list(as_json)
        return 0
    if recipe is None:
        raise click.UsageError("name a recipe; `vestiary train --list` shows them.")
    from vestiary.training.recipes import find_recipe, load_recipe, make_recipe

    spec = find_recipe(recipe)
    kind = load_recipe(spec)
    folder = Path(out) if out else Path("runs") / spec.name
    settings = configuration(spec, kind, config, overrides, folder if resume else None)
    if keys:
        _keys(settings, as_json)
        return 0
    result, main = _run(make_recipe(kind, settings, folder), settings, folder, resume=resume, quiet=as_json)
    if main:
        _tell(result, recipe, folder, as_json, a_folder=hasattr(kind, "save_folder"))
    return EXIT_STOPPED if result.reason == "stopped" else 0


def configuration(
    spec: RecipeSpec, kind: type[Recipe], config: str | None, overrides: tuple[str, ...], resumed: Path | None
) -> RecipeConfig:
    """The recipe's own file, over it the run's (when resumed) or the one that was named, over it the overrides."""
    from vestiary.training.config import find_config, load_config

    layers = [spec.config] if spec.config else []
    source = f"the configuration of {spec.name}"
    if config is not None:
        layers.append(find_config(config))
        source = config
    elif resumed is not None and (resumed / "config.yaml").is_file():
        layers.append(resumed / "config.yaml")
    return load_config(kind.Config, *layers, overrides=overrides, source=source)


def _list(as_json: bool) -> None:
    from vestiary.training.recipes import list_recipes

    recipes = list_recipes().values()
    if as_json:
        found = [{"name": one.name, "summary": one.summary, "target": one.target} for one in recipes]
        say.data([{**row, "config": str(one.config or "")} for row, one in zip(found, recipes, strict=True)])
    else:
        say.table([(one.name, one.summary) for one in recipes])


def _keys(settings: BaseModel, as_json: bool) -> None:
    if as_json:
        say.data(settings.model_dump(mode="json"))
    else:
        say.table(list(_rows(settings)))


def _rows(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Key, value, meaning."""
    from pydantic import BaseModel

    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from _rows(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value), field.description or ""


def _run(recipe: Recipe, settings: RecipeConfig, folder: Path, *, resume: bool, quiet: bool) -> tuple[Result, bool]:
    """The result, and whether this is the main process of several."""
    from vestiary.training.loop import Trainer

    with _shown(quiet) as show, _stoppable() as stopped:
        trainer = Trainer(recipe, settings, folder, resume=resume, on_event=show, should_stop=stopped)
        return trainer.fit(), trainer.accelerator.is_main_process


@contextlib.contextmanager
def _stoppable() -> Iterator[Any]:
    """Whether Ctrl-C or a polite kill was seen; a second one ends the program at once."""
    seen: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        for signum, handler in before.items():
            signal.signal(signum, handler)
        say.words("stopping after this step, with a checkpoint …")

    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(seen)
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextlib.contextmanager
def _shown(quiet: bool) -> Iterator[Any]:
    """A progress bar on a terminal, lines elsewhere, nothing with --json."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    live = sys.stderr.isatty() and not quiet
    console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
    times = TimeElapsedColumn(), TimeRemainingColumn()
    columns = (BarColumn(), TaskProgressColumn(), *times, TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, disable=not live) as progress:
        task = progress.add_task("starting", total=1.0)

        def show(event: str, fields: dict[str, Any]) -> None:
            if event == "step":
                told = f"step {fields['step']}  {_figures(fields['losses'])}"
                progress.update(task, completed=min(fields["share"], 1.0), description=told)
            elif not (event == "losses" and live):
                console.print(sentence(event, fields), markup=False)

        yield show


def sentence(event: str, fields: dict[str, Any]) -> str:
    """One line for a person about one event of a run."""
    step, rest = fields["step"], {key: value for key, value in fields.items() if key not in ("step", "minutes")}
    if event == "losses":
        minutes, speed = fields["minutes"], fields["samples_per_second"]
        return f"step {step}, {minutes:.1f} min, {speed:g} samples/s: {_figures(fields['losses'])}"
    if event == "validation":
        best = " (the best so far)" if rest.pop("best") else ""
        return f"step {step}, validation{best}: {_figures(rest)}"
    if event == "skipped":
        return f"skipped a sample ({fields['count']} so far): {fields['reason']}"
    if event == "checkpoint":
        return f"step {step}: {fields['path']} written"
    if event == "resumed":
        return " ".join([f"going on from {fields['path']} at step {step}", *fields["problems"]])
    if event == "changed":
        return f"not as in the resumed run: {', '.join(fields['keys'])}"
    return f"step {step}: {event}, {fields.get('reason', '')}"


def _figures(figures: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in figures.items())


def _tell(result: Result, name: str, folder: Path, as_json: bool, *, a_folder: bool) -> None:
    best = result.best or result.checkpoint
    if as_json:
        told = ("steps", "minutes", "reason", "best_score", "figures", "skipped")
        paths = {"checkpoint": str(result.checkpoint), "best": str(result.best) if result.best else None}
        say.data({"recipe": name, "folder": str(folder), **{key: getattr(result, key) for key in told}, **paths})
        return
    say.words(f"{result.steps} steps in {result.minutes:.1f} minutes ({result.reason}); {best}")
    if result.reason == "stopped":
        say.words(f"Go on with: vestiary train {name} --resume --out {folder}")
    else:
        say.words(f"Next: vestiary export {best} --out {folder.name}{'-model' if a_folder else '.onnx'}")
