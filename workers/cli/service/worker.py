"""`chordal worker`: a Celery worker for some of the queues."""

import os
from pathlib import Path

import click

from pipeline.errors import UsageError
from workers.cli import options
from workers.cli.streams import treat_output_as_progress
from workers.processes.environment import QUIET
from workers.processes.startup import quick_imports


@click.command()
@options.home
@options.broker
@click.option(
    "--queues",
    default="extract,store,tune,train",
    show_default=True,
    metavar="LIST",
    help="Queues to work on: extract, store, tune, train; or schedule alone.",
)
@click.option("--concurrency", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: one per core]")
@click.option("--name", metavar="NAME", help="Shown in Flower.  [default: made from the queues]")
@click.option(
    "--map",
    "maps",
    type=click.Path(),  # so that the variable's value is cut at colons
    multiple=True,
    envvar="CHORDAL_MAP",
    show_envvar=True,
    metavar="THERE=HERE",
    help="Where a folder of the scanning host lies on this one, as /music=/mnt/nas/music; may be repeated.",
)
@click.option("--families", default="", hidden=True)  # the only ones it will be asked for; by default any
@click.option("--end-with-parent", is_flag=True, hidden=True)
def worker(
    home_path: str,
    broker: str | None,
    queues: str,
    concurrency: int | None,
    name: str | None,
    maps: tuple[str, ...],
    families: str,
    *,
    end_with_parent: bool,
) -> None:
    """Work for runs that use the same broker and home, until stopped with Ctrl-C.

    \b
    On each host, with the home on a shared folder:
        chordal worker --home /shared/chordal --broker redis://broker:6379/0 --queues extract,store
    """
    treat_output_as_progress()  # Celery's banner
    # Before NumPy or TensorFlow are imported: they read these when they load.
    for variable, value in QUIET.items():
        os.environ.setdefault(variable, value)

    with quick_imports():
        from workers.app.path_map import parse_all
        from workers.app.settings import QUEUES, SCHEDULE
        from workers.broker.address import BrokerAddress
        from workers.worker import start

    names = [queue.strip() for queue in queues.split(",") if queue.strip()]
    unknown = sorted(set(names) - {*QUEUES, SCHEDULE})
    if unknown or not names:
        raise UsageError(f"queues {queues}: {', '.join(unknown) or 'none given'}; choose from {', '.join(QUEUES)}")
    if not broker:
        raise UsageError("broker: none given; name the one that runs use with --broker or CHORDAL_BROKER")
    start.serve(
        home=Path(home_path),
        broker=BrokerAddress.parse(broker),
        queues=names,
        concurrency=concurrency or os.cpu_count() or 1,
        name=name,
        end_with_parent=end_with_parent,
        families=tuple(filter(None, families.split(","))),
        maps=parse_all(maps),
    )
