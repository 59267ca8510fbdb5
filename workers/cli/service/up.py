"""`chordal up` and `down`: the service of a home; and the parts it is made of, each a command."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.broker import health
from workers.cli import options
from workers.cli.service.parts import AUTH, LOOPBACK, flower_auth

if TYPE_CHECKING:
    from workers.service.state import Service
    from workers.service.supervisor import Options

OPTIONS = "CHORDAL_SERVICE"


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
    from storage.home import prepare_home
    from workers.processes import signals
    from workers.service import state as service_state

    home = prepare_home(given["home"])
    wanted = _options(given)
    if (found := service_state.find(home)) is not None:
        _show(found, "up already", as_json=given["as_json"])
        return
    if wanted.broker is not None:
        health.require_same_version(wanted.broker)  # `_options` has checked that it answers
    for name, page in (("flower", wanted.flower), ("metrics", wanted.metrics)):
        if page is not None:
            page.check_free(f"--{name}-port")
    if given["foreground"]:
        if given["flower_auth"]:
            os.environ[AUTH] = given["flower_auth"]
        _be_the_service(home, wanted)
        return
    signals.listen()
    _show(_start(home, wanted, auth=given["flower_auth"]), "up", as_json=given["as_json"])


@click.command(hidden=True)
@options.home
def supervise(home: str) -> None:
    """Be the service of a home, as `up` asks for it in the environment."""
    import json

    from workers.service.supervisor import Options

    _be_the_service(Path(home), Options.from_wire(json.loads(os.environ.pop(OPTIONS))))


@click.command()
@options.home
@options.as_json
def down(home: str, *, as_json: bool) -> None:
    """Stop the service of a home. What is being worked on is not lost: the next `up` goes on with it."""
    from pipeline.errors import UsageError
    from pipeline.text import printable
    from workers.service import state as service_state

    path = Path(home).expanduser().absolute()
    found, alive = service_state.take_down(path)
    if found is None:
        raise UsageError(f"home {printable(str(path))}: no service is up here; `chordal up` starts one")
    if as_json:
        options.emit({"process": found.process.pid, "state": "stopped" if alive else "dead"})
    else:
        click.echo("down" if alive else "down: the service had died; what it left behind is gone now")


def _options(given: dict[str, Any]) -> "Options":
    """Return what `up` was asked for. Raises `UsageError` for what cannot be."""
    from workers.broker.address import BrokerAddress
    from workers.service import flower as service_flower
    from workers.service.supervisor import Options, Page

    workers = given["workers"]
    if not given["no_flower"]:
        service_flower.check_guarded(given["flower_address"], given["flower_auth"])
    address = BrokerAddress.parse(given["broker"]) if given["broker"] else None
    if address is not None:
        health.require(address)
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
    from workers.service import state as service_state

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
            found = service_state.read(home)
            if found is not None and found.process.pid == process.pid and found.state == "ready":
                return found
            pause.wait(0.1)
    except BaseException:
        process.terminate()
        process.wait(service_state.DOWN_S)
        raise
    lines = log.read_bytes()[begun:].decode("utf-8", "replace").splitlines()
    said = [line for line in lines if line.startswith("chordal: ")]
    reason = said[-1].removeprefix("chordal: ") if said else f"service: ended while it started; see {log}"
    raise UsageError(reason) if process.returncode == 2 else ChordalError(reason)


def _be_the_service(home: Path, wanted: "Options") -> None:
    import logging

    from workers.service.supervisor import supervise

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    supervise(home, wanted)


def _show(service: "Service", state: str, *, as_json: bool) -> None:
    from workers.cli.tables import show_facts

    if as_json:
        told = {name: value for name, value in service.to_wire().items() if name not in {"children", "broker"}}
        options.emit(
            {**told, "process": service.process.pid, "broker": service.broker.without_password, "state": state}
        )
        return
    each = f"{service.workers} for files, {service.workers} for trials" if service.workers else "none here"
    show_facts(
        [
            ("service", f"{state}, process {service.process.pid}"),
            ("broker", service.broker.without_password),
            ("workers", each),
            *([("Flower", service.flower)] if service.flower else []),
            *([("metrics", service.metrics)] if service.metrics else []),
        ]
    )
