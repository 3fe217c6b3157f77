"""The command `vestiary`: finds the sub-command, runs it, and turns what goes wrong into one message and an exit code.

Nothing heavy is imported here: every sub-command lives in a file of its own, imported when it is used.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence

import click

from vestiary import __version__
from vestiary.errors import VestiaryError

EXIT_SOME_FAILED = 7
EXIT_INTERNAL = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130

# name: (module in this folder, one line for the list of commands)
COMMANDS = {
    "try": ("try_", "Put one or more garments on a person."),
    "studio": ("studio", "Open the fitting room in the browser."),
    "scan": ("scan", "Show what is seen in a photo of a person."),
    "garment": ("garment", "Show what is seen in a photo of a garment."),
    "verify": ("verify", "Show what a picture says of where it comes from."),
    "batch": ("batch", "Fit many pairs: from a CSV, or two folders."),
    "evaluate": ("evaluate", "Judge an engine or finished pictures on pairs."),
    "rate": ("rate", "Let people rate pictures without knowing whose they are."),
    "bench": ("bench", "Measure time, memory and energy of each step."),
    "engines": ("engines", "List the engines and their options."),
    "train": ("train", "Train one of the networks."),
    "export": ("export", "Write a trained network as ONNX, also in INT8."),
    "weights": ("weights", "List, fetch and locate the networks' files."),
    "dataset": ("dataset", "Look a data folder through before training."),
    "synth": ("synth", "Render pairs of made-up people with exact ground truth."),
    "serve": ("serve", "Run the service: photos in, fitted pictures out, over HTTP."),
    "cluster": ("cluster", "Fit catalogues of millions of pairs on several machines."),
    "keys": ("keys", "Make, list and revoke API keys."),
    "doctor": ("doctor", "Check this installation."),
    "demo": ("demo", "Fit sample garments on sample people and make a page of it."),
    "completion": ("completion", "Print the script that completes commands in your shell."),
}


class Commands(click.Group):
    """A group that imports a command when it is run, and lists all of them without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"vestiary.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="vestiary %(version)s")
def cli() -> None:
    """An open virtual fitting room: photos of a person and of garments in, that person wearing them out.

    \b
        vestiary try person.jpg shirt.jpg -o out.png

    Every command takes --json, which prints its result as JSON on standard output, and --debug.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and answer with its exit code (see `vestiary.errors`; 7: some of a batch failed)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given or bool(os.environ.get("VESTIARY_DEBUG"))
    if not debug:
        warnings.simplefilter("ignore")  # they speak to programmers
        os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # the hub's library tells of each try
        if arguments is None:
            _hush_native_code()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that no half file stays
    try:
        code = cli.main(args=given, prog_name="vestiary", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as problem:
        click.echo(problem.format_message(), err=True)
        return problem.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("--json" in given, "cancelled", "stopped; nothing is half written.", "", EXIT_INTERRUPTED)
    except click.ClickException as problem:
        where = problem.ctx.command_path if isinstance(problem, click.UsageError) and problem.ctx else "vestiary"
        hint = f"See: {where} --help"
        return _fail("--json" in given, "usage", problem.format_message(), hint, problem.exit_code)
    except VestiaryError as problem:
        if debug:
            traceback.print_exc()
        return _fail("--json" in given, problem.code, problem.message, problem.hint, problem.exit_code)
    except Exception as problem:
        if debug:
            traceback.print_exc()
        hint = "This is a fault of Vestiary. Run it again with --debug and report what it prints."
        message = f"unexpected {type(problem).__name__}: {problem}"
        return _fail("--json" in given, "internal", message, hint, EXIT_INTERNAL)


def _hush_native_code() -> None:
    """Keep standard error for what this program says: model runtimes write notes of their own to descriptor 2."""
    own = os.dup(2)
    sys.stderr = open(own, "w", encoding=sys.stderr.encoding, errors="backslashreplace", buffering=1)  # noqa: SIM115
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _fail(as_json: bool, code: str, message: str, hint: str, exit_code: int) -> int:
    """Say once what went wrong: as words on standard error, or as JSON on standard output."""
    if as_json:
        error = {"code": code, "message": message, "hint": hint, "exit_code": exit_code}
        click.echo(json.dumps({"error": error}, indent=2, ensure_ascii=False))
    else:
        click.echo(f"vestiary: {message}" + (f"\n  {hint}" if hint else ""), err=True)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
