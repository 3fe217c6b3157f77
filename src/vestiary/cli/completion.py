"""`vestiary completion`: print the script that completes commands, options and engine names in a shell."""

from __future__ import annotations

import click

from vestiary.cli import options, say

_HOW = {
    "bash": 'eval "$(vestiary completion bash)"      # into ~/.bashrc',
    "zsh": 'eval "$(vestiary completion zsh)"       # into ~/.zshrc',
    "fish": "vestiary completion fish | source       # into ~/.config/fish/config.fish",
}


@click.command("completion", epilog="\b\nTo have it in every shell:\n  " + "\n  ".join(_HOW.values()))
@click.argument("shell", type=click.Choice(list(_HOW)))
@options.common
def command(shell: str, as_json: bool) -> None:
    """Print the script that completes commands in your shell."""
    from click.shell_completion import get_completion_class

    from vestiary.cli.main import cli

    completion = get_completion_class(shell)
    assert completion is not None
    script = completion(cli, {}, "vestiary", "_VESTIARY_COMPLETE").source()
    if as_json:
        say.data({"shell": shell, "script": script})
    else:
        click.echo(script)
