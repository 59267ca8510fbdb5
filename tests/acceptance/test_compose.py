"""docker-compose.yml: sound by its structure, and each of our services' own commands run for real."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import brokers
import pytest
import yaml
from conditions import eventually

ROOT = Path(__file__).parent.parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "chordal"}
LASTING = sorted(name for name, service in OURS.items() if "profiles" not in service)


def test_every_service_is_watched_bounded_and_not_root():
    for name, service in SERVICES.items():
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "healthcheck" in service or "profiles" in service, name
        assert "build" in service or service["user"] not in {"root", "0"}, name
    users = [line for line in (ROOT / "ops" / "Dockerfile").read_text("utf-8").splitlines() if line.startswith("USER ")]
    assert users[-1] != "USER root"


def test_our_containers_are_read_only_but_for_the_home_and_their_kernels_are_any_users():
    for name, service in OURS.items():
        assert service["read_only"] is True, name
        assert service["tmpfs"] == ["/tmp"], name  # noqa: S108
        writable = [volume for volume in service["volumes"] if not volume.endswith(":ro")]
        assert writable == [f"home:{service['environment']['CHORDAL_HOME']}"], name
    lines = (ROOT / "ops" / "Dockerfile").read_text("utf-8").splitlines()
    compiled = next(number for number, line in enumerate(lines) if "warm()" in line)
    assert not any(line.startswith("USER ") for line in lines[:compiled])


def test_every_name_that_a_service_refers_to_is_there():
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", ())) <= set(SERVICES), name
        for volume in service.get("volumes", ()):
            source = re.sub(r"\$\{[^}]*\}", "/music", volume).partition(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
            elif not source.startswith("/"):
                assert source in COMPOSE["volumes"], source


def test_no_page_is_open_to_the_network_and_no_password_has_a_default():
    for name, service in SERVICES.items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
    for variable in ("FLOWER_AUTH", "GRAFANA_PASSWORD"):
        assert re.search(rf"\$\{{{variable}:\?", (ROOT / "docker-compose.yml").read_text("utf-8"))


def test_prometheus_and_grafana_ask_for_what_there_is():
    config = yaml.safe_load((ROOT / "ops" / "prometheus.yml").read_text("utf-8"))
    targets = [each for job in config["scrape_configs"] for group in job["static_configs"] for each in group["targets"]]
    assert {target.partition(":")[0] for target in targets} <= set(OURS)
    dashboard = json.loads((ROOT / "ops" / "grafana" / "dashboards" / "chordal.json").read_text("utf-8"))
    source = (ROOT / "workers" / "service" / "metrics.py").read_text("utf-8")
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            for metric in re.findall(r"chordal_(\w+)", target["expr"]):
                assert f'"{metric.removesuffix("_total")}"' in source, metric


def words(service: dict) -> list[str]:
    """Return the command line of a service, for this host alone."""
    found = [sys.executable, "-P", "-m", "workers.cli", *service["command"]]
    return [re.sub(r"^0\.0\.0\.0$", "127.0.0.1", word) for word in found]


def is_healthy(service: dict, environment: dict[str, str], ports: dict[str, str]) -> bool:
    """Ask a service for its health as its container would be."""
    kind, *test = service["healthcheck"]["test"]
    test = [word.replace("$$", "$") for word in test]
    for inside, here in ports.items():
        test = [word.replace(f":{inside}/", f":{here}/") for word in test]
    command = ["sh", "-c", *test] if kind == "CMD-SHELL" else test
    return subprocess.run(command, env=environment, check=False, capture_output=True, timeout=60).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_service_runs_by_its_own_command_and_finds_itself_healthy(chordal, tmp_path):
    ports = {"5555": str(brokers.free_port()), "9150": str(brokers.free_port())}
    with brokers.valkey(tmp_path / "server") as port:
        environment = chordal.environment(
            CHORDAL_BROKER=f"redis://127.0.0.1:{port}/0",
            CHORDAL_FLOWER_AUTH="me:secret",
            PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        )
        assert shutil.which("celery", path=environment["PATH"])
        processes = {}
        for name in LASTING:
            more = [f"--port={ports[inside]}" for inside, of in (("5555", "flower"), ("9150", "metrics")) if of == name]
            with (tmp_path / f"{name}.log").open("wb") as log:
                processes[name] = subprocess.Popen(
                    [*words(OURS[name]), *more],
                    env=environment,
                    cwd=tmp_path,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        try:
            for name in LASTING:
                eventually(
                    lambda name=name: is_healthy(OURS[name], environment, ports) or processes[name].poll() is not None,
                    within_s=120,
                    every_s=0.5,
                )
                assert processes[name].poll() is None, (tmp_path / f"{name}.log").read_text()
            for page in ports.values():
                with urllib.request.urlopen(f"http://127.0.0.1:{page}/metrics", timeout=10) as answer:
                    assert b"# HELP" in answer.read()
            for process in processes.values():
                process.send_signal(signal.SIGTERM)
            assert {name: process.wait(120) for name, process in processes.items()} == dict.fromkeys(LASTING, 0)
        finally:
            for process in processes.values():
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait(10)
    # and the one for commands runs one
    told = chordal(*OURS["chordal"]["command"])
    assert told.status == 2
    assert "nothing here yet" in told.err or "no run yet" in told.err
