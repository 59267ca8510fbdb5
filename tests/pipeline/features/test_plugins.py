"""Families of other distributions, installed as a user would, in a folder that a process of its own has on its path."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.extraction.extract import extract
from pipeline.features import moved
from pipeline.features.plugins import plugins
from pipeline.features.registry import built_in, families, family
from pipeline.library.tracks import ExtractTrack, FileStamp, track_id

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "ops" / "examples" / "chordal-zero-crossings"

EXTRACTED = """
import json, sys
from pathlib import Path
from pipeline.extraction.extract import extract
from pipeline.features.registry import family
from pipeline.plans.recipe import parse_recipe
from pipeline.learning.search.plan import check_models
from pipeline.library.tracks import ExtractTrack, FileStamp, track_id
from storage import FileFeatureStore

recipe = parse_recipe(
    'name = "z"\\ntitle = "z"\\n[[models]]\\nfamily = "svm"\\nfeatures = "zero_crossings"', "z.toml"
)
check_models(recipe)
path, home = sys.argv[1:]
store = FileFeatureStore.open(Path(home))
computed = []
for sequence, names in enumerate([("mfcc_mean",), ("mfcc_mean", *recipe.families)]):
    specs = {family(name).spec.key: family(name).spec for name in names}
    known = store.record(track_id(path))
    stored = store.families_of(known.content_hash) if known else frozenset()
    missing = frozenset(spec.name for key, spec in specs.items() if key not in stored)
    order = ExtractTrack(run_id="r", shard=0, track_id=track_id(path), path=path,
        stamp=FileStamp(size_bytes=1, mtime_ns=1), sequence=sequence, families=names)
    record, rows = extract(order, path=order.path, missing=missing, max_duration_s=60)
    store.commit(record, rows, specs)
    computed.append(sorted(key.partition("-")[0] for key in rows))
key = family("zero_crossings").spec.key
[rows] = store.snapshot().rows(key, [record.content_hash])
print(json.dumps({"computed": computed, "value": float(rows.values[0, 0])}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder into which the example was installed."""
    target = tmp_path_factory.mktemp("installed")
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*command, "--python", sys.executable, "--target", str(target), str(EXAMPLE)], check=True)
    return target


@pytest.fixture
def distribution(tmp_path, monkeypatch) -> Iterator[Callable[..., None]]:
    """Install a made-up distribution for this process: its name, its entry points, and its module's text."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def make(name, entry_points, text=""):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
        points = "\n".join(f"{key} = {value}" for key, value in entry_points.items())
        (info / "entry_points.txt").write_text(f"[chordal.features]\n{points}\n", "utf-8")
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
        forget()

    yield make
    for name in {"mine", "his", "hers"} & (set(sys.modules) - before):
        del sys.modules[name]
    forget()


def forget():
    """Look at the installed distributions again."""
    plugins.cache_clear()
    family.cache_clear()


FAMILY = """
from pipeline.features.spec import FeatureSpec
spec = FeatureSpec(name={name!r}, version=1, title="t", columns=("a",), units=("1",), row_shape=(1,), parameters={{}})
def start(stream):
    {start}
"""


def test_the_example_is_about_twenty_lines_long():
    source = (EXAMPLE / "chordal_zero_crossings" / "__init__.py").read_text("utf-8")
    assert len([line for line in source.splitlines() if line.strip()]) <= 26


def test_an_installed_family_is_named_by_a_recipe_and_the_only_one_computed_for_known_files(installed, write, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", EXTRACTED, write(), str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(installed)])},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["computed"] == [["mfcc_mean"], ["zero_crossings"]]
    # a sine of 440 Hz crosses zero twice in a period
    assert result["value"] == pytest.approx(880, abs=2)


def test_a_plug_in_is_imported_when_it_is_requested_and_not_before(distribution):
    distribution("mine", {"mine": "mine"}, FAMILY.format(name="mine", start="..."))
    family("mfcc_mean")
    with pytest.raises(UsageError, match=r"no such family; one of: loudness, .*, mine"):
        family("mein")
    assert "mine" not in sys.modules
    assert family("mine").spec.key.startswith("mine-")
    assert set(families()) == {*built_in(), "mine"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_of_that_name", "cannot be loaded (ModuleNotFoundError: No module named 'nothing_of_that_name"),
        ("1 / 0", "cannot be loaded (ZeroDivisionError: division by zero)"),
        ("raise SystemExit('no licence')", "cannot be loaded (SystemExit: no licence)"),
        ("raise MemoryError", "cannot be loaded (MemoryError)"),
        ("def broken(:", "cannot be loaded (SyntaxError"),
        ("", "cannot be loaded (AttributeError"),
        ("spec = 1\ndef start(s): ...", "has a spec that is no pipeline.features.spec.FeatureSpec"),
        (FAMILY.format(name="other", start="..."), "describes 'other'"),
        (FAMILY.format(name="mine", start="...").replace('("a",)', '("a", "b")'), "has 2 columns and 1 units for rows"),
        (FAMILY.format(name="mine", start="...").replace('"t"', "3"), "has a spec of wrong types"),
    ],
)
def test_a_broken_plug_in_is_one_line_that_names_distribution_and_entry_point(distribution, text, reason):
    distribution("mine", {"mine": "mine"}, text)
    for ask in (families, lambda: family("mine")):
        with pytest.raises(UsageError) as caught:
            ask()
        assert str(caught.value).startswith("feature family 'mine': mine 1.0 (entry point mine = mine) ")
        assert reason in str(caught.value)
    assert family("mfcc_mean").spec.name == "mfcc_mean"


@pytest.fixture
def places(monkeypatch):
    """Where made-up modules are now."""
    known = {
        "pipeline.of_old": "pipeline.audio.of_now",
        "pipeline.room": "pipeline.house.room",
        "pipeline.room.of_old": "pipeline.house.of_now",
        "pipeline.shelf": "pipeline.house.shelf",
        "pipeline.shelf:book": "pipeline.text",
        "pipeline.errors:printable": "pipeline.text",
    }
    monkeypatch.setattr(moved, "_places", lambda: known)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import pipeline.of_old", "imports pipeline.of_old, which is now pipeline.audio.of_now"),
        ("from pipeline.of_old import frames", "imports pipeline.of_old, which is now pipeline.audio.of_now"),
        ("from pipeline import of_old", "imports pipeline.of_old, which is now pipeline.audio.of_now"),
        (
            "from pipeline.room.of_old import (\n  a,\n)",
            "imports pipeline.room.of_old, which is now pipeline.house.of_now",
        ),
        ("import pipeline.room.never", "imports pipeline.room.never, which is now pipeline.house.room"),
        (
            "from pipeline.shelf import book",
            "imports pipeline.shelf, which is now pipeline.house.shelf, book in pipeline.text",
        ),
        (
            "from pipeline.errors import printable",
            "imports pipeline.errors.printable, which is now pipeline.text.printable",
        ),
        ("from pipeline.errors import nothing", "cannot be loaded (ImportError: cannot import name 'nothing'"),
    ],
)
def test_a_plug_in_that_imports_what_moved_is_told_where_it_is_now(distribution, places, text, reason):
    distribution("mine", {"mine": "mine"}, text)
    with pytest.raises(UsageError) as caught:
        family("mine")
    assert str(caught.value).startswith(f"feature family 'mine': mine 1.0 (entry point mine = mine) {reason}")
    assert str(caught.value).endswith("; mend it or uninstall it")
    assert "\n" not in str(caught.value)


def test_every_module_that_moved_is_known_with_its_place(tmp_path):
    table = moved._places()
    assert len(table) > 100
    for number, (old, new) in enumerate(table.items()):
        module, _, name = old.partition(":")
        if exists(module) and not exists(new):
            continue  # it has not moved yet
        assert exists(new), new
        if name:
            assert hasattr(import_module(new), name), f"{new}.{name}"
        elif not exists(module):
            plug_in = tmp_path / f"plug_in_{number}.py"
            plug_in.write_text(f"import {module}\n", "utf-8")
            with pytest.raises(ImportError) as caught:
                runpy.run_path(str(plug_in))
            assert f"imports {old}, which is now {new}" in moved.describe_move(caught.value)


def exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def test_a_name_that_chordal_has_already_is_refused_with_both(distribution):
    distribution("mine", {"mfcc_mean": "mine"})
    result = r"'mfcc_mean': claimed by chordal itself and by mine 1\.0 \(entry point mfcc_mean = mine\)"
    with pytest.raises(UsageError, match=result):
        family("mfcc_mean")
    assert family("loudness").spec.name == "loudness"


def test_a_name_of_two_plug_ins_is_refused_with_both(distribution):
    distribution("hers", {"ours": "hers"})
    distribution("his", {"ours": "his"})
    result = r"claimed by hers 1\.0 \(entry point ours = hers\) and by his 1\.0 \(entry point ours = his\)"
    with pytest.raises(UsageError, match=result):
        family("ours")


WRONG_SHAPE = """
    import numpy as np
    from pipeline.features.spec import FeatureRows
    from pipeline.features.whole import of_mono
    rows = FeatureRows(values=np.ones((2, 3)), start_s=np.zeros(2), channel=np.zeros(2))
    return of_mono(lambda mono: rows)(stream)
"""
NO_ROWS = """
    from pipeline.features.whole import of_mono
    return of_mono(lambda mono: 1)(stream)
"""


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("raise KeyError('x')", "mine 1.0 raised KeyError: 'x'"),
        ("import pipeline.of_old", "mine 1.0 imports pipeline.of_old, which is now pipeline.audio.of_now"),
        ("return None", "mine 1.0 raised AttributeError"),
        (NO_ROWS.strip(), "mine 1.0 raised AttributeError: 'int' object has no attribute 'values'"),
        (WRONG_SHAPE.strip(), "channel of shapes ((2, 3), (2,), (2,)), not ((2, 1), (2,), (2,))"),
    ],
)
def test_what_a_plug_in_does_wrong_with_a_file_leaves_the_other_families_in_place(
    distribution, places, write, start, reason
):
    distribution("mine", {"mine": "mine"}, FAMILY.format(name="mine", start=start))
    path = write()
    order = ExtractTrack(
        run_id="r",
        shard=0,
        track_id=track_id(path),
        path=path,
        sequence=1,
        stamp=FileStamp(size_bytes=1, mtime_ns=1),
        families=("mine", "mfcc_mean"),
    )
    record, rows = extract(order, path=order.path, missing=frozenset(order.families), max_duration_s=60)
    assert list(rows) == [family("mfcc_mean").spec.key]
    failure = record.family_failures[family("mine").spec.key]
    assert failure.kind == "unsupported"
    assert reason in failure.reason
