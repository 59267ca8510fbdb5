"""The cluster file, the README and the pages, held against the real command line: no engine runs here to try them."""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import click
import msgspec
import pytest
import yaml
from pages import (
    DOCS,
    PAGES,
    README,
    ROOT,
    anchors,
    blocks,
    chordal_commands,
    inline,
    links,
    page_name,
    prose,
    shell_commands,
    text_of,
)

from pipeline.errors import UsageError
from pipeline.features.registry import built_in
from pipeline.learning.models import model_names
from pipeline.learning.search.plan import check_models
from pipeline.library.labels import parse_labels
from pipeline.library.system_names import FOLDERS
from pipeline.library.vocabulary.load import parse_vocabulary
from pipeline.plans.recipe import Recipe, parse_recipe, recipe_names
from pipeline.plans.vocabulary import Vocabulary
from workers.broker.address import BrokerAddress
from workers.cli import COMMANDS, cli

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
DEVELOPING = ROOT / "ops" / "docs" / "developing.md"
LABELS = ROOT / "ops" / "docs" / "labels.md"
RECIPES = ROOT / "ops" / "docs" / "recipes.md"

EACH_DOC = pytest.mark.parametrize("page", DOCS, ids=page_name)
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=page_name)


def parsed(words: list[str]) -> click.Context:
    """Parse a command line down to its last command, and run nothing.

    Raises what click raises: for a command, an option or a value that is none, or an argument that is missing.
    """
    command: click.Command = cli
    name, context = "chordal", None
    while isinstance(command, click.Group):
        context = command.make_context(name, [*words], parent=context)
        name, found, words = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found
    return command.make_context(name, [*words], parent=context)


def leaves(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command, or the commands of a group, with their words."""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from leaves(each, f"{path} {name}")
    elif not command.hidden:
        yield path, command


def visible() -> dict[str, click.Command]:
    """Return every command that the help shows, by its words."""
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        found.update(leaves(command, f"chordal {name}"))
    return found


def path_of(context: click.Context) -> str:
    """Return the words that lead to a command."""
    return " ".join(filter(None, [path_of(context.parent) if context.parent else "", context.info_name]))


def check_values(given: dict[str, Any]) -> None:
    """Refuse values that a command itself refuses when it runs: recipes, labels and brokers that are none."""
    if (recipe := given.get("recipe")) and not recipe.endswith(".toml"):
        assert recipe in recipe_names()
    for role in ("labels", "groups", "folds"):
        if (spec := given.get(role)) and not spec.startswith("csv"):
            parse_labels(spec)
    if broker := given.get("broker"):
        BrokerAddress.parse(broker)


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in {"broker", "prometheus", "grafana"}])
def test_a_services_command_is_one_that_chordal_understands(name):
    service = SERVICES[name]
    words = [*service.get("entrypoint", ["chordal"]), *service["command"]][1:]
    parsed(words)


@EACH_PAGE
def test_chordal_understands_every_command_of_a_page(page):
    for words in chordal_commands(page):
        try:
            check_values(parsed(words).params)
        except (click.ClickException, UsageError) as error:
            pytest.fail(f"{page_name(page)}: chordal {' '.join(words)}: {error}")


@pytest.mark.parametrize(
    "words", [["run", "music", "--colour", "red"], ["scna", "music"], ["scan"], ["store", "verify", "now"]]
)
def test_a_mistake_in_a_page_would_be_found(words):
    with pytest.raises(click.ClickException):
        parsed(words)


def test_every_command_is_shown_by_an_example_and_named_in_the_table_of_commands():
    shown = {path_of(parsed(words)) for page in DOCS for words in chordal_commands(page)}
    assert set(visible()) <= shown
    table = text_of(ROOT / "ops" / "docs" / "README.md")
    for path in visible():
        assert re.search(rf"`chordal {path.split()[1]}\b", table), path


@EACH_DOC
def test_a_page_names_no_command_and_no_option_that_is_not_there(page):
    options = {name for command in visible().values() for each in command.params for name in each.opts} | {"--help"}
    for code in inline(page):
        if found := re.match(r"chordal ([a-z-]+)", code):
            assert found[1] in COMMANDS, code
        if code.startswith(("chordal ", "--")):
            assert {*re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", code)} <= options, code


def test_the_commands_without_json_are_those_that_the_page_names():
    without = {path.removeprefix("chordal ") for path, each in visible().items() if "--json" not in options_of(each)}
    page = prose(ROOT / "ops" / "docs" / "README.md")
    [sentence] = re.findall(r"All but ([^.]*) print one JSON object", page)
    assert set(re.findall(r"`([a-z-]+)`", sentence)) == without


def options_of(command: click.Command) -> set[str]:
    """Return the names of a command's options."""
    return {name for each in command.params for name in each.opts}


@EACH_PAGE
def test_make_has_the_targets_and_the_disk_the_tests_that_a_page_names(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    wanted = {words[1] for words in shell_commands(page) if words[0] == "make"}
    wanted |= {code.split()[1] for code in inline(page) if code.startswith("make ")}
    assert wanted <= targets
    for words in shell_commands(page):
        for path in [word for word in words if word.startswith("tests/")]:
            assert (ROOT / path).exists(), path
        if "tests.bench" in words:
            section = words[words.index("tests.bench") + 1]
            assert (ROOT / "tests" / "bench" / f"{section}.py").is_file()


@EACH_PAGE
def test_a_pages_recipes_are_recipes_and_vocabularies_are_vocabularies(page):
    for text in blocks(page, "toml"):
        if page == LABELS:
            parse_vocabulary(text, page_name(page))
        else:
            check_models(parse_recipe(text, page_name(page)))


def test_the_page_about_recipes_names_every_recipe_model_and_key():
    text = text_of(RECIPES)
    for name in (*recipe_names(), *model_names(), *keys(Recipe)):
        assert re.search(rf"\b{name}\b", text), name


def test_the_page_about_labels_names_every_key_of_a_vocabulary():
    for name in keys(Vocabulary):
        assert f"{name} =" in text_of(LABELS) or f"[{name}]" in text_of(LABELS), name


def keys(kind: Any) -> Iterator[str]:
    """Yield the keys of a table of a recipe, and of the tables inside it."""
    for field in msgspec.structs.fields(kind):
        yield field.name
        if field.name != "library":  # tables of their own, which the page leaves to the recipes that have one
            for each in tables_in(field.type):
                yield from keys(each)


def tables_in(kind: Any) -> Iterator[Any]:
    """Yield the tables that a key may hold, by its type."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for each in getattr(kind, "__args__", ()):
        yield from tables_in(each)


def test_the_page_about_features_names_every_family():
    text = text_of(ROOT / "ops" / "docs" / "features.md")
    for name in built_in():
        if name != "points":
            assert f"`{name}`" in text, name


def test_the_addresses_of_the_page_about_brokers_are_addresses():
    found = [code for code in inline(ROOT / "ops" / "docs" / "brokers-and-hosts.md") if "://" in code]
    assert len(found) >= 4
    for address in found:
        BrokerAddress.parse(address.replace("/etc/ssl/ours.pem", str(README)))  # a file that is there


@EACH_DOC
def test_what_a_pages_python_imports_is_there(page):
    added = set(re.findall(r"^\d\. Add `(\w+) = ", text_of(page), re.MULTILINE))
    for source in blocks(page, "python"):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in {"pipeline", "storage", "workers"}:
                module = importlib.import_module(node.module)
                for name in {alias.name for alias in node.names} - added:
                    if not hasattr(module, name):
                        importlib.import_module(f"{node.module}.{name}")


@EACH_PAGE
def test_a_pages_links_lead_somewhere(page):
    for link in links(page):
        place, _, anchor = link.partition("#")
        target = page.parent / place if place else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_is_linked_from_the_readme():
    linked = {(README.parent / link).resolve() for link in links(README)}
    assert {*DOCS} - {README} <= linked


def test_the_readme_can_be_read_in_one_go():
    assert len(text_of(README).splitlines()) <= 150


def test_every_place_in_the_code_that_the_page_for_developers_names_is_there():
    text = re.sub(r"^```python.*?^```$", "", text_of(DEVELOPING), flags=re.DOTALL | re.MULTILINE)
    found = set(re.findall(r"\b(?:pipeline|storage|workers|tests)/\w[\w/]*(?:\.py)?", text))
    assert len(found) > 20
    assert [place for place in sorted(found) if not (ROOT / place).exists()] == []


def test_the_picture_of_the_code_is_that_of_the_contracts():
    picture = text_of(DEVELOPING).split("```\n")[1]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = {each["containers"][0]: each["layers"] for each in contracts if "containers" in each}
    for package, lines in re.findall(r"^(pipeline|storage|workers)/ .*\n((?: {13}.*\n)*)", picture, re.MULTILINE):
        floor = {name: at for at, names in enumerate(layers[package]) for name in names.split(" | ")}
        shown = [line[13:43].split() for line in lines.splitlines()]
        floors = [floor[name] for names in shown for name in names]
        assert floors == sorted(floors), f"{package}: an arrow goes up"
        assert all(len({floor[name] for name in names}) == 1 for names in shown), f"{package}: a line has two floors"
        assert {name for names in shown for name in names} == set(floor) - {"testing"}


def test_the_page_about_libraries_has_the_table_of_the_systems_folders():
    text = text_of(ROOT / "ops" / "docs" / "libraries.md")
    rows = re.findall(r"^\| ([^|`]+) \| (`.*`) \|$", text.partition("## Folders of the system")[2], re.MULTILINE)
    assert {maker: tuple(re.findall(r"`([^`]+)`", names)) for maker, names in rows} == FOLDERS
