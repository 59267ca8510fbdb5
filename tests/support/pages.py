"""The README and the pages under ops, parsed into what tests check: blocks of code, commands, links."""

import re
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
DOCS = (README, *sorted((ROOT / "ops" / "docs").glob("*.md")))
"""The pages that explain the command line, the recipes and the code."""
PAGES = (*DOCS, *sorted((ROOT / "ops").glob("*.md")), *sorted((ROOT / "ops" / "recipes").glob("*.md")))

_OPERATORS = frozenset(";&|()<>")


def page_name(page: Path) -> str:
    """Return a page's path in the project, to name a test by."""
    return str(page.relative_to(ROOT))


def text_of(page: Path) -> str:
    """Return all of a page."""
    return page.read_text("utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """Return the code of a page's blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)


def prose(page: Path) -> str:
    """Return a page without its blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def inline(page: Path) -> list[str]:
    """Return the texts in backticks outside the blocks."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and pictures, but for those on the web."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [link for link in found if "://" not in link]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page, which are its headings as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shell_commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of each command in a page's shell blocks, without the variables that are set for it alone."""
    for line in "".join(blocks(page, "sh")).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for is_operator, group in groupby(lexer, key=lambda word: set(word) <= _OPERATORS):
            words = list(group)
            while words and re.match(r"[A-Z_]+=", words[0]):
                del words[0]
            if words and not is_operator:
                yield words


def chordal_commands(page: Path) -> Iterator[list[str]]:
    """Yield the words after `chordal` in each of its commands, in containers too."""
    for words in shell_commands(page):
        if words[0] == "chordal":
            yield words[1:]
        elif words[:3] == ["docker", "compose", "run"]:
            yield words[words.index("chordal") + 1 :]
