"""The parts of a service, a command each: beat, Flower, metrics."""

from typing import TYPE_CHECKING

import click

from pipeline.errors import BrokerError, UsageError
from workers.cli import options

if TYPE_CHECKING:
    from storage.home import Home
    from workers.app.settings import Settings

LOOPBACK = "127.0.0.1"

AUTH = "CHORDAL_FLOWER_AUTH"

end_with_parent = click.option("--end-with-parent", is_flag=True, hidden=True)

flower_auth = click.option(
    "--flower-auth",
    envvar=AUTH,
    show_envvar=True,
    metavar="USER:PASSWORD",
    help="Ask for it before Flower shows anything. Other users of this host can read a command line: set the variable.",
)

flower_prefix = click.option(
    "--flower-prefix",
    default="",
    metavar="PATH",
    help="Serve it below this path, e.g. /flower, for a reverse proxy that hands such addresses on as they are.",
)


@click.command()
@options.home
@options.broker
@end_with_parent
def beat(home_path: str, broker: str | None, *, end_with_parent: bool) -> None:
    """Send what the schedule of a home says is due, for `chordal worker --queues schedule` to do.

    Any number may run; one acts.
    """
    from workers.schedule.beat import beat

    _, settings = _prepare(home_path, broker, end_with_parent=end_with_parent)
    beat(settings)


@click.command()
@options.home
@options.broker
@click.option("--port", type=click.IntRange(1, 65535), default=5555, show_default=True, metavar="PORT")
@click.option("--address", default=LOOPBACK, show_default=True, metavar="IP")
@flower_auth
@flower_prefix
@end_with_parent
def flower(
    home_path: str,
    broker: str | None,
    port: int,
    address: str,
    flower_auth: str | None,
    flower_prefix: str,
    *,
    end_with_parent: bool,
) -> None:
    """Serve Flower, which shows runs, tasks and workers, with its history in the home."""
    from workers.service import flower as service_flower

    service_flower.check_guarded(address, flower_auth)
    prefix = service_flower.parse_prefix(flower_prefix)
    home, settings = _prepare(home_path, broker, end_with_parent=end_with_parent)
    service_flower.serve(home, settings, address=address, port=port, auth=flower_auth, prefix=prefix)


@click.command()
@options.home
@options.broker
@click.option("--port", type=click.IntRange(1, 65535), default=9150, show_default=True, metavar="PORT")
@click.option("--address", default=LOOPBACK, show_default=True, metavar="IP")
@end_with_parent
def metrics(home_path: str, broker: str | None, port: int, address: str, *, end_with_parent: bool) -> None:
    """Serve the metrics that Prometheus collects, on /metrics; they say so while the broker is away."""
    from workers.service import metrics

    home, settings = _prepare(home_path, broker, end_with_parent=end_with_parent, may_be_away=True)
    metrics.serve(home, settings.broker, address=address, port=port)


def _prepare(
    home_path: str, broker: str | None, *, end_with_parent: bool, may_be_away: bool = False
) -> "tuple[Home, Settings]":
    """Return the home and the settings of a part of a service.

    Raises `UsageError` for no broker, `BrokerError` for one that does not answer, unless it may be away.
    """
    from storage.home import prepare_home
    from workers.app.settings import Settings
    from workers.broker import health
    from workers.broker.address import BrokerAddress
    from workers.processes.child import end_with_parent as watch_parent
    from workers.processes.environment import prepare_process

    if not broker:
        raise UsageError("broker: none given; name the one that runs use with --broker or CHORDAL_BROKER")
    address = BrokerAddress.parse(broker)
    try:
        health.require(address)
    except BrokerError as error:
        if not may_be_away:
            raise
        click.echo(f"chordal: {error}", err=True)
    if end_with_parent:
        watch_parent()
    home = prepare_home(home_path)
    prepare_process(home.path)
    return home, Settings(home=str(home.path), broker=address)
