"""A run gets one model version, a version belongs to one run."""

import shutil
from pathlib import Path

import pytest

from pipeline.errors import StoreError, UsageError
from pipeline.learning.study.results import ModelVersion
from storage import ModelRegistry
from tests.storage import workloads
from tests.storage.children import race


@pytest.fixture
def registry(tmp_path):
    return ModelRegistry(tmp_path / "home")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "fitted"
    (folder / "members").mkdir(parents=True)
    (folder / "members" / "0.keras").write_bytes(b"weights")
    (folder / "scaler.json").write_text("{}")
    return folder


def draft(run_id):
    return ModelVersion(
        version="",
        run_id=run_id,
        recipe="quick",
        family="dense",
        features=("tones-0123456789ab",),
        classes=("a", "b"),
        members=(),
        dataset_digest="0" * 32,
        created="2026-01-01T00:00:00+00:00",
        test_accuracy=0.5,
        seed=1,
    )


def test_a_registered_model_has_its_files_and_its_description(registry, source, tmp_path):
    model = registry.register(draft("run"), source)
    folder = tmp_path / "home" / "models" / "v0001"
    assert (model.version, model.path) == ("v0001", str(folder))
    assert (folder / "members" / "0.keras").read_bytes() == b"weights"
    assert [registry.get("v0001")] == registry.versions() == [model]
    assert model.replace(version="", path="", files={}) == draft("run")
    assert set(model.files) == {"members/0.keras", "scaler.json"}
    assert (source / "scaler.json").exists()


def test_versions_are_numbered_in_order(registry, source):
    assert registry.versions() == []
    for run_id in ("a", "b", "c"):
        registry.register(draft(run_id), source)
    assert [(model.version, model.run_id) for model in registry.versions()] == [
        ("v0001", "a"),
        ("v0002", "b"),
        ("v0003", "c"),
    ]


def test_registering_a_run_again_gives_the_first_model_back(registry, source):
    first = registry.register(draft("run"), source)
    (source / "scaler.json").write_text("changed")
    assert registry.register(draft("run").replace(test_accuracy=0.9), source) == first
    assert len(registry.versions()) == 1


def test_a_home_that_moved_tells_the_new_path(registry, source, tmp_path):
    registry.register(draft("run"), source)
    (tmp_path / "home").rename(tmp_path / "moved")
    assert ModelRegistry(tmp_path / "moved").get("v0001").path == str(tmp_path / "moved" / "models" / "v0001")


def test_racing_registrars_get_one_version_per_run(processes, tmp_path, source):
    runs = ["one", "one", "two", "three"]
    _, versions = race(processes, workloads.register, [(tmp_path / "home", draft(run_id), source) for run_id in runs])
    assert versions[0] == versions[1]
    assert sorted(set(versions)) == ["v0001", "v0002", "v0003"]
    models = ModelRegistry(tmp_path / "home").versions()
    assert {model.run_id: model.version for model in models} == dict(zip(runs, versions, strict=True))
    assert list((tmp_path / "home" / "models" / ".tmp").iterdir()) == []


def test_a_registrar_that_died_after_taking_its_number_is_finished_by_the_next(registry, source, monkeypatch):
    def die(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", die)
        with pytest.raises(KeyboardInterrupt):
            registry.register(draft("run"), source)
    assert registry.versions() == []
    assert registry.register(draft("other"), source).version == "v0002"
    assert registry.register(draft("run"), source).version == "v0001"


def test_what_cannot_be_registered_is_named(registry, source, tmp_path):
    with pytest.raises(UsageError, match=r"nowhere: is no folder"):
        registry.register(draft("run"), tmp_path / "nowhere")
    (source / "broken").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="cannot be copied"):
        registry.register(draft("run"), source)
    assert registry.versions() == []


@pytest.mark.parametrize("version", ["v0009", "latest", "../v0001", ""])
def test_an_unknown_version_is_refused_in_one_line(registry, source, version):
    registry.register(draft("run"), source)
    with pytest.raises(UsageError, match="no such version; the latest are: v0001"):
        registry.get(version)


def test_a_model_whose_description_is_gone_is_named_and_is_no_unknown_version(registry, source, tmp_path):
    registry.register(draft("r1"), source)
    (tmp_path / "home" / "models" / "v0001" / "model.json").unlink()
    with pytest.raises(StoreError, match=r"v0001/model\.json: there is no such document"):
        registry.get("v0001")
    with pytest.raises(UsageError, match="v0002: no such version; the latest are: v0001"):
        registry.get("v0002")


def test_what_it_takes_to_repeat_a_model_lies_beside_it(registry, source, tmp_path):
    kept = tmp_path / "split.json"
    kept.write_text("{}")
    registry.register(draft("run"), source, documents={"plan": draft("plan"), "split": kept})
    folder = tmp_path / "home" / "models" / "v0001"
    assert (folder / "split.json").samefile(kept)  # immutable, so it costs nothing
    assert b'"run_id":"plan"' in (folder / "plan.json").read_bytes()
    assert registry.study("v0001") is None  # nothing is known of the data of such a model
    assert registry.evaluation("v0001") is None


def test_a_file_that_is_not_what_was_registered_is_named_before_it_is_loaded(registry, source):
    model = registry.register(draft("run"), source)
    registry.check(model)
    weights = Path(model.path) / "members" / "0.keras"
    weights.write_bytes(b"other weights")
    with pytest.raises(UsageError, match=r"model v0001: .*0\.keras is not what was registered"):
        registry.check(model)
    weights.unlink()
    with pytest.raises(UsageError, match=r"model v0001: .*0\.keras.*train again"):
        registry.check(model)
