"""How many files of a run are settled: from the ledger, from the broker, and from both."""

import pytest
from homes import scan

from pipeline.plans.run import ShardSummary
from storage import RunLedger
from storage.home import Home
from workers.runs.file_counts import SealedFiles, count_files
from workers.runs.state import RunState

FILES = 6
SUMMARY = ShardSummary(shard=0, extracted=4, unchanged=1, failed=1)


@pytest.fixture
def home(tmp_path) -> Home:
    """A home with a scanned run of six files in a shard."""
    scan(tmp_path, {f"/music/{number}.wav": (None, None) for number in range(FILES)})
    return Home(tmp_path)


def counts(home: Home, progress: dict[str, float] | None, **more):
    found = count_files(RunState.read(home, "run-1"), progress, **more)
    return found.outcomes, found.settled, found.of, found.at_least


def test_of_open_shards_the_broker_knows(home):
    progress = {"extracted": 3.0, "failed": 1.0, "failed: empty": 1.0, "audio_s": 7.0}
    assert counts(home, progress) == ({"extracted": 3, "unchanged": 0, "failed": 1}, 4, FILES, False)


def test_without_a_broker_only_a_least_number_is_known(home):
    assert counts(home, None) == ({"extracted": 0, "unchanged": 0, "failed": 0}, 0, FILES, True)


def test_of_sealed_shards_the_ledger_knows_whatever_the_broker_counted(home):
    RunLedger(home.path).seal("run-1", SUMMARY)
    for progress in (None, {}, {"extracted": 2.0}, {"extracted": 99.0}):
        assert counts(home, progress) == ({"extracted": 4, "unchanged": 1, "failed": 1}, 6, FILES, False)


def test_a_broker_that_lost_its_counts_makes_the_sealed_shards_a_least_number(home):
    ledger = RunLedger(home.path)
    ledger.seal("run-1", SUMMARY)
    state = RunState.read(home, "run-1")
    of_two = RunState(home=home, plan=state.plan, shards=2, sealed=state.sealed)
    found = count_files(of_two, {"extracted": 2.0}, of=2 * FILES)
    assert (found.settled, found.of, found.at_least) == (6, 12, True)


def test_a_file_that_was_counted_twice_makes_no_more_than_all(home):
    progress = {"extracted": 6.0, "unchanged": 2.0, "failed": 1.0}
    assert counts(home, progress) == ({"extracted": 5, "unchanged": 0, "failed": 1}, 6, FILES, False)


def test_a_summary_is_read_once(home):
    ledger = RunLedger(home.path)
    ledger.seal("run-1", SUMMARY)
    sealed = SealedFiles(ledger, "run-1")
    first = sealed.outcomes(frozenset({0}))
    (ledger.path("run-1") / "sealed" / "00000.json").unlink()
    assert sealed.outcomes(frozenset({0})) == first == {"extracted": 4, "unchanged": 1, "failed": 1}
