"""What a run of training is set to: one YAML file, checked, with every key named here or in the recipe's own model."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vestiary.errors import InputError, MissingExtraError, OptionError

FOLDER = Path(__file__).with_name("configs")
INSTALL = "Type: pip install 'vestiary[train]'"
BUDGET = {"steps", "minutes"}
C = TypeVar("C", bound="RecipeConfig")


class Settings(BaseModel):
    """A group of keys of the file; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Training(Settings):
    """The loop's keys, below `training:`. A step is one update by every optimizer of the recipe."""

    steps: int | None = Field(None, ge=1, description="Stop after so many steps. Resuming is bit-equal with this one.")
    minutes: float | None = Field(None, gt=0, description="Stop after so many minutes of training, resumed ones too.")
    batch: int = Field(8, ge=1, description="Samples per process and backward pass.")
    accumulate: int = Field(1, ge=1, description="Backward passes per step.")
    workers: int = Field(1, ge=0, description="Processes that make samples; 0: made in the training process.")
    device: Literal["auto", "cpu"] = Field("auto", description="auto: a GPU where there is one.")
    precision: Literal["no", "bf16", "fp16"] = Field("no", description="Mixed precision; fp16 needs a GPU.")
    threads: int | None = Field(None, ge=1, description="CPU threads of PyTorch; its own choice where left out.")
    deterministic: bool = Field(False, description="Only kernels that repeat exactly: for bit-equal runs on a GPU.")
    clip: float | None = Field(5.0, gt=0, description="Largest norm of a pass's gradients.")
    averaging: float = Field(0.998, ge=0, lt=1, description="Decay of the moving average of the weights per step.")
    schedule: Literal["one-cycle", "plateau", "constant"] = Field("one-cycle", description="Of the learning rate.")
    warm_up: float = Field(0.04, ge=0, lt=1, description="one-cycle: share of the run in which the rate rises.")
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="plateau: what the rate is multiplied by.")
    plateau_patience: int = Field(3, ge=0, description="plateau: validations without a better score before that.")
    early_stopping: int | None = Field(None, ge=1, description="Stop after so many validations without a better score.")
    better_by: float = Field(0.0, ge=0, description="A score counts as better from this difference on.")
    validate_steps: int | None = Field(None, ge=1, description="Validate every so many steps.")
    validate_minutes: float | None = Field(None, gt=0, description="Validate every so many minutes.")
    checkpoint_steps: int | None = Field(None, ge=1, description="Write a checkpoint every so many steps.")
    checkpoint_minutes: float | None = Field(5.0, gt=0, description="Write a checkpoint every so many minutes.")
    keep: int = Field(2, ge=1, description="Checkpoints that are kept, beside the best one.")
    log_steps: int = Field(50, ge=1, description="Write the mean losses every so many steps.")
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = Field((), description="Beside log.jsonl.")
    wandb_mode: Literal["offline", "online"] = Field("offline", description="offline: kept in the run's folder.")
    unreadable: float = Field(0.01, ge=0, le=1, description="Share of samples that may be skipped as unreadable.")

    @model_validator(mode="after")
    def _ends(self) -> Training:
        if self.steps is None and self.minutes is None:
            raise ValueError("say how long: steps or minutes")
        return self


class RecipeConfig(Settings):
    """What every recipe's file holds; a recipe adds its own keys in a subclass."""

    seed: int = Field(0, ge=0, description="Of the first weights, the samples and everything else that is drawn.")
    training: Training


def load_config(
    model: type[C], *layers: Path | Mapping[str, Any], overrides: Iterable[str] = (), source: str = "the configuration"
) -> C:
    """The configuration from layers, later ones over earlier ones, and `key.key=value` overrides over all of them.

    A layer that sets `training.steps` or `training.minutes` takes the other one away from the layers below it.

    Raises:
        InputError: a file cannot be read or is no YAML mapping.
        OptionError: an unknown key (the message lists the known ones) or a value that is not allowed.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _over(merged, read_yaml(layer) if isinstance(layer, Path) else layer)
    for text in overrides:
        merged = _over(merged, _override(text))
    try:
        return model.model_validate(merged)
    except ValidationError as problem:
        raise _explained(model, problem, source) from None


def find_config(name: str) -> Path:
    """The file of that name: a path, or a shipped configuration such as `parser`.

    Raises:
        InputError: neither; the message lists the shipped ones.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = sorted(file.stem for file in FOLDER.glob("*.yaml"))
    if name in shipped:
        return FOLDER / f"{name}.yaml"
    hint = f"Hand in a YAML file or one of: {', '.join(shipped)}."
    raise InputError(f"there is no configuration {name}.", hint=hint)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        InputError: it cannot be read or holds something else.
    """
    yaml = _yaml()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {(problem.strerror or str(problem)).lower()}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise InputError(f"{path} is not YAML: {' '.join(str(problem).split())}.") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no keys.", hint="Write one `key: value` per line.")
    return content


def write_yaml(config: BaseModel) -> str:
    """The whole configuration as YAML, defaults too."""
    return str(_yaml().safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The keys in which two configurations differ."""
    changed = []
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            changed += changes(a, b, f"{prefix}{key}.")
        elif a != b:
            changed.append(f"{prefix}{key}")
    return changed


def _yaml() -> Any:
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("training needs PyYAML.", hint=INSTALL) from None
    return yaml


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if key == "training" and BUDGET & set(value):
                old = {name: kept for name, kept in old.items() if name not in BUDGET}
            value = _over(old, value)
        merged[key] = value
    return merged


def _override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise OptionError(f"--set {text} is not of the form key=value.", hint="For example: --set training.batch=4")
    yaml = _yaml()
    try:
        found: Any = yaml.safe_load(value)
    except yaml.YAMLError:
        found = value
    for name in reversed(key.strip().split(".")):
        found = {name: found}
    return dict(found)


def _explained(model: type[BaseModel], problem: ValidationError, source: str) -> OptionError:
    """The first thing that is wrong, in words; all of them are counted."""
    details = problem.errors(include_url=False)
    first = details[0]
    key = ".".join(str(part) for part in first["loc"]) or "training"
    more = f" ({len(details) - 1} more)" if len(details) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _keys(model, first["loc"][:-1])
        close = difflib.get_close_matches(str(first["loc"][-1]), known, 1)
        guess = f"Did you mean {close[0]}? " if close else ""
        return OptionError(f"{source} has an unknown key {key}{more}.", hint=f"{guess}Known keys: {', '.join(known)}.")
    if first["type"] == "missing":
        return OptionError(f"{source} does not say {key}{more}.", hint=f"Add it to the file, or: --set {key}=…")
    reason = first["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(first["input"], (dict, BaseModel)) else f" = {first['input']!r}"
    return OptionError(f"{source}: {key}{shown} is not allowed{more}.", hint=f"{reason[:1].upper()}{reason[1:]}.")


def _keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The known keys of the group at that place."""
    for part in location:
        field = model.model_fields.get(str(part))
        kinds = [] if field is None else [field.annotation, *get_args(field.annotation)]
        groups = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not groups:
            return []
        model = groups[0]
    return list(model.model_fields)
