"""`chordal up` and `down`: the service of a home."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import ChordalError, UsageError
from pipeline.text import printable
from workers.cli import options
from workers.cli.service.parts import AUTH, LOOPBACK, flower_auth, flower_prefix
from workers.cli.tables import show_facts
from workers.processes import signals

if TYPE_CHECKING:
    from workers.service.state import Service
    from workers.service.supervisor import Options

OPTIONS = "CHORDAL_SERVICE"

PATIENCE_S = 12.0
"""After how long `up` says that it waits, and where it is said for what."""


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
@flower_prefix
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
    from workers.broker import health
    from workers.processes.environment import prepare_process
    from workers.processes.host_limits import require_for_workers
    from workers.service import state as service_state

    home = prepare_home(given["home_path"])
    service_options = _parse_options(given)
    prepare_process(home.path)
    if service_options.broker is None or service_options.workers:
        require_for_workers(service_options.workers)
    if (service := service_state.find(home.path)) is not None:
        _show(service, "up already", as_json=given["as_json"])
        return
    if service_options.broker is not None:
        health.require_same_version(service_options.broker)  # `_parse_options` has checked that it answers
    for name, page in (("flower", service_options.flower), ("metrics", service_options.metrics)):
        if page is not None:
            page.check_free(f"--{name}-port")
    if given["foreground"]:
        if given["flower_auth"]:
            os.environ[AUTH] = given["flower_auth"]
        _serve(home.path, service_options)
        return
    signals.listen()
    _show(_start(home.path, service_options, auth=given["flower_auth"]), "up", as_json=given["as_json"])


@click.command(hidden=True)
@options.home
def supervise(home_path: str) -> None:
    """Be the service of a home, with the options that `up` left in the environment."""
    from workers.service.supervisor import Options

    _serve(Path(home_path), Options.from_wire(json.loads(os.environ.pop(OPTIONS))))


@click.command()
@options.home
@options.as_json
def down(home_path: str, *, as_json: bool) -> None:
    """Stop the service of a home. What is being worked on is not lost: the next `up` goes on with it."""
    from workers.service import state as service_state

    path = Path(home_path).expanduser().absolute()
    service, alive = service_state.take_down(path)
    if service is None:
        raise UsageError(f"home {printable(str(path))}: no service is up here; `chordal up` starts one")
    if as_json:
        options.emit({"process": service.process.pid, "state": "stopped" if alive else "dead"})
    else:
        click.echo("down" if alive else "down: the service had died; what it left behind is gone now")


def _parse_options(given: dict[str, Any]) -> "Options":
    """Return the options of the service. Raises `UsageError` for what cannot be."""
    from workers.broker import health
    from workers.broker.address import BrokerAddress
    from workers.service import flower as service_flower
    from workers.service.supervisor import Options, Page

    workers = given["workers"]
    if not given["no_flower"]:
        service_flower.check_guarded(given["flower_address"], given["flower_auth"])
    prefix = service_flower.parse_prefix(given["flower_prefix"])
    address = BrokerAddress.parse(given["broker"]) if given["broker"] else None
    if address is not None:
        health.require(address)
    flower = Page(address=given["flower_address"], port=given["flower_port"], prefix=prefix)
    return Options(
        broker=address,
        workers=(os.cpu_count() or 1) if workers is None else workers,
        flower=None if given["no_flower"] else flower,
        metrics=None if given["no_metrics"] else Page(address=given["metrics_address"], port=given["metrics_port"]),
    )


def _start(folder: Path, service_options: "Options", *, auth: str | None) -> "Service":
    """Start a supervisor for the home in a folder that outlives this command, and wait until it is ready.

    Raises what ended it: `UsageError` for misuse, `ChordalError` for anything else.
    """
    from workers.processes.death import OWN, death_of, tail
    from workers.processes.kernel_notice import kernel_notice
    from workers.service import state as service_state

    log = folder / "logs" / "service.log"
    # In the environment, which only this user can read: a broker's address and Flower's password are secrets.
    environment = {**os.environ, OPTIONS: json.dumps(service_options.to_wire()), **({AUTH: auth} if auth else {})}
    with log.open("ab") as output:
        begun = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workers.cli", "supervise", "--home", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=folder,
            env=environment,
        )
    pause = threading.Event()
    patient_s: float | None = time.monotonic() + PATIENCE_S
    try:
        with kernel_notice(folder, lambda line: click.echo(line, err=True)):
            while process.poll() is None:
                service = service_state.read(folder)
                if service is not None and service.process.pid == process.pid and service.state == "ready":
                    return service
                if patient_s is not None and time.monotonic() > patient_s:
                    click.echo(
                        f"the service takes its time to start; what it waits for is in {printable(str(log))}", err=True
                    )
                    patient_s = None
                pause.wait(0.1)
    except BaseException:
        process.terminate()
        process.wait(service_state.DOWN_S)
        raise
    errors = [line.removeprefix(OWN) for line in tail(log, begun) if line.startswith(OWN)]
    if not errors:
        death = death_of("service", process.returncode, log, log_start=begun, was_ready=False)
        raise death.error("service: ended while it started")
    raise UsageError(errors[-1]) if process.returncode == 2 else ChordalError(errors[-1])


def _serve(folder: Path, service_options: "Options") -> None:
    from workers.service.supervisor import supervise

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    supervise(folder, service_options)


def _show(service: "Service", state: str, *, as_json: bool) -> None:
    if as_json:
        hidden = {"children", "broker", *(() if service.troubles else ("troubles",))}
        wire = {name: value for name, value in service.to_wire().items() if name not in hidden}
        options.emit(
            {**wire, "process": service.process.pid, "broker": service.broker.without_password, "state": state}
        )
        return
    workers = f"{service.workers} for files, {service.workers} for trials" if service.workers else "none here"
    show_facts(
        [
            ("service", f"{state}, process {service.process.pid}"),
            ("broker", service.broker.without_password),
            ("workers", workers),
            *([("Flower", service.flower)] if service.flower else []),
            *([("metrics", service.metrics)] if service.metrics else []),
        ]
    )
