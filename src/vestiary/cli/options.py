"""Options that several commands share, and the options of an engine, derived from its `Options` model."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin

import click

from vestiary.errors import MissingExtraError, UnknownEngineError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

F = TypeVar("F", bound=Callable[..., Any])
PREFIX = "option_"  # of the parameters that belong to the engine
DEFAULT_ENGINE = "embedded"
LAYERS = "layers"  # an engine's option of this name (keep intermediate pictures) is answered by --layers DIR
_CHOSEN = "vestiary.engine"
PATH = click.Path()  # no check of its own: the library's messages are better
LAYERS_HELP = "Write every intermediate picture into this folder."


def common(command: F) -> F:
    """Add --json (as `as_json`) and --debug."""
    command = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")(command)
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def max_pixels(command: F) -> F:
    """Add --max-pixels."""
    return click.option(
        "--max-pixels",
        type=click.IntRange(min=1),
        default=64_000_000,
        show_default=True,
        metavar="N",
        help="Refuse larger pictures.",
    )(command)


def engine(command: F) -> F:
    """Add --engine."""
    return click.option(
        "--engine",
        default=DEFAULT_ENGINE,
        show_default=True,
        metavar="NAME",
        help="How garments are put on; see `vestiary engines`.",
        shell_complete=_complete_engine,
    )(command)


def _complete_engine(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from vestiary.registry import list_engines

    return [CompletionItem(name) for name in list_engines() if name.startswith(incomplete)]


class EngineCommand(click.Command):
    """A command that has the options of the engine chosen with --engine, besides its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_CHOSEN] = chosen = _chosen_engine(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption:
            _require(chosen)  # an engine that is not installed has options that nobody here knows
            raise

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        *own, help_option = super().get_params(ctx)
        return [*own, *self.of_the_engine(ctx), help_option]

    def of_the_engine(self, ctx: click.Context) -> list[click.Parameter]:
        """The options that the chosen engine brings."""
        taken = {flag for param in self.params for flag in param.opts}
        try:
            return engine_options(ctx.meta.get(_CHOSEN, DEFAULT_ENGINE), taken)
        except UnknownEngineError:
            if ctx.resilient_parsing:  # the shell completes a line that is not finished
                return []
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        theirs = self.of_the_engine(ctx)
        own = [param for param in self.get_params(ctx) if param not in theirs]
        engine_title = f"Options of the engine {ctx.meta.get(_CHOSEN, DEFAULT_ENGINE)}"
        for title, params in (("Options", own), (engine_title, theirs)):
            flags = (param for param in params if isinstance(param, click.Option))
            rows = [row for param in flags if (row := param.get_help_record(ctx)) is not None]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _chosen_engine(args: list[str]) -> str:
    """The value of --engine before click has read anything; the last one counts, as in click."""
    chosen = DEFAULT_ENGINE
    for here, following in zip(args, [*args[1:], ""], strict=False):  # there may be no arguments at all
        if here == "--":
            break
        if here == "--engine":
            chosen = following
        elif here.startswith("--engine="):
            chosen = here.removeprefix("--engine=")
    return chosen


def _require(engine_name: str) -> None:
    """Nothing, when the engine is installed; else a MissingExtraError with the pip line."""
    from vestiary.registry import load_engine

    load_engine(engine_name)


_derived: dict[tuple[str, frozenset[str]], list[click.Parameter]] = {}


def engine_options(name: str, taken: set[str]) -> list[click.Parameter]:
    """One click option for every field of the engine's `Options`; none if the engine is not installed.

    Args:
        name: the engine's.
        taken: flags that the command uses itself; an engine's option of that name becomes `--NAME-flag`.

    Raises:
        UnknownEngineError: no engine has that name.
    """
    key = name, frozenset(taken)
    if key not in _derived:
        from vestiary.registry import load_engine

        try:
            model = load_engine(name).Options
        except MissingExtraError:
            return []
        _derived[key] = list(_options_of(model, name, taken))
    return _derived[key]


def _options_of(model: type[BaseModel], engine_name: str, taken: set[str]) -> Iterator[click.Parameter]:
    for field_name, field in model.model_fields.items():
        if field_name == LAYERS:
            continue
        flag = "--" + field_name.replace("_", "-")
        if flag in taken:
            flag = f"--{engine_name}-{flag[2:]}"
        yield click.Option(
            [f"{flag}/--no-{flag[2:]}" if _plain(field.annotation) is bool else flag, PREFIX + field_name],
            type=_click_type(field),
            default=field.get_default(call_default_factory=True),
            show_default=field.default is not None,
            required=field.is_required(),
            help=field.description,
        )


def _plain(annotation: Any) -> Any:
    """The type without `| None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [part for part in get_args(annotation) if part is not type(None)]
        return rest[0] if len(rest) == 1 else str
    return annotation


def _click_type(field: FieldInfo) -> Any:
    kind = _plain(field.annotation)
    if get_origin(kind) is Literal:
        return click.Choice([str(value) for value in get_args(kind)])
    if kind not in (int, float):
        return bool if kind is bool else str
    bounds = {
        name: getattr(note, name) for note in field.metadata for name in ("ge", "gt", "le", "lt") if hasattr(note, name)
    }
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if low is None and high is None:
        return kind
    ranged: type[click.IntRange | click.FloatRange] = click.IntRange if kind is int else click.FloatRange
    return ranged(low, high, min_open="gt" in bounds, max_open="lt" in bounds)


def engine_values(
    engine_name: str, parameters: Mapping[str, Any], *, garments: int = 1, layers: bool = False, runs_here: bool = True
) -> dict[str, Any]:
    """The engine's own options that were typed, out of all parameters of a command, by field name.

    What was not typed is left out: an engine may have better defaults than its options say, such as a model's own.

    Args:
        engine_name: the engine.
        parameters: of the command.
        garments: how many there are in each fitting.
        layers: whether intermediate pictures are wanted.
        runs_here: otherwise the options are only read: the weights that they name may be on other machines.

    Raises:
        InputError: what the engine does not take, or weights that are not there; said before any photo is looked at.
    """
    from vestiary.api import check_request
    from vestiary.registry import load_engine

    engine = load_engine(engine_name)
    typed = (name for name in parameters if name.startswith(PREFIX) and _is_typed(name))
    values = {name.removeprefix(PREFIX): parameters[name] for name in typed}
    values |= {LAYERS: True} if layers and LAYERS in engine.Options.model_fields else {}
    if runs_here:
        check_request(engine_name, engine, garments, values)
    return values


def _is_typed(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is not click.core.ParameterSource.DEFAULT


def check_garments(engine_name: str, garments: tuple[str, ...]) -> None:
    """Make sure that garments were named, where the engine needs one."""
    from vestiary.errors import GarmentError
    from vestiary.registry import check_garments as check

    try:
        check(engine_name, len(garments))
    except GarmentError as problem:
        raise click.UsageError(f"Missing argument 'GARMENT...': {problem}") from None
