"""A split that is impossible is refused when the scan is over, before anything is extracted, and a scan shows it."""

from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.plans.recipe import Recipe, load_recipe
from storage.home import Home
from workers.runs.progress import View
from workers.runs.request import RunRequest
from workers.runs.scan import scan_libraries


@pytest.fixture
def library(tmp_path) -> Path:
    """Sixty files of three digits by six speakers; nothing of them is ever decoded."""
    for number in range(60):
        folder = tmp_path / "library"
        folder.mkdir(exist_ok=True)
        (folder / f"{number % 3}_{'abcdef'[number // 10]}_{number}.wav").write_bytes(b"RIFF")
    return tmp_path / "library"


@pytest.fixture
def scanned(tmp_path, library):
    """Scan the library for a run that learns, or only to look."""

    def scan(*, learn=True, recipe: Recipe | None = None, **given):
        request = RunRequest(
            command=("chordal",),
            libraries=(str(library),),
            recipe=recipe or load_recipe("quick"),
            labels=r"name:^(\d)_",
            extract=learn,
            learn=learn,
            **given,
        )
        home = Home(tmp_path / "home")
        with View(quiet=True) as view:
            return scan_libraries(home, request, view)

    return scan


def test_groups_that_are_the_classes_are_refused_before_anything_is_extracted(tmp_path, scanned):
    with pytest.raises(UsageError, match=r"class 0: its 20 tracks are one group .* choose other --groups"):
        scanned(groups=r"name:^(\d)_")
    assert Home(tmp_path / "home").ledger.run_ids() == []
    # a look says it too, and is no mistake
    preview = scanned(learn=False, groups=r"name:^(\d)_").split
    assert "class 0: its 20 tracks are one group" in preview.reason


def test_tracks_without_a_fold_are_refused_before_anything_is_extracted(scanned):
    with pytest.raises(UsageError, match=r"20 of 60 tracks have no fold, e.g. .* correct --folds"):
        scanned(folds="name:_([abcd])_")


def test_a_scan_shows_groups_and_what_the_split_would_be(scanned):
    preview = scanned(learn=False, groups="name:_([a-f])_").split
    assert (preview.groups, preview.least, preview.most) == (6, 10, 10)
    assert preview.words.startswith("cross-validation over 6 folds of whole groups; 6 groups are few")
    folded = scanned(learn=False, folds="name:_([a-f])_").split
    assert folded.folds == dict.fromkeys("abcdef", 10)
    assert folded.words.startswith("cross-validation over 6 folds as given")
    assert scanned(learn=False).split.words.startswith("once, training / validation / test 60% / 15% / 25%")


@pytest.mark.parametrize("option", ["groups", "folds"])
def test_a_rule_that_finds_nothing_is_refused_by_a_look_too(scanned, option):
    with pytest.raises(UsageError, match=f"{option} .*: found for none of 60 files"):
        scanned(learn=False, **{option: "name:_(z)_"})
