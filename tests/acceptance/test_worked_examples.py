"""The examples of the page for developers, and the family of the page about features, at work."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner
from pages import ROOT, blocks

from pipeline.audio import Audio
from pipeline.errors import TooShortError
from pipeline.features.spec import compute
from pipeline.learning.models import _FAMILIES
from pipeline.learning.models.base import LabelledRows
from pipeline.learning.models.classic import load_classic
from pipeline.learning.search.plan import propose_trials
from pipeline.learning.study.trials import TrialOutcome, TrialSpec
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.run import RunPlan
from pipeline.report.content import ReportContent, RunCounts
from storage import RunLedger

DOCS = ROOT / "ops" / "docs"
RATE_HZ = 22_050


@pytest.fixture
def example(tmp_path):
    """Import the one block of a page's Python that begins with some words."""

    def imported(page: str, begins: str) -> ModuleType:
        [source] = [block for block in blocks(DOCS / page, "python") if block.startswith(begins)]
        file = tmp_path / "example.py"
        file.write_text(source, "utf-8")
        spec = importlib.util.spec_from_file_location(f"example_of_{Path(begins).stem}", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return imported


@pytest.fixture
def plan():
    """A run with a small recipe."""
    recipe = Recipe(name="small", title="small", models=(ModelChoice(family="svm", features="mfcc_mean"),))
    return RunPlan(
        run_id="20260101-030000-abcdef",
        command=(),
        libraries=(),
        recipe=recipe,
        labels="folder",
        groups=None,
        folds=None,
        seed=1,
        sequence=1,
        created="2026-01-01T03:00:00+00:00",
    )


def stereo(seconds):
    """Return a tone on the left, and the same with an offset of 0.25 on the right."""
    tone = 0.5 * np.sin(2 * np.pi * 441 * np.arange(seconds * RATE_HZ) / RATE_HZ)
    return Audio(samples=np.stack([tone, tone + 0.25], axis=1).astype(np.float32), sample_rate_hz=RATE_HZ)


def test_the_feature_family_computes_what_its_title_says(example):
    family = example("developing.md", "# pipeline/features/families/dc_offset.py")
    rows = compute(family, stereo(5))
    np.testing.assert_allclose(rows.values, [[0], [0.25]], atol=1e-6)
    assert rows.channel.tolist() == [0, 1]
    with pytest.raises(TooShortError):
        compute(family, Audio(samples=np.zeros((3, 1), np.float32), sample_rate_hz=RATE_HZ))


def test_the_feature_family_of_a_distribution_of_its_own_computes_what_its_title_says(example):
    family = example("features.md", "import numpy")
    rows = compute(family, stereo(5))
    assert rows.values.shape == (1, *family.spec.row_shape)
    np.testing.assert_allclose(rows.values, 2 * 441, rtol=0.01)


def test_the_model_family_learns_and_says_the_same_after_it_was_saved(example, tmp_path, monkeypatch):
    family = example("developing.md", "# pipeline/learning/models/families/ridge.py").Ridge()
    monkeypatch.setitem(_FAMILIES, family.name, family)
    recipe = Recipe(name="r", title="r", models=(ModelChoice(family="ridge", features="mfcc_mean"),))
    first = propose_trials(recipe, run_id="r", seed=0)[0]
    assert first.hyperparameters == {"alpha": 10.0}
    y = np.arange(60) % 3
    x = np.random.default_rng(0).normal(0, 1, (60, 8)).astype(np.float32)
    x[np.arange(60), y] += 6
    fit = family.fit(LabelledRows(x=x, y=y), None, classes=3, hyperparameters=first.hyperparameters, seed=1)
    said = fit.model.probabilities(x)
    assert (said.argmax(axis=1) == y).mean() > 0.95
    fit.model.save(tmp_path)
    np.testing.assert_allclose(load_classic(tmp_path).probabilities(x), said)


def test_the_command_lists_the_runs_of_a_home(example, plan, tmp_path):
    RunLedger(tmp_path).create(plan)
    command = example("developing.md", "# workers/cli/inspect/runs.py").runs
    shown = CliRunner().invoke(command, ["--home", str(tmp_path)], catch_exceptions=False)
    assert "20260101-030000-abcdef  small" in shown.output
    as_json = CliRunner().invoke(command, ["--home", str(tmp_path), "--json"], catch_exceptions=False)
    assert '"recipe": "small"' in as_json.output


def test_the_report_section_shows_which_host_ran_which_trials(example, plan):
    hosts_section = example("developing.md", "# pipeline/report/sections/hosts.py").hosts_section
    content = ReportContent(plan=plan, counts=RunCounts(scanned=0, extracted=0, unchanged=0, failed=0))
    assert hosts_section(content) is None
    outcomes = tuple(
        TrialOutcome(
            spec=TrialSpec(
                run_id=plan.run_id, index=index, family="svm", features="mfcc_mean", hyperparameters={}, seed=1
            ),
            state="completed",
            objective=0.5,
            fits=(),
            seconds=2.5,
            host=host,
        )
        for index, host in enumerate(["a", "b", "a"])
    )
    section = hosts_section(content.replace(outcomes=outcomes))
    assert section.words == ("2 hosts ran 3 trials.",)
    assert section.blocks[0].rows == (("a", "2", "5.0 s"), ("b", "1", "2.5 s"))
