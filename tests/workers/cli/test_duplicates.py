"""What `chordal duplicates` refuses, and what it loads."""

import pytest
from click.testing import CliRunner
from homes import small_home

from pipeline.library.duplicates import RELATIONS
from workers.cli.inspect.duplicates import KINDS, duplicates


def test_the_kinds_are_those_that_copies_are_compared_by():
    assert KINDS == RELATIONS


@pytest.mark.parametrize("words", [["--csv", "--json"], ["--m3u", "--csv"], ["--kind", "song"]])
def test_what_contradicts_itself_is_refused(words):
    result = CliRunner().invoke(duplicates, words)
    assert result.exit_code == 2


def test_a_home_without_duplicates_says_so(tmp_path):
    small_home(tmp_path)
    result = CliRunner().invoke(duplicates, ["--home", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "no duplicates among" in result.output
