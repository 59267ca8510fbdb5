"""`chordal up` and `down`: the service of a home; and the parts it is made of, each a command."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.cli import options

if TYPE_CHECKING:
    from workers.service import Service
    from workers.supervising import Options

LOOPBACK = "127.0.0.1"
AUTH = "CHORDAL_FLOWER_AUTH"
OPTIONS = "CHORDAL_SERVICE"

end_with_parent = click.option("--end-with-parent", is_flag=True, hidden=True)

flower_auth = click.option(
    "--flower-auth",
    envvar=AUTH,
    show_envvar=True,
    metavar="USER:PASSWORD",
    help="Ask for it before Flower shows anything. Other users of this host can read a command line: set the variable.",
)


@click.command()
@options.broker
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    metavar="N",
    help="Worker processes for each kind of work; 0: they are on other hosts.  [default: one per core]",
)
@click.option("--flower-port", type=click.IntRange(1, 65535), default=5555, show_default=True, metavar="PORT")
@click.option("--flower-address", default=LOOPBACK, show_default=True, metavar="IP")
@flower_auth
@click.option("--no-flower", is_flag=True, help="Start no Flower.")
@click.option("--metrics-port", type=click.IntRange(1, 65535), default=9150, show_default=True, metavar="PORT")
@click.option("--metrics-address", default=LOOPBACK, show_default=True, metavar="IP")
@click.option("--no-metrics", is_flag=True, help="Start no page for Prometheus.")
@click.option("--foreground", is_flag=True, help="Do not return: be the service, until stopped.")
@options.home
@options.as_json
def up(**given: Any) -> None:
    """Start the service of a home: broker, workers, schedule, Flower and metrics; return when all of it answers.

    While it is up, `chordal run`, `extract` and `train` in this home use its workers.
    """
    from workers import interrupts, service
    from workers.home import prepare_home

    home = prepare_home(given["home"])
    wanted = _options(given)
    if (found := service.find(home)) is not None:
        _show(found, "up already", as_json=given["as_json"])
        return
    for name, page in (("flower", wanted.flower), ("metrics", wanted.metrics)):
        if page is not None:
            page.check_free(f"--{name}-port")
    if given["foreground"]:
        if given["flower_auth"]:
            os.environ[AUTH] = given["flower_auth"]
        _be_the_service(home, wanted)
        return
    interrupts.listen()
    _show(_start(home, wanted, auth=given["flower_auth"]), "up", as_json=given["as_json"])


@click.command(hidden=True)
@options.home
def supervise(home: str) -> None:
    """Be the service of a home, as `up` asks for it in the environment."""
    import json

    from workers.supervising import Options

    _be_the_service(Path(home), Options.from_wire(json.loads(os.environ.pop(OPTIONS))))


@click.command()
@options.home
@options.as_json
def down(home: str, *, as_json: bool) -> None:
    """Stop the service of a home. What is being worked on is not lost: the next `up` goes on with it."""
    from pipeline.errors import UsageError
    from pipeline.tracks import printable
    from workers import service

    path = Path(home).expanduser().absolute()
    found, alive = service.take_down(path)
    if found is None:
        raise UsageError(f"home {printable(str(path))}: no service is up here; `chordal up` starts one")
    if as_json:
        options.emit({"process": found.process.pid, "state": "stopped" if alive else "dead"})
    else:
        click.echo("down" if alive else "down: the service had died; what it left behind is gone now")


@click.command()
@options.home
@options.broker
@end_with_parent
def beat(home: str, broker: str | None, *, end_with_parent: bool) -> None:
    """Send what the schedule of a home says is due, for `chordal worker --queues schedule` to do.

    Any number may run; one acts.
    """
    from workers.beat import beat

    path, settings = _prepared(home, broker, end_with_parent=end_with_parent)
    beat(path, settings)


@click.command()
@options.home
@options.broker
@click.option("--port", type=click.IntRange(1, 65535), default=5555, show_default=True, metavar="PORT")
@click.option("--address", default=LOOPBACK, show_default=True, metavar="IP")
@flower_auth
@end_with_parent
def flower(
    home: str, broker: str | None, port: int, address: str, flower_auth: str | None, *, end_with_parent: bool
) -> None:
    """Serve Flower, which shows tasks and workers, with its history in the home."""
    from workers import dashboard

    dashboard.check_guarded(address, flower_auth)
    path, settings = _prepared(home, broker, end_with_parent=end_with_parent)
    dashboard.serve(path, settings, address=address, port=port, auth=flower_auth)


@click.command()
@options.home
@options.broker
@click.option("--port", type=click.IntRange(1, 65535), default=9150, show_default=True, metavar="PORT")
@click.option("--address", default=LOOPBACK, show_default=True, metavar="IP")
@end_with_parent
def metrics(home: str, broker: str | None, port: int, address: str, *, end_with_parent: bool) -> None:
    """Serve what Prometheus asks for, on /metrics."""
    from workers import metrics

    path, settings = _prepared(home, broker, end_with_parent=end_with_parent)
    metrics.serve(path, settings.broker, address=address, port=port)


def _options(given: dict[str, Any]) -> "Options":
    """Return what `up` was asked for. Raises `UsageError` for what cannot be."""
    from workers import dashboard
    from workers.address import BrokerAddress
    from workers.supervising import Options, Page

    workers = given["workers"]
    if not given["no_flower"]:
        dashboard.check_guarded(given["flower_address"], given["flower_auth"])
    address = BrokerAddress.parse(given["broker"]) if given["broker"] else None
    if address is not None:
        address.check()
    return Options(
        broker=address,
        workers=(os.cpu_count() or 1) if workers is None else workers,
        flower=None if given["no_flower"] else Page(address=given["flower_address"], port=given["flower_port"]),
        metrics=None if given["no_metrics"] else Page(address=given["metrics_address"], port=given["metrics_port"]),
    )


def _start(home: Path, wanted: "Options", *, auth: str | None) -> "Service":
    """Start a supervisor that outlives this command and wait until it is ready.

    Raises what ended it: `UsageError` for misuse, `ChordalError` for anything else.
    """
    import json

    from pipeline.errors import ChordalError, UsageError
    from workers import service

    log = home / "logs" / "service.log"
    # In the environment, which only this user can read: a broker's address and Flower's password are secrets.
    environment = {**os.environ, OPTIONS: json.dumps(wanted.to_wire()), **({AUTH: auth} if auth else {})}
    with log.open("ab") as output:
        begun = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workers.cli", "supervise", "--home", str(home)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=home,
            env=environment,
        )
    pause = threading.Event()
    try:
        while process.poll() is None:
            found = service.read(home)
            if found is not None and found.process.pid == process.pid and found.state == "ready":
                return found
            pause.wait(0.1)
    except BaseException:
        process.terminate()
        process.wait(service.DOWN_S)
        raise
    lines = log.read_bytes()[begun:].decode("utf-8", "replace").splitlines()
    said = [line for line in lines if line.startswith("chordal: ")]
    reason = said[-1].removeprefix("chordal: ") if said else f"service: ended while it started; see {log}"
    raise UsageError(reason) if process.returncode == 2 else ChordalError(reason)


def _be_the_service(home: Path, wanted: "Options") -> None:
    import logging

    from workers.supervising import supervise

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    supervise(home, wanted)


def _prepared(home: str, broker: str | None, *, end_with_parent: bool) -> tuple[Path, Any]:
    """Return the home and the settings of a part of a service.

    Raises `UsageError` for no broker, `BrokerError` for one that does not answer.
    """
    from pipeline.errors import UsageError
    from workers.address import BrokerAddress
    from workers.home import prepare_home
    from workers.processes import end_with_parent as watch_parent
    from workers.settings import Settings

    if not broker:
        raise UsageError("broker: none given; name the one that runs use with --broker or CHORDAL_BROKER")
    address = BrokerAddress.parse(broker)
    address.check()
    if end_with_parent:
        watch_parent()
    path = prepare_home(home)
    return path, Settings(home=str(path), broker=address)


def _show(service: "Service", state: str, *, as_json: bool) -> None:
    from workers.tables import show_facts

    if as_json:
        told = {name: value for name, value in service.to_wire().items() if name not in {"children", "broker"}}
        options.emit({**told, "process": service.process.pid, "broker": service.broker.shown, "state": state})
        return
    each = f"{service.workers} for files, {service.workers} for trials" if service.workers else "none here"
    show_facts(
        [
            ("service", f"{state}, process {service.process.pid}"),
            ("broker", service.broker.shown),
            ("workers", each),
            *([("Flower", service.flower)] if service.flower else []),
            *([("metrics", service.metrics)] if service.metrics else []),
        ]
    )
