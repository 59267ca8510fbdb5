"""Vocabularies from files: what they extend, and what is refused in one line."""

import pytest

from pipeline.errors import UsageError
from pipeline.library.vocabulary.index import VocabularyIndex
from pipeline.library.vocabulary.load import load_vocabulary, parse_vocabulary, with_vocabulary
from pipeline.plans.scan_rules import ScanRules
from pipeline.plans.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[tree]\nA = ["B"]\nB = ["C"]\nC = ["A"]', r"tree: a circle, '\w' in '\w' in '\w' in '\w'; take one"),
        ('[tree]\nA = ["A"]', "tree: a circle, 'A' in 'A'"),
        ('[tree]\nX = ["A"]\nA = ["B"]\nB = ["A"]', "tree: 'A' is below 'X' and 'B'; keep one"),
        ('[tree]\nA = ["c"]\nB = ["c"]', "tree: 'c' is below 'A' and 'B'; keep one"),
        ('[aliases]\nA = ["x"]\nB = ["X"]', "aliases: 'X' is an alias of 'A' and of 'B'; keep one"),
        ('[aliases]\nA = ["B"]\nB = ["x"]', "aliases: 'B' is an alias of 'A' and a name itself"),
        ('names = ["Hip-Hop", "hip hop"]', "'Hip-Hop' and 'hip hop' are one name in two spellings; keep one"),
        ('ignore = ["rock"]\nnames = ["Rock"]', "ignore: 'rock' is a name or an alias too"),
        ('names = [" "]', "names: a name is empty"),
        ('level = "1"', r"Expected `int \| null`, got `str` - at `\$.level`"),
        ("level = -1", "level is -1; give 1 for the topmost"),
        ("level = true", "level"),
        ("levle = 1", "unknown field `levle`; ops/docs/labels.md lists the keys"),
        ('unknown = "forget"', "unknown"),
        ('extends = "jazz"', "extends"),
        ('separators = [" "]', "separators: one is empty or a blank"),
        ('separators = ["and"]', "separators: a sign or a few without letters"),
        ("[aliases", "not valid TOML"),
        ('[aliases]\nA = ["x"]\nA = ["y"]', "not valid TOML"),
        ('extends = "default"\n[tree]\n"Death Metal" = ["Metal"]', "tree: a circle"),
    ],
)
def test_a_mistake_is_one_line_with_the_file_and_the_mend(text, reason):
    with pytest.raises(UsageError, match=reason) as error:
        parse_vocabulary(text, "mine.toml")
    assert str(error.value).startswith("vocabulary mine.toml: ")
    assert "\n" not in str(error.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such file; give a TOML file, 'default', or 'none'"):
        load_vocabulary(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes('names = ["Música"]'.encode("latin-1"))
    with pytest.raises(UsageError, match=r"cannot be read .*; give a TOML file in UTF-8"):
        load_vocabulary(str(tmp_path / "latin.toml"))
    (tmp_path / "marked.toml").write_bytes('names = ["Música"]'.encode("utf-8-sig"))
    assert load_vocabulary(str(tmp_path / "marked.toml")).names == ("Música",)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("level = 2", {"melodeath": "Death Metal"}),
        (
            'level = 0\n[aliases]\nTECHNO = ["Tecno"]',
            {"techno": "TECHNO", "Tecno": "TECHNO", "acid techno": "Acid Techno"},
        ),
        ('[aliases]\nRap = ["Hip-Hop"]', {"hip hop": "Rap", "trap": "Rap", "Hip-Hop/Rap": "Rap"}),
        ('names = ["Techno"]', {"techno": "Techno", "acid techno": "Techno", "house": "Electronic"}),
        ('[tree]\nMine = ["Rock"]', {"rock": "Mine", "grunge": "Mine"}),
        ('names = ["Other"]', {"other": "Other"}),
        ('ignore = ["Techno"]', {"techno": None, "house": "Electronic"}),
    ],
)
def test_what_a_file_says_goes_before_what_it_extends(text, folded):
    index = VocabularyIndex(parse_vocabulary(f'extends = "default"\n{text}', "own"))
    assert {label: next(iter(index.fold([label])), None) for label in folded} == folded


def test_the_rules_of_a_scan_take_the_vocabulary_of_the_command_before_that_of_the_recipe(tmp_path):
    (tmp_path / "own.toml").write_text('names = ["A"]', "utf-8")
    of_recipe = Vocabulary(names=("B",))
    named = ScanRules(vocabulary=str(tmp_path / "own.toml"))
    assert with_vocabulary(named, of_recipe).folding.names == ("A",)
    assert with_vocabulary(ScanRules(), of_recipe).folding.names == ("B",)
    assert with_vocabulary(ScanRules(vocabulary="none"), of_recipe) == ScanRules()
    assert with_vocabulary(ScanRules()) == ScanRules()


def test_rules_keep_the_vocabulary_whatever_becomes_of_its_file(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('extends = "default"\nlevel = 2', "utf-8")
    rules = with_vocabulary(ScanRules(vocabulary=str(file)))
    file.unlink()
    kept = ScanRules.from_wire(rules.to_wire())
    assert kept == rules
    assert VocabularyIndex(kept.folding).fold(["melodeath"]) == ("Death Metal",)
