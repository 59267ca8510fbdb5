"""Recipes that make a library of their own, before any broker is there."""

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.library import imported
from pipeline.plans.library import PointsPlan, TonesPlan
from pipeline.plans.recipe import load_recipe
from storage import FileFeatureStore
from storage.home import prepare_home
from workers.runs.progress import View
from workers.runs.recipes import with_library
from workers.runs.request import RunRequest
from workers.runs.scan import scan_libraries


@pytest.fixture
def home(tmp_path):
    return prepare_home(str(tmp_path / "home"))


@pytest.fixture
def view():
    return View(quiet=True)


def request_for(recipe):
    return RunRequest(command=("chordal", "run"), libraries=(), recipe=recipe)


def test_sounds_are_made_in_the_home_and_labelled_by_their_table(home, view):
    plan = TonesPlan(sample_rate_hz=11_025, notes=3)
    made = with_library(home, request_for(load_recipe("tones").replace(library=plan)), view)

    assert made.libraries == (str(home.path / "libraries" / "tones"),)
    assert made.labels == f"csv:{home.path / 'libraries' / 'tones' / 'sound.csv'}"
    assert made.extract
    found = scan_libraries(home, made, view).found
    assert (found.files, found.unlabelled) == (8, 2)


def test_points_are_imported_once_and_learned_from_without_extraction(home, view):
    recipe = load_recipe("binary-boundary").replace(library=PointsPlan(samples=50))
    made = with_library(home, request_for(recipe), view)

    assert made.libraries == (f"npz:{home.path / 'libraries' / 'points' / 'points.npz'}",)
    assert (made.labels, made.extract) == (imported.LABELS, False)
    assert scan_libraries(home, made, view).found.files == 50
    runs = len(home.ledger.run_ids())
    assert with_library(home, request_for(recipe), view) == made
    assert len(home.ledger.run_ids()) == runs

    # other points under the same name are imported again, and take the place of the old ones
    other = recipe.replace(library=PointsPlan(samples=60, random_state=21))
    with_library(home, request_for(other), view)
    scanned = scan_libraries(home, made, view)
    assert scanned.found.files == 60
    ledger = home.ledger
    (track, *_) = ledger.shard(scanned.plan.run_id, 0)
    snapshot = FileFeatureStore.open(home.path / "store").snapshot()
    record = snapshot.record(track.track_id)
    assert record is not None
    with np.load(home.path / "libraries" / "points" / "points.npz") as arrays:
        first = arrays["Xdata"][0].astype(np.float32)
    key = recipe_key()
    np.testing.assert_array_equal(snapshot.rows(key, [record.content_hash])[0].values[0], first)


def recipe_key():
    from pipeline.features.families import points

    return points.spec.key


def test_a_recipe_that_makes_none_says_what_is_missing(home, view):
    with pytest.raises(UsageError, match=r"recipe default makes no library of its own; name a LIBRARY"):
        with_library(home, request_for(load_recipe("default")), view)


def test_the_commands_options_choose_the_recipes_form_and_labels(tmp_path):
    from workers.cli.runs.request import parse_request

    given = {
        "recipe": "rostock-genre", "trials": None, "quick": True, "home_path": str(tmp_path / "home"), "broker": None,
        "libraries": ("songs",), "labels": None, "groups": None, "folds": None, "seed": 1, "workers": None,
        "dual_mono": False, "max_duration": 60.0, "priority": "normal",
    }  # fmt: skip

    _, request, _ = parse_request(given, extract=True, learn=True)
    assert (request.recipe.search.trials, request.labels) == (5, r"name:_(\d)\.[^.]+$")
    _, request, _ = parse_request(given | {"labels": "folder", "trials": 2}, extract=True, learn=True)
    assert (request.recipe.search.trials, request.labels) == (2, "folder")
    with pytest.raises(UsageError, match="has no quick form"):
        parse_request(given | {"recipe": "default"}, extract=True, learn=True)
