"""The cluster file and the README, held against the real command line: no engine runs here to try them on."""

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from pipeline.learning.search.plan import check_models
from pipeline.plans.recipe import parse_recipe
from workers.cli import COMMANDS, cli

ROOT = Path(__file__).parent.parent.parent
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in {"broker", "prometheus", "grafana"}])
def test_a_services_command_is_one_that_chordal_understands(name):
    service = SERVICES[name]
    words = [*service.get("entrypoint", ["chordal"]), *service["command"]][1:]
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    command.make_context(words[0], words[1:])


def test_the_readme_names_every_command_and_no_other():
    readme = (ROOT / "README.md").read_text("utf-8")
    visible = {name for name in COMMANDS if not cli.get_command(click.Context(cli), name).hidden}
    for name in visible:
        assert f"chordal {name}" in readme, name
    blocks = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    used = {shlex.split(line)[1] for block in blocks for line in block.splitlines() if line.startswith("chordal ")}
    assert used <= visible


def test_the_readmes_recipe_is_one():
    readme = (ROOT / "README.md").read_text("utf-8")
    [text] = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    check_models(parse_recipe(text, "README"))
