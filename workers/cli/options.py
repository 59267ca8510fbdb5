"""Options that several commands share."""

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

LAYOUT_NAMES = (
    "gtzan",
    "urbansound8k",
    "esc50",
    "fma",
    "mtg-jamendo",
    "magnatagatune",
    "speech-commands",
    "ballroom",
)
"""As in `pipeline.library.layouts`, which is not imported for `--help`."""

Command = TypeVar("Command", bound=Callable[..., Any])


def _home_of(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    """Return the folder of `--home`. Raises `UsageError` for a `~` that stands for no folder."""
    from workers.processes.environment import expand_home, set_user_environment

    path = expand_home(given)
    set_user_environment(path)
    return str(path) if given.startswith("~") else given


def home(command: Command) -> Command:
    """Add `--home`; the command's parameter is `home_path`, a string.

    Where this user has no home folder of the system's, libraries get one below this one, whatever the command is.
    """
    return click.option(
        "--home",
        "home_path",
        envvar="CHORDAL_HOME",
        default="./chordal-home",
        show_default=True,
        show_envvar=True,
        metavar="DIR",
        callback=_home_of,
        help="Folder of the store, runs, models, reports and logs: the one to back up or delete.",
    )(command)


def as_json(command: Command) -> Command:
    """Add `--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object on standard output and no progress."
    )(command)


def broker(command: Command) -> Command:
    """Add `--broker`."""
    return click.option(
        "--broker",
        envvar="CHORDAL_BROKER",
        show_envvar=True,
        metavar="URL",
        help="Use this Redis or Valkey (redis://HOST:PORT/DB, rediss://, sentinel://), or RabbitMQ with a Redis for "
        "results (amqp://...;redis://...), and its workers.  [default: a private server]",
    )(command)


def walk_options(command: Command) -> Command:
    """Add the options that say which files of a library are left out."""
    command = click.option(
        "--include-hidden", is_flag=True, help="Also files and folders whose name begins with a dot."
    )(command)
    return click.option(
        "--exclude",
        multiple=True,
        metavar="GLOB",
        help="Leave out what this pattern names, as in a .chordalignore file: '*.tmp', 'Podcasts/', '/Live/**'; may be "
        "repeated.",
    )(command)


def vocabulary(command: Command) -> Command:
    """Add `--vocabulary`."""
    return click.option(
        "--vocabulary",
        metavar="FILE",
        help="Fold labels to the names of this TOML file, or of `default`; `none` folds nothing.  [default: what the "
        "recipe says, else none]",
    )(command)


def label_options(command: Command) -> Command:
    """Add the options that say what becomes of the labels that are found."""
    command = click.option(
        "--multi",
        is_flag=True,
        help="Keep all labels of a file, as tag:genre gives several; the first is learned from.",
    )(command)
    return vocabulary(command)


def library_options(command: Command) -> Command:
    """Add the options that say how files are labelled, grouped and folded, and with which recipe."""
    options = [
        click.option(
            "--recipe", default="default", show_default=True, metavar="NAME|FILE", help="A recipe's name or TOML file."
        ),
        click.option(
            "--labels",
            metavar="SPEC",
            help="Labels from: folder (the parent folder), name:REGEX, csv:FILE, tag:genre.  [default: what the recipe "
            "says, else folder]",
        ),
        click.option(
            "--groups",
            metavar="SPEC",
            help="Tracks that must stay together in a split: name:REGEX, csv, tag:artist, tag:album, folder:N.",
        ),
        click.option(
            "--folds", metavar="SPEC", help="Predefined folds to cross-validate over: same forms as --groups."
        ),
        click.option(
            "--layout",
            type=click.Choice(LAYOUT_NAMES),
            metavar="NAME",
            help=f"Labels, groups and folds of a data set as it is published: {', '.join(LAYOUT_NAMES)}.",
        ),
        click.option(
            "--no-cue",
            "cue",
            is_flag=True,
            flag_value=False,
            default=True,
            help="Leave albums that are one file whole, whatever cue sheets say.",
        ),
        click.option("--seed", type=int, default=1, show_default=True, help="Repeats a run exactly."),
        click.option(
            "--trials", type=click.IntRange(min=1), metavar="N", help="Overrides the recipe's number of trials."
        ),
        click.option("--quick", is_flag=True, help="Take the recipe's quick form: fewer trials and epochs."),
        click.option(
            "--mlflow",
            envvar="CHORDAL_MLFLOW",
            show_envvar=True,
            metavar="URI",
            help="Tell this MLflow of what is learned: http://HOST:5000, sqlite:////PATH/mlflow.db.",
        ),
        click.option(
            "--max-duration",
            type=click.FloatRange(min=1),
            default=4 * 3600.0,
            metavar="SECONDS",
            help="Longer files are recorded as too_large.  [default: 14400]",
        ),
        click.option(
            "--leave-out-classes",
            is_flag=True,
            help="Learn without classes none of whose tracks can be learned from; without it the run is refused.",
        ),
        click.option(
            "--dual-mono",
            is_flag=True,
            help="Measure the loudness of each track, of mono files as from two loudspeakers: +3 LU.",
        ),
    ]
    command = walk_options(command)
    command = label_options(command)
    for option in reversed(options):
        command = option(command)
    return command


def work_options(command: Command) -> Command:
    """Add the options that say who does the work."""
    command = broker(command)
    command = click.option(
        "--priority",
        type=click.Choice(["high", "normal", "low"]),
        default="normal",
        show_default=True,
        help="Whose tasks go first where several runs share workers (--broker).",
    )(command)
    return click.option(
        "--workers",
        type=click.IntRange(min=1),
        metavar="N",
        help="Worker processes to start.  [default: one per core; none with --broker]",
    )(command)


class NotifyTarget(click.types.StringParamType):
    """Somebody who is told; the variable has one on each line, as a command has spaces."""

    envvar_list_splitter = "\n"


def notify(command: Command) -> Command:
    """Add `--notify` for a command that works long; its parameter `notify` has what was given, in order."""
    return click.option(
        "--notify",
        type=NotifyTarget(),
        multiple=True,
        envvar="CHORDAL_NOTIFY",
        show_envvar=True,
        metavar="TARGET",
        help="Tell a command, https://HOST/PATH or mailto:SOMEBODY@HOST how it ended; may be repeated.",
    )(command)


def emit(summary: dict[str, Any]) -> None:
    """Print a JSON object on standard output; odd bytes of file names stay escaped."""
    json.dump(summary, sys.stdout, ensure_ascii=True, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write("\n")
    sys.stdout.flush()


class PathName(click.types.StringParamType):
    """A folder or file; an empty name, as of a variable that is not set, would be the folder one is in."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name. Raises `click.BadParameter` for an empty one."""
        path: str = super().convert(value, param, ctx)
        if not path.strip():
            self.fail("an empty name; name a folder, `.` for the one you are in", param, ctx)
        return path
