"""Write docs/cli.md, docs/api.md and docs/errors.md from the code; with --check, only say whether they are fresh."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

import vestiary
from vestiary import errors
from vestiary.cli.main import EXIT_INTERNAL, EXIT_SOME_FAILED, cli
from vestiary.registry import list_engines
from vestiary.types import LANDMARKS_OF, Joint, Landmark, Part

DOCS = Path(__file__).parents[1] / "docs"
NOTE = "<!-- Written by `make docs` from the code: change the code, not this file. -->\n"
WIDTH = 100


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check name those that are not fresh; 1 if there are any."""
    stale = []
    for name, make in {"cli.md": cli_page, "api.md": api_page, "errors.md": errors_page}.items():
        text = f"{NOTE}\n{make().rstrip()}\n"
        path = DOCS / name
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(f"docs/{name}")
    for name in stale:
        print(f"{name} is not what the code says; type: make docs", file=sys.stderr)
    return 1 if stale else 0


def cli_page() -> str:
    """Every command's help."""
    top = click.Context(cli, info_name="vestiary", **{**cli.context_settings, "terminal_width": WIDTH})
    parts = ["# The command line\n", _help(cli, top)]
    for name in cli.list_commands(top):
        command = cli.get_command(top, name)
        assert command is not None
        parts.extend(_command(command, name, top, 2))
    parts.append("## Engines and their options\n")
    parts.extend(_engine(name) for name in list_engines())
    parts.append(_EXIT_CODES.format(some=EXIT_SOME_FAILED, internal=EXIT_INTERNAL))
    return "\n".join(parts)


def _command(command: click.Command, name: str, parent: click.Context, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH)
    yield f"{'#' * level} {context.command_path}\n"
    yield _help(command, context)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from _command(found, inner, context, level + 1)


def _help(command: click.Command, context: click.Context) -> str:
    return f"```text\n{command.get_help(context)}\n```\n"


def _engine(name: str) -> str:
    """An engine's summary and options, as `vestiary engines` prints them."""
    spec = list_engines()[name]
    lines = [f"* **{name}** ({spec.licence}): {spec.summary}"]
    if spec.install:
        lines.append(f"  Needs `{spec.install}`.")
    module, _, attribute = spec.target.partition(":")  # not loaded: the page is the same where a dependency is missing
    for field_name, field in getattr(importlib.import_module(module), attribute).Options.model_fields.items():
        lines.append(f"  * `{field_name}` = `{field.default}`: {field.description}")
    return "\n".join([*lines, ""])


_EXIT_CODES = """## Exit codes

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | `vestiary doctor` found something that is not well |
| 2 | what was handed in cannot be used, or the command was typed wrongly |
| 3 | the result cannot be written where it should go |
| 4 | an optional dependency is not installed |
| 5 | a model file is missing, broken, or cannot be fetched |
| 6 | an engine failed on good input |
| {some} | some fittings of a batch failed; the report says which and why |
| {internal} | a fault of Vestiary |
| 130 | stopped with Ctrl-C; nothing is half written |

Data goes to standard output, words for people to standard error. With `--json` a command that fails prints
`{{"error": {{"code", "message", "hint", "exit_code"}}}}` on standard output; the codes are in [errors.md](errors.md).
"""


def errors_page() -> str:
    """The error tree and its codes."""
    tree = inspect.getdoc(errors)
    assert tree is not None
    rows = ["| class | code | exit code | HTTP status | meaning |", "| --- | --- | --- | --- | --- |"]
    for kind in _subclasses(errors.VestiaryError):
        meaning = (inspect.getdoc(kind) or "").partition("\n")[0]
        rows.append(f"| `{kind.__name__}` | `{kind.code}` | {kind.exit_code} | {kind.http_status} | {meaning} |")
    return "# Errors\n\n" + _as_markdown(tree) + "\n\n" + "\n".join(rows)


def _subclasses(kind: type[errors.VestiaryError]) -> Iterator[type[errors.VestiaryError]]:
    yield kind
    for inner in kind.__subclasses__():
        if inner.__module__ == errors.__name__:  # not the private refinements of other modules
            yield from _subclasses(inner)


def api_page() -> str:
    """Every public name, in the order of `vestiary.__all__`."""
    parts = ["# The Python interface\n", _as_markdown(inspect.getdoc(vestiary) or "")]
    names = [name for name in vestiary.__all__ if not name.startswith("_")]
    for name in names:
        value = getattr(vestiary, name)
        if inspect.isclass(value) and issubclass(value, errors.VestiaryError):
            continue
        parts.append(f"\n## {name}\n")
        parts.append("\n".join(_class(value) if inspect.isclass(value) else _function(value, name)))
    listed = ", ".join(f"`{name}`" for name in names if name.endswith(("Error", "Cancelled")))
    parts.append(f"\n## Errors\n\n{listed}: see [errors.md](errors.md).")
    parts.append("\n## Indices\n\nFrom `vestiary.types`.")
    parts.extend(_index(kind) for kind in (Joint, Landmark, Part))
    kinds = (f"* {kind}: {', '.join(mark.name for mark in marks)}" for kind, marks in LANDMARKS_OF.items())
    parts.append("\nThe landmarks of each category:\n\n" + "\n".join(kinds))
    return "\n".join(parts)


def _index(kind: type[enum.IntEnum]) -> str:
    members = ", ".join(f"{member.value} {member.name}" for member in kind)
    return f"\n### {kind.__name__}\n\n{_as_markdown(inspect.getdoc(kind) or '')}\n\n{members}"


def _function(value: Callable[..., Any], name: str) -> Iterator[str]:
    yield f"```python\n{name}{_signature(value)}\n```\n"
    yield _as_markdown(inspect.getdoc(value) or "")


def _signature(value: Callable[..., Any]) -> str:
    """The signature on one line, or one parameter a line when it is long."""
    signature = inspect.signature(value)
    line = _plain(str(signature))
    if len(line) < WIDTH - 15:
        return line
    parts = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        parts.append(_plain(str(parameter)))
    inside = "".join(f"    {part},\n" for part in parts)
    return f"(\n{inside}) -> {signature.return_annotation}"


def _plain(text: str) -> str:
    """Annotations without the quotes that they have as strings; numbers grouped."""
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)
    return re.sub(r"\d{5,}", lambda found: f"{int(found[0]):_}", text)


def _class(kind: type) -> Iterator[str]:
    yield _as_markdown(inspect.getdoc(kind) or "")
    fields = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
    for name, member in vars(kind).items():
        if name.startswith("_") or name in fields or not inspect.isfunction(member):
            continue
        yield f"\n### {kind.__name__}.{name}\n"
        yield from _function(member, name)


def _as_markdown(text: str) -> str:
    """A docstring as Markdown: `Args:`, `Attributes:` and `Raises:` become lists."""
    lines: list[str] = []
    inside = False
    for line in re.sub(r" *# doctest: \+SKIP", "", text).split("\n"):
        if re.fullmatch(r"(Args|Attributes|Raises|Returns):", line):
            inside = True
            lines.extend([f"**{line.removesuffix(':')}**", ""])
        elif inside and (item := re.match(r" {4}(\w+): (.*)", line)):
            lines.append(f"* `{item[1]}`: {item[2]}")
        elif inside and line.startswith("     "):
            lines[-1] += " " + line.strip()
        else:
            inside = inside and not line
            lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
