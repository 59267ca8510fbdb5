"""What a report says of the gate."""

from pipeline.learning.evaluation.gate import Comparison, Verdict
from pipeline.report.write import render_report

COMPARED = Comparison(
    test="mcnemar", p=0.0123, tracks=40, groups=40, challenger=0.9, champion=0.75, only_challenger=8, only_champion=2
)


def page(learned, verdict) -> str:
    return " ".join(render_report(learned.replace(verdict=verdict)).split())


def test_the_first_champion_needs_no_comparison(learned):
    text = page(learned, Verdict(version="v0003", state="promoted", reason="the first model"))
    assert "v0003 became the champion: the first model." in text
    assert "rollback" not in text


def test_a_promotion_shows_both_on_the_same_tracks_and_the_way_back(learned):
    verdict = Verdict(version="v0003", state="promoted", reason="beats it", champion="v0002", comparison=COMPARED)
    text = page(learned, verdict)
    assert "v0003 became the champion in place of v0002; `chordal models rollback` brings that one back" in text
    assert "the same 40 tracks that neither learned from" in text
    assert "McNemar" in text
    assert "p = 0.012 over 40 groups" in text


def test_a_model_that_was_kept_back_says_why_and_who_is_the_champion(learned):
    verdict = Verdict(
        version="v0003",
        state="kept",
        reason="too few to tell",
        champion="v0002",
        left_out={"learned from by v0002": 1_234},
    )
    text = page(learned, verdict)
    assert "v0002 stays the champion, v0003 is kept: too few to tell." in text
    assert "could not be compared on: 1,234 learned from by v0002." in text
    assert "this model was kept back" in text


def test_a_run_that_nothing_was_decided_about_says_nothing(learned):
    assert 'id="champion"' not in page(learned, None)
