"""The training loop of every recipe: mixed precision, several processes, averaged weights, checkpoints, resume.

A step is one update by each of the recipe's optimizers. What it does depends on the weights and on its number alone:
the samples it sees and every random number drawn in it are functions of (seed, step). A run of N steps and one that
was cut off at k and resumed therefore end in the same weights, byte for byte, on the same machine.
"""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from vestiary.errors import OutputError, TrainingError
from vestiary.files import make_folder
from vestiary.training import checkpoint, tracking
from vestiary.training.checkpoint import BEST, Position
from vestiary.training.config import RecipeConfig, Training, changes
from vestiary.training.device import accelerator_of, agreed, repeatable, seed_step, share_gradients
from vestiary.training.loader import Batch as Samples
from vestiary.training.loader import Places, batches
from vestiary.training.pace import Due, Means, average, one_cycle
from vestiary.training.recipes import Recipe

GRACE = 3  # samples that may be unreadable before the share counts


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
        reason: "budget", "early stopping" or "stopped" by the caller.
        checkpoint: the last one; best: that of the best score, if there was any validation.
        figures: of the last validation.
    """

    steps: int
    minutes: float
    reason: str
    checkpoint: Path
    best: Path | None
    best_score: float | None
    figures: dict[str, float]
    skipped: int


class Trainer:
    """One run of a recipe; `fit` trains it to its end.

    Args:
        folder: for checkpoints, the log, trackers and the effective configuration.
        on_event: told of every event (see `tracking.Journal`), in the main process.
        should_stop: asked after each step; True ends the run with a checkpoint.

    Raises:
        OptionError: this machine cannot do what the configuration asks.
        OutputError: the folder holds a run already and `resume` is False, or cannot be written.
        WeightsError: nothing to resume from, or a checkpoint of another recipe or architecture.
    """

    def __init__(
        self,
        recipe: Recipe,
        config: RecipeConfig,
        folder: Path,
        *,
        resume: bool = False,
        on_event: tracking.OnEvent | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self.recipe, self.config, self.folder = recipe, config, make_folder(folder)
        self.plan: Training = config.training
        self.should_stop = should_stop or (lambda: False)
        if checkpoint.saved(folder) and not resume:
            hint = "Go on with --resume, or choose another folder with --out."
            raise OutputError(f"{folder} holds a run already.", hint=hint)
        self.accelerator = accelerator_of(self.plan, folder)
        self.journal = tracking.Journal(folder, self.accelerator, on_event)
        self.position = Position()
        self.figures: dict[str, float] = {}
        self._build()
        if resume:
            self._resume()

    def _build(self) -> None:
        for network in self.recipe.networks.values():
            network.to(self.accelerator.device).train()
        nets = self.recipe.networks.items()
        self.averaged = {name: copy.deepcopy(net).eval().requires_grad_(False) for name, net in nets}
        self.optimizers = self.recipe.optimizers()
        self.prepared = {name: self.accelerator.prepare_optimizer(opt) for name, opt in self.optimizers.items()}
        self.trained = {name: _parameters(optimizer) for name, optimizer in self.optimizers.items()}
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
        plateau = {"mode": "max", "factor": self.plan.plateau_factor, "patience": self.plan.plateau_patience}
        plateau |= {"threshold": self.plan.better_by, "threshold_mode": "abs"}
        wanted = self.optimizers if self.plan.schedule == "plateau" else {}
        self.plateaus = {name: ReduceLROnPlateau(optimizer, **plateau) for name, optimizer in wanted.items()}

    # -- the run -------------------------------------------------------------------------------------------------------

    def fit(self) -> Result:
        """Train until the budget is used up, the score stops rising, or the caller stops it.

        Raises:
            TrainingError: the loss is not finite, or too many samples cannot be read; checkpoints stay.
            OutputError: a checkpoint or the log cannot be written; earlier checkpoints stay.
            InputError: the recipe's data is missing, in another layout, or cannot be read at all.
        """
        main, plan = self.accelerator.is_main_process, self.plan
        if main:
            facts = str(self.accelerator.device), self.accelerator.num_processes
            tracking.describe_run(self.folder, self.recipe.name, self.config, *facts)
            checkpoint.tidy(self.folder, plan.keep)
        tracking.start_trackers(self.accelerator, self.config, self.folder, plan.wandb_mode)
        try:
            with repeatable(plan.deterministic):
                reason = self._steps()
        finally:
            self.accelerator.end_training()
        last = checkpoint.place(self.folder, self.position.steps)
        at, best = self.position, next(self.folder.glob(BEST), None)
        return Result(at.steps, at.seconds / 60, reason, last, best, at.best, self.figures, at.skipped)

    def _steps(self) -> str:
        stream, clock = self._open(), time.perf_counter()
        checked, kept = Due(self.position), Due(self.position)
        means = Means()
        while not (reason := self._ending()):
            if self._advance():
                stream = self._open()
            found = [self._take(next(stream)) for _ in range(self.plan.accumulate)]
            means.add(self._step(found), len(found) * self.plan.batch * self.accelerator.num_processes)
            self.position.seconds = agreed(self.accelerator, self.position.seconds + time.perf_counter() - clock)
            clock = time.perf_counter()
            self._tell(means)
            if checked.is_due(self.position, self.plan.validate_steps, self.plan.validate_minutes):
                self._validate()
            if kept.is_due(self.position, self.plan.checkpoint_steps, self.plan.checkpoint_minutes):
                self._save()
            clock = time.perf_counter()
        self._finish(reason, validated=checked.step == self.position.steps)
        return reason

    def _finish(self, reason: str, *, validated: bool) -> None:
        if reason == "budget" and not validated:
            self._validate()
        self._save()
        at = self.position
        self.journal.tell("end", at.steps, reason=reason, minutes=round(at.seconds / 60, 3), skipped=at.skipped)

    def _ending(self) -> str:
        """Why the run is over; empty while it goes on."""
        at, plan = self.position, self.plan
        if self.done >= 1:
            return "budget"
        if plan.early_stopping is not None and at.stale >= plan.early_stopping:
            return "early stopping"
        return "stopped" if agreed(self.accelerator, float(self.should_stop())) else ""

    @property
    def done(self) -> float:
        """Share of the budget that is used up."""
        by_steps = self.position.steps / self.plan.steps if self.plan.steps else 0.0
        by_time = self.position.seconds / (60 * self.plan.minutes) if self.plan.minutes else 0.0
        return max(by_steps, by_time)

    def _advance(self) -> bool:
        advance = getattr(self.recipe, "advance", None)
        return bool(advance and advance(self.position.steps, min(self.done, 1.0), self.averaged))

    # -- samples -------------------------------------------------------------------------------------------------------

    def _open(self) -> Iterator[Samples]:
        of = self.accelerator
        places = Places(self.position.samples, self.plan.batch, of.process_index, of.num_processes)
        pin = of.device.type == "cuda"
        return batches(self.recipe.samples("train"), places, workers=self.plan.workers, pin=pin)

    def _take(self, found: Samples) -> dict[str, Tensor]:
        self.position.samples += self.plan.batch * self.accelerator.num_processes
        for note in found.skipped:
            self.position.skipped += 1
            tracking.log.warning("skipped a sample (%d so far): %s", self.position.skipped, note)
            self.journal.tell("skipped", self.position.steps, count=self.position.skipped, reason=note)
        share = self.plan.unreadable
        drawn = self.position.samples // self.accelerator.num_processes
        if found.skipped and self.position.skipped > max(GRACE, share * drawn):
            message = f"{self.position.skipped} of {drawn} samples could not be read, the last one: {found.skipped[-1]}"
            hint = f"Mend or remove such files, or allow more with --set training.unreadable={max(share * 5, 0.05):g}"
            raise TrainingError(message, hint=hint)
        batch: dict[str, Tensor] = send_to_device(found.samples, self.accelerator.device, non_blocking=True)
        return batch

    # -- one step ------------------------------------------------------------------------------------------------------

    def _step(self, found: list[dict[str, Tensor]]) -> dict[str, float]:
        """One update by every optimizer; the losses as `pass/name`, averaged over the accumulated batches."""
        self._set_rates()
        seed_step(self.config.seed, self.position.steps, self.accelerator.process_index)
        losses: dict[str, float] = {}
        for which in self.optimizers:
            with self._only(which):
                for batch in found:
                    with self.accelerator.accumulate():
                        for name, value in self._pass(which, batch).items():
                            losses[name] = losses.get(name, 0.0) + value / len(found)
        self.position.steps += 1
        keep = min(self.plan.averaging, (1 + self.position.steps) / (10 + self.position.steps))
        for name, network in self.recipe.networks.items():
            average(self.averaged[name], network, keep)
        return losses

    def _pass(self, which: str, batch: dict[str, Tensor]) -> dict[str, float]:
        """Back-propagate one batch; update the weights when enough of them have been."""
        with self.accelerator.autocast():
            losses = self.recipe.losses(which, batch, self.position.steps)
        values = {f"{which}/{name}": float(value.detach()) for name, value in losses.items()}
        self._finite(values)
        self.accelerator.backward(torch.stack([value.float() for value in losses.values()]).sum())
        optimizer = self.prepared[which]
        if self.accelerator.sync_gradients:
            share_gradients(self.accelerator, self.trained[which], self.recipe.networks.values())
            self.accelerator.unscale_gradients(optimizer)
            norm = float(nn.utils.clip_grad_norm_(self.trained[which], self.plan.clip or math.inf))
            if self.plan.precision != "fp16":  # there the scaler leaves such a step out
                self._finite({f"{which}/gradient": norm})
        optimizer.step()
        optimizer.zero_grad()
        return values

    def _finite(self, values: Mapping[str, float]) -> None:
        wrong = [f"{name} = {value}" for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            message = f"training diverged at step {self.position.steps}: {', '.join(wrong)}."
            hint = (
                "Go on from the last checkpoint with a lower learning rate, a smaller training.clip, or precision no."
            )
            raise TrainingError(message, hint=hint)

    @contextlib.contextmanager
    def _only(self, which: str) -> Iterator[None]:
        """Keep the weights of the other passes out of this one's graph."""
        mine = {id(p) for p in self.trained[which]}
        others = [p for name, ps in self.trained.items() if name != which for p in ps if id(p) not in mine]
        for parameter in others:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in others:
                parameter.requires_grad_(True)

    def _set_rates(self) -> None:
        if self.plan.schedule != "one-cycle":
            return
        share = one_cycle(self.done, self.plan.warm_up)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * share

    def _tell(self, means: Means) -> None:
        at = self.position
        rates = {name: float(optimizer.param_groups[0]["lr"]) for name, optimizer in self.optimizers.items()}
        self.journal.tell("step", at.steps, share=self.done, minutes=at.seconds / 60, losses=means.last)
        if at.steps % self.plan.log_steps == 0:
            losses, speed = means.take()
            minutes = round(at.seconds / 60, 3)
            self.journal.tell("losses", at.steps, minutes=minutes, losses=losses, rate=rates, samples_per_second=speed)

    # -- validation and checkpoints ------------------------------------------------------------------------------------

    def _validate(self) -> None:
        figures: dict[str, float] = {}
        if self.accelerator.is_main_process:
            for network in self.averaged.values():
                network.eval()
            with torch.no_grad():
                figures = {name: float(value) for name, value in self.recipe.validate(self.averaged).items()}
        score = agreed(self.accelerator, figures.get("score", math.nan))
        at, self.figures = self.position, figures
        scored = not math.isnan(score)  # without a score nobody knows whether it got better or worse
        better = scored and (at.best is None or score > at.best + self.plan.better_by)
        at.best, at.stale = (score, 0) if better else (at.best, at.stale + scored)
        for plateau in self.plateaus.values() if scored else ():
            plateau.step(score)
        self.journal.tell("validation", at.steps, minutes=round(at.seconds / 60, 3), best=better, **figures)
        if better and self.accelerator.is_main_process:
            checkpoint.save({**self._identity(), "score": score}, self.folder / BEST)

    def _identity(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.name,
            "config": self.config.model_dump(mode="json"),
            "position": checkpoint.plain(self.position),
            "averaged": {name: network.state_dict() for name, network in self.averaged.items()},
        }

    def _save(self) -> None:
        self.accelerator.wait_for_everyone()
        if not self.accelerator.is_main_process:
            return
        state = getattr(self.recipe, "state", dict)
        content = {
            **self._identity(),
            "networks": {name: network.state_dict() for name, network in self.recipe.networks.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "plateaus": {name: plateau.state_dict() for name, plateau in self.plateaus.items()},
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler else {},
            "state": state(),
        }
        path = checkpoint.place(self.folder, self.position.steps)
        checkpoint.save(content, path)
        checkpoint.tidy(self.folder, self.plan.keep)
        self.journal.tell("checkpoint", self.position.steps, path=str(path))

    def _resume(self) -> None:
        path, content, problems = checkpoint.newest(self.folder)
        checkpoint.check_recipe(content, self.recipe.name, path)
        checkpoint.load_networks(self.recipe.networks, content["networks"], path)
        checkpoint.load_networks(self.averaged, content["averaged"], path)
        for kind, objects in (("optimizers", self.optimizers), ("plateaus", self.plateaus)):
            for name, one in objects.items():
                if name in content[kind]:
                    one.load_state_dict(content[kind][name])
        if self.accelerator.scaler and content["scaler"]:
            self.accelerator.scaler.load_state_dict(content["scaler"])
        if hasattr(self.recipe, "restore"):
            self.recipe.restore(content["state"])
        self.position = checkpoint.position_of(content)
        changed = changes(content["config"], self.config.model_dump(mode="json"))
        if changed:
            self.journal.tell("changed", self.position.steps, keys=changed)
        self.journal.tell("resumed", self.position.steps, path=str(path), problems=problems)


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
