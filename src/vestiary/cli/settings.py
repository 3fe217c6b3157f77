"""The service's settings as flags: derived from `vestiary.serve.settings.Settings`, the only place where they are."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import click

from vestiary.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from vestiary.serve.settings import Settings

PREFIX = "setting_"  # of the parameters that belong to the service
_LISTS = {"cors_origins": "--cors-origin", "url_hosts": "--url-host"}  # given once for each


class SettingsCommand(click.Command):
    """A command that has the service's settings as flags, besides its own; `only` names those it has."""

    only: frozenset[str] = frozenset()

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        *own, help_option = super().get_params(ctx)
        taken = {flag for param in self.params for flag in param.opts}
        flags = [flag for flag in setting_flags(self.only) if not taken & set(flag.opts)]
        return [*flags, *own, help_option]


class DatabaseCommand(SettingsCommand):
    """A command that needs only the service's database."""

    only = frozenset({"database"})


def setting_flags(only: Iterable[str] = ()) -> list[click.Parameter]:
    """One click option for each setting. None has a default of its own: what is not given may be in the environment.

    Raises:
        MissingExtraError: the extra `serve` is not installed.
    """
    fields = settings_class().model_fields
    return [_flag(name, field) for name, field in fields.items() if not only or name in only]


def read_settings(parameters: Mapping[str, Any], **others: Any) -> Settings:
    """The settings out of all parameters of a command, and of the environment.

    Raises:
        OptionError: a value that is not allowed.
    """
    from pydantic import ValidationError

    given = {
        name.removeprefix(PREFIX): value
        for name, value in parameters.items()
        if name.startswith(PREFIX) and value not in (None, ())
    }
    try:
        return settings_class()(**(others | given))
    except ValidationError as problem:
        first = problem.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        hint = f"Give {_flag_name(name)}, or correct VESTIARY_{name.upper()} in the environment."
        raise OptionError(f"setting {name!r}: {first['msg'].lower()}.", hint=hint) from None


def settings_class() -> type[Settings]:
    """The class `Settings`.

    Raises:
        MissingExtraError: the extra `serve` is not installed.
    """
    try:
        from vestiary.serve.settings import Settings
    except ImportError:
        raise MissingExtraError("the service is not installed.", hint='Type: pip install "vestiary[serve]"') from None
    return Settings


def _flag_name(name: str) -> str:
    return _LISTS.get(name, "--" + name.replace("_", "-"))


def _flag(name: str, field: FieldInfo) -> click.Option:
    kind = _plain(field.annotation)
    flag = _flag_name(name)
    text = field.description or ""
    default = field.default
    if default not in (None, (), "") and kind is not bool:
        text += f"  [default: {default}]"
    return click.Option(
        [f"{flag}/--no-{flag[2:]}" if kind is bool else flag, PREFIX + name],
        type=_click_type(kind),
        default=None,
        multiple=name in _LISTS,
        metavar="FILE" if kind is Path else None,
        help=text,
    )


def _plain(annotation: Any) -> Any:
    """The type without `| None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def _click_type(kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return click.Choice([str(value) for value in get_args(kind)])
    return kind if kind in (int, float, bool) else str
