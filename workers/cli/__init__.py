"""The command line: `chordal`. Each command is a module that is imported only when it is called.

The help and the shell's completion import all of them. So a command imports in its functions whatever brings NumPy,
h5py, Celery, Redis' client, Rich or SciPy with it.
"""

import importlib
import sys

import click

from pipeline.errors import CancelledError, ChordalError, StoreError, UsageError
from workers.cli.streams import OutputError, ReaderGoneError, standard_streams

COMMANDS = {
    "run": "workers.cli.runs.run:run",
    "scan": "workers.cli.runs.run:scan",
    "labels": "workers.cli.inspect.labels:labels",
    "extract": "workers.cli.runs.run:extract",
    "watch": "workers.cli.runs.watch:watch",
    "train": "workers.cli.runs.run:train",
    "predict": "workers.cli.runs.predict:predict",
    "report": "workers.cli.runs.report:report",
    "status": "workers.cli.inspect.status:status",
    "pause": "workers.cli.runs.control:pause",
    "resume": "workers.cli.runs.control:resume",
    "throttle": "workers.cli.runs.control:throttle",
    "cancel": "workers.cli.runs.control:cancel",
    "failures": "workers.cli.inspect.failures:failures",
    "retry": "workers.cli.inspect.failures:retry",
    "duplicates": "workers.cli.inspect.duplicates:duplicates",
    "models": "workers.cli.inspect.models:models",
    "runs": "workers.cli.inspect.runs:runs",
    "track": "workers.cli.runs.track:track",
    "recipes": "workers.cli.inspect.recipes:recipes",
    "features": "workers.cli.inspect.features:features",
    "store": "workers.cli.inspect.store:store",
    "up": "workers.cli.service.up:up",
    "down": "workers.cli.service.up:down",
    "schedule": "workers.cli.service.schedule:schedule",
    "worker": "workers.cli.service.worker:worker",
    "beat": "workers.cli.service.parts:beat",
    "flower": "workers.cli.service.parts:flower",
    "metrics": "workers.cli.service.parts:metrics",
    "doctor": "workers.cli.setup.doctor:doctor",
    "demo-library": "workers.cli.setup.demo:demo_library",
    "completion": "workers.cli.setup.completion:completion",
    "supervise": "workers.cli.service.up:supervise",
}
"""Command names, in the order the help lists them, and where each is."""


class LazyGroup(click.Group):
    """A group that imports a command when it is needed, so that `chordal --help` and completion answer at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="chordal", prog_name="chordal")
def cli() -> None:
    """Turn a music collection into features, a trained classifier and labelled songs, in bulk.

    \b
    Most people need one command:
        chordal run MUSIC_FOLDER
    It scans the folder, extracts features with Celery workers, tries several models, trains and
    evaluates the best one, and writes a report. Run it again and only new or changed files are
    extracted. `chordal doctor` checks the set-up.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error is one line on standard error, and misuse has exit status 2."""
    try:
        with standard_streams():
            _run(arguments)
    except ReaderGoneError:
        sys.exit(0)
    except OutputError as error:
        _show_error(str(error))
        sys.exit(1)


def _run(arguments: list[str] | None) -> None:
    try:
        cli.main(arguments, prog_name="chordal", standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(0)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        place = context.command_path if context else "chordal"
        _show_error(f"{error.format_message().rstrip('.')}; `{place} --help` tells more")
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        _show_error("stopped; what was finished is kept, and the same command goes on from there")
        sys.exit(130)
    except (OutputError, ReaderGoneError):
        raise
    except CancelledError as error:
        _show_error(str(error))
        sys.exit(130)
    except UsageError as error:
        _show_error(str(error))
        sys.exit(2)
    except ChordalError as error:
        _show_error(str(error))
        sys.exit(2 if isinstance(error, (StoreError, ConnectionError)) else 1)
    except OSError as error:
        _show_error(_system_reason(error))
        sys.exit(2)


def _system_reason(error: OSError) -> str:
    """Return what the system refused where nobody awaited it, as in a current folder that is gone."""
    from pipeline.text import printable
    from storage import durable

    name = "" if error.filename is None else f"{printable(str(error.filename))}: "
    return f"{name}{durable.reason(error)}"


def _show_error(text: str) -> None:
    click.echo("chordal: " + " ".join(text.split()), err=True)
