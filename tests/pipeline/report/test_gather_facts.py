"""Totals over the track records of a library."""

from pipeline.report import FormatFacts, gather_facts
from pipeline.report.content import LISTED


def test_formats_rates_and_channels_are_counted_over_readable_files(record_of, failure_of):
    records = [
        record_of("/m/a.WAV", duration_s=2.0),
        record_of("/m/b.wav", duration_s=3.5, sample_rate_hz=48_000, channels=1),
        record_of("/m/c.mp3", failure=failure_of()),
        record_of("/m/odd", duration_s=1.0, note="cut short"),
    ]

    facts = gather_facts(records)

    assert facts.formats == {
        "WAV": FormatFacts(files=2, audio_s=5.5),
        "MP3": FormatFacts(files=1, audio_s=0.0),
        "no extension": FormatFacts(files=1, audio_s=1.0),
    }
    assert facts.rates == {44_100: 2, 48_000: 1}
    assert facts.channels == {1: 1, 2: 2}
    assert (facts.audio_s, facts.notes, facts.failed) == (6.5, 1, 1)


def test_the_failures_are_listed_up_to_a_bound_and_counted_beyond_it(record_of, failure_of):
    records = (record_of(f"/m/{n}.wav", failure=failure_of("empty")) for n in range(LISTED + 7))

    facts = gather_facts(records)

    assert len(facts.failures) == LISTED
    assert facts.failure_kinds == {"empty": LISTED + 7}


def test_a_failed_family_leaves_the_file_readable(record_of, failure_of):
    facts = gather_facts([record_of("/m/a.wav", family_failures={"mfcc-1": failure_of("too_short", "too short", 1)})])

    assert facts.failed == 0
    assert facts.family_failure_kinds == {"mfcc-1: too_short": 1}
    assert [(f.path, f.family, f.kind) for f in facts.family_failures] == [("/m/a.wav", "mfcc-1", "too_short")]
