"""`chordal completion`: the shell's tab key."""

import click
from click.shell_completion import get_completion_class

from pipeline.errors import UsageError


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
        bash:  eval "$(chordal completion bash)"      in ~/.bashrc
        zsh:   eval "$(chordal completion zsh)"       in ~/.zshrc
        fish:  chordal completion fish | source       in ~/.config/fish/config.fish
    """
    from workers.cli import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"shell {shell}: no completion for it")
    click.echo(kind(cli, {}, "chordal", "_CHORDAL_COMPLETE").source())
