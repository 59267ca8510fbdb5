"""The file that a run leaves behind: whole, self-contained, true to its content, safe with any file name."""

import re
from html.parser import HTMLParser

import pytest

from pipeline.learning.dataset.manifests import AugmentedCopy, Partition, Split
from pipeline.learning.search.plan import plan_study
from pipeline.learning.study.results import Prediction
from pipeline.learning.study.trials import Execution, PlannedModel, StudyPlan
from pipeline.library.vocabulary.near_equal import near_equal
from pipeline.library.vocabulary.tally import FoldCounts, LabelFindings
from pipeline.plans.augmentation import AugmentPlan, Variation
from pipeline.plans.recipe import ModelChoice
from pipeline.plans.search import SearchPlan
from pipeline.report import ListedFailure, ReportContent, TrackFacts, write_report

VOID = {"meta", "link", "br", "hr", "img", "input"}
HOSTILE = "/music/demo/<script>alert(1)</script>\n\"quoted\" 'single' & \udcff.wav"
SHOWN = "<script>alert(1)</script>\\n\"quoted\" 'single' & \\udcff.wav"


class Page(HTMLParser):
    """A parsed page: its text, attributes and tables, and whether its tags are balanced."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.cells: list[list[str]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "tr":
            self.cells.append([])
        if tag in {"td", "th"}:
            self.cells[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)
        if self.cells and self.open and self.open[-1] in {"td", "th"}:
            self.cells[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]

    def row(self, first: str) -> list[str]:
        """The only row whose first cell reads so."""
        (numbers,) = [row for row in self.cells if row and row[0] == first]
        return numbers


@pytest.fixture
def written(tmp_path):
    """A function that writes a report and reads it back."""

    def write(content: ReportContent) -> str:
        target = tmp_path / "reports" / "run.html"
        write_report(target, content)
        return target.read_text("utf-8")

    return write


def test_the_page_is_well_formed_and_says_its_language(written, learned):
    page = Page(written(learned))

    assert page.open == []
    assert ("html", "lang", "en") in page.attributes
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {href.removeprefix("#") for href in page.values("href")} <= set(ids)


def test_the_page_loads_nothing_and_runs_nothing(written, learned):
    html = written(learned)
    page = Page(html)

    loads = page.values("src") + page.values("href") + page.values("xlink:href") + page.values("srcset")
    assert all(target.startswith(("#", "data:")) for target in loads)
    assert all(numbers.startswith("#") for numbers in re.findall(r"url\(([^)]*)\)", html))
    assert not {tag for tag, _, _ in page.attributes} & {"script", "link", "iframe", "object", "embed", "img"}
    assert "<script" not in html
    assert "@import" not in html


def test_every_picture_has_words_and_every_table_has_heads(written, learned):
    html = written(learned)

    pictures = re.findall(r"<svg[^>]*>", html)
    assert len(pictures) == 5  # with the curves of two trials, side by side
    assert all('role="img"' in svg and "aria-label=" in svg for svg in pictures)
    assert html.count("<table>") == html.count("<caption>") == html.count("<thead>")
    assert html.count('scope="col"') > 20


def test_the_headline_and_the_tables_say_what_the_scores_say(written, learned):
    page = Page(written(learned))

    assert "75.0% of 12 test tracks got the right label" in page.text
    assert "Guessing would reach 25.0%" in page.text
    assert "always naming the largest class 25.0%" in page.text
    assert "Validation, which chose the model, said 87.5%" in page.text
    tones = learned.evaluation.test.per_class["tones"]
    assert ["tones", f"{tones.precision:.1%}", f"{tones.recall:.1%}", f"{tones.f1:.1%}", "3"] in page.cells
    assert ["tones", "chords", "2", "66.7%"] in page.cells
    assert f"{learned.evaluation.test.macro_f1:.1%}" in page.text
    assert "v0003" in page.text


def test_trials_are_reported_best_first_then_the_failed_then_those_not_run(written, learned):
    page = Page(written(learned))

    start = next(place for place, row in enumerate(page.cells) if row[:2] == ["Trial", "State"])
    rows = page.cells[start + 1 : start + 7]
    assert [row[0] for row in rows] == ["1", "2", "0", "3", "4", "5"]
    assert [row[4] for row in rows] == ["87.5%", "75.0%", "62.5%", "50.0%", "\u2013", "\u2013"]
    assert [row[1] for row in rows[:2]] == ["chosen", "completed"]
    assert rows[4][1] == "failed: ResourceExhausted: no memory"
    assert rows[5][1] == "not run"
    assert rows[0][5:] == ["layers 2, units 64, learning_rate 0.001, scaled yes", "14,596", "25", "2.5 s", "here"]
    assert "6 trials asked for, 4 completed, 1 failed, 1 not run" in page.text


def test_the_executions_attempts_and_origin_of_a_trial_are_reported(written, learned):
    first, second, *others = learned.outcomes
    executions = tuple(
        Execution(trial=1, number=number, seed=number, state="completed", objective=score)
        for number, score in enumerate((0.85, 0.9))
    )
    second = second.replace(
        executions=executions, attempts=2, spec=second.spec.replace(origin={"bracket": 1, "continues": 0})
    )
    skipped = first.replace(state="skipped", reason="the search has no configuration left for it", fits=())
    page = Page(written(learned.replace(outcomes=(skipped, second, *others))))

    row = page.row("1")
    assert row[1] == "chosen (2 attempts)"
    assert row[4] == "87.5% \u00b1 3.5"
    assert row[5].endswith("bracket 1, continues 0")
    assert page.row("0")[1] == "skipped: the search has no configuration left for it"
    assert "6 trials asked for, 3 completed, 1 failed, 1 skipped, 1 not run" in page.text


def test_the_search_is_reported_before_and_after(written, learned):
    models = (
        ModelChoice(family="svm", features="timbre", fixed={"gamma": 0.5}),
        ModelChoice(family="forest", features="timbre"),
    )
    search = SearchPlan(strategy="bayesian", trials=6, executions=2, retries=1)
    recipe = learned.plan.recipe.replace(models=models, search=search)
    content = learned.replace(plan=learned.plan.replace(recipe=recipe), study=plan_study(recipe), trials_wall_s=6.25)
    page = Page(written(content))

    assert page.open == []
    assert "A Gaussian process fitted to the trials that have ended" in page.text
    assert (
        "6 trials; each configuration is fitted 2 times, from different seeds, and its score is the mean" in page.text
    )
    assert "Speed-up 2.00: 12.5 s of trials in 6.2 s" in page.text
    assert ["svm", "timbre", "bayesian", "3", "no end of them"] in page.cells
    assert ["svm", "c", "2 to 30, logarithmic", "8", "\u2013"] in page.cells
    assert ["svm", "gamma", "0.5 (fixed)", "0.5", "\u2013"] in page.cells
    assert ["forest", "leaf", "1 to 6, step 1", "1", "\u2013"] in page.cells


def test_a_recipe_whose_model_is_gone_has_a_report_without_its_search(written, learned):
    missing = learned.plan.recipe.replace(models=(ModelChoice(family="gone", features="timbre"),))
    model = PlannedModel(name="00-gone", family="gone", features="timbre", oracle="random", trials=(0,))
    study = StudyPlan(strategy="random", models=(model,))

    assert 'id="search"' not in written(learned.replace(plan=learned.plan.replace(recipe=missing), study=study))


def test_counts_formats_rates_and_stages_are_those_of_the_run(written, learned):
    page = Page(written(learned))

    assert page.row("WAV") == ["WAV", "13", "1 min 12 s"]
    assert "22.05 kHz (16), 44.1 kHz (16) and 48 kHz (16); mono (24) and stereo (24)" in page.text
    assert page.row("trials") == ["trials", "1 min 01 s", "81.6%"]
    assert page.row("all") == ["all", "1 min 15 s", ""]
    assert "49 files under /music/demo." in page.text
    assert ["tones/broken.wav", "unreadable", "no 'data' chunk", "2"] in page.cells
    assert ["chords/chords-05.flac", "mfcc-0123456789ab", "too_short", "2.1 s, 3 s needed"] in page.cells
    assert ["tones", "13", "7", "2", "3"] in page.cells


def test_everything_needed_to_do_it_again_is_reported(written, learned):
    page = Page(written(learned))

    assert "chordal run /music/demo --seed 7" in page.text
    assert page.row("Seed")[1] == "7"
    assert page.row("Dataset digest")[1] == learned.manifest.digest
    assert page.row("numpy")[1] == "2.2.0"
    assert page.row("system")[1] == "Linux"
    assert page.row("timbre")[2:5] == ["160", "160", "n_mfcc 40, hop 512"]
    assert '[[models]] family = "dense"' in page.text


def test_a_split_that_keeps_its_groups_is_confirmed_and_one_that_does_not_is_denounced(written, learned):
    assert "no group lies on more than one side" in Page(written(learned)).text
    assert "2 duplicates kept together" in Page(written(learned)).text

    tracks = [
        track.replace(group="the same") if place < 12 else track for place, track in enumerate(learned.manifest.tracks)
    ]
    torn = learned.replace(manifest=learned.manifest.replace(tracks=tuple(tracks)))

    assert "Warning: 1 group found on more than one side" in Page(written(torn)).text


def test_altered_copies_are_counted_and_missing_ones_are_reported(written, learned):
    plan = AugmentPlan(copies=2, speed=(0.9, 1.1), snr_db=(10.0, 30.0))
    first, *others = learned.manifest.tracks
    copies = tuple(
        AugmentedCopy(content_hash=f"{copy}" * 32, variation=Variation(copy=copy, seed=1)) for copy in (1, 2)
    )
    augmented = learned.replace(
        plan=learned.plan.replace(recipe=learned.plan.recipe.replace(augment=plan)),
        manifest=learned.manifest.replace(tracks=(first.replace(copies=copies), *others)),
    )

    text = Page(written(augmented)).text

    planned = 2 * len(learned.manifest.tracks)
    assert "2 altered copies (speed 0.9 to 1.1, snr_db 10 to 30) went with their tracks" in text
    assert f"{planned - 2} of {planned} are missing from the store" in text
    (is_tested,) = {0} & set(learned.split.partitions[0].test) or {None}
    assert ("0 of them belong to tracks that were learned from" in text) == (is_tested == 0)
    assert "altered copies" not in Page(written(learned)).text


def test_folds_are_reported_one_by_one(written, learned, scores_of):
    weak = scores_of(((1, 1, 0, 1), (0, 3, 0, 0), (0, 0, 3, 0), (2, 0, 0, 1)))
    evaluation = learned.evaluation.replace(
        per_partition={"1": learned.evaluation.test, "2": weak}, chosen={"1": (1,), "2": (1, 2)}
    )
    places = range(48)
    folds = tuple(
        Partition(
            name=str(fold + 1),
            train=tuple(p for p in places if p % 4 > 1),
            validation=tuple(p for p in places if p % 4 == 1 - fold),
            test=tuple(p for p in places if p % 4 == fold),
        )
        for fold in range(2)
    )
    split = Split(strategy="folds", seed=7, groups=48, partitions=folds)

    page = Page(written(learned.replace(evaluation=evaluation, split=split)))

    assert "by a model that never saw its fold: 2 folds" in page.text
    assert ["1", "75.0%", f"{learned.evaluation.test.macro_f1:.1%}", "12", "no interval", "1"] in page.cells
    assert ["2", "66.7%", f"{weak.macro_f1:.1%}", "12", "no interval", "1 and 2"] in page.cells
    assert ["1", "24", "12", "12", "12"] in page.cells
    assert "Accuracy from 66.7% to 75.0%" in page.text


def test_the_surest_mistakes_come_first(written, learned):
    page = Page(written(learned))

    start = next(place for place, row in enumerate(page.cells) if row[:2] == ["File", "True class"])
    assert page.cells[start + 1] == ["tones/tones-01.wav", "tones", "chords", "85.0%", "5.0%", "holdout"]
    assert [row[3] for row in page.cells[start + 1 : start + 4]] == ["85.0%", "82.0%", "61.0%"]


def test_hostile_names_are_printed_and_not_obeyed(written, learned):
    evil = "<img src=x onerror=alert(1)>$x_1$"
    facts = learned.facts.replace(failures=(ListedFailure(path=HOSTILE, kind="unreadable", reason=evil),))
    wrong = Prediction(
        track_id="0", path=HOSTILE, label=evil, truth="tones", partition="holdout", probabilities=(0.0, 0.0, 0.0, 0.1)
    )
    classes = (evil, "drum loops", "noise", "tones")
    evaluation = learned.evaluation.replace(classes=classes, predictions=(wrong,))
    content = learned.replace(
        plan=learned.plan.replace(command=("chordal", "run", HOSTILE), run_id=evil),
        facts=facts,
        evaluation=evaluation,
        class_balance={evil: 3, "日本": 2, "\udcff\x01": 1},
        versions={evil: evil},
    )

    html = written(content)
    page = Page(html)

    assert "<script" not in html
    assert "<img" not in html
    assert [SHOWN, "unreadable", evil, "1"] in page.cells
    assert [SHOWN, "tones", evil, "0.0%", "10.0%", "holdout"] in page.cells
    assert page.open == []


def test_labels_that_are_nearly_the_same_and_what_was_folded_are_in_the_report(written, extraction):
    findings = LabelFindings(
        near_equal=near_equal({"Rock": 9, "ROCK": 2, "<b>": 1}), folded=FoldCounts(labels=41, files=312, into=12)
    )
    page = Page(written(extraction.replace(label_findings=findings)))
    assert "Note: folded 41 labels of 312 files into 12." in page.text
    assert "Note: Rock and ROCK differ by case alone; if they are one, make them aliases in a vocabulary" in page.text
    assert "Note: " not in Page(written(extraction)).text


def test_a_run_that_only_extracts_has_a_report_too(written, extraction):
    page = Page(written(extraction))

    assert "48 of 49 files have features" in page.text
    assert "30 extracted now, 18 unchanged since an earlier run" in page.text
    assert "tones/broken.wav" in page.text
    assert "Confusion" not in page.text
    assert "Trials" not in page.text


def test_the_least_that_a_run_can_tell_makes_a_report(written, extraction):
    content = ReportContent(
        plan=extraction.plan, counts=extraction.counts.replace(scanned=0, extracted=0, unchanged=0, failed=0)
    )

    page = Page(written(content))

    assert "0 of 0 files have features" in page.text
    assert "None: every file that was scanned has features." in page.text


def test_trials_that_all_failed_are_reported(written, learned):
    failed = learned.outcomes[4]

    page = Page(written(learned.replace(outcomes=(failed,), trials=(failed.spec,), evaluation=None)))

    assert "1 trial asked for, 0 completed, 1 failed" in page.text
    assert "No model was evaluated in this run." in page.text


def test_long_lists_are_cut_and_say_how_long_they_were(written, extraction):
    failures = tuple(ListedFailure(path=f"/music/demo/{n}.wav", kind="empty", reason="no samples") for n in range(200))
    facts = TrackFacts(failures=failures, failure_kinds={"empty": 12_345})

    page = Page(written(extraction.replace(facts=facts, counts=extraction.counts.replace(failed=12_345))))

    assert "200 of 12,345 shown." in page.text
    assert page.row("199.wav")


def test_a_hundred_classes_make_a_report_without_a_matrix(written, learned, scores_of):
    classes = tuple(f"class {n:03d}" for n in range(100))
    confusion = tuple(tuple(int(a == b) + int(b == (a + 1) % 100) for b in range(100)) for a in range(100))
    test = scores_of(confusion, classes)
    evaluation = learned.evaluation.replace(classes=classes, test=test, per_partition={"holdout": test}, predictions=())

    page = Page(written(learned.replace(evaluation=evaluation)))

    assert "50.0% of 200 test tracks" in page.text
    assert "10 of 100 pairs shown." in page.text
    assert not [label for label in page.values("aria-label") if label.startswith("Confusion matrix")]


def test_twenty_classes_have_their_matrix_below_the_first_screen(written, learned, scores_of):
    classes = tuple(f"class {n:02d}" for n in range(20))
    test = scores_of(tuple(tuple(2 * int(a == b) for b in range(20)) for a in range(20)), classes)
    evaluation = learned.evaluation.replace(classes=classes, test=test, per_partition={"holdout": test}, predictions=())

    html = written(learned.replace(evaluation=evaluation))

    assert html.index("<nav") < html.index('aria-label="Confusion matrix')


def test_the_same_content_makes_the_same_bytes(written, learned):
    assert written(learned) == written(learned)


def test_content_survives_its_wire_form(learned):
    assert ReportContent.from_wire(learned.to_wire()) == learned


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path, learned):
    target = tmp_path / "run.html"
    target.mkdir()

    with pytest.raises(IsADirectoryError):
        write_report(target, learned)
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.html"]


def test_a_report_replaces_the_one_before(tmp_path, learned, extraction):
    target = tmp_path / "run.html"
    write_report(target, extraction)

    write_report(target, learned)

    assert "75.0% of 12 test tracks" in target.read_text("utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.html"]
