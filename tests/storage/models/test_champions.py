"""The champion is the newest entry of a history that is only added to, whoever changes it at once."""

import pytest

from pipeline.errors import UsageError
from pipeline.learning.evaluation.gate import Verdict
from storage.models.champions import Champion, Champions
from tests.storage import workloads
from tests.storage.children import race


@pytest.fixture
def champions(tmp_path):
    return Champions(tmp_path)


def versions(champions):
    return [entry.version for entry in champions.history()]


def test_a_home_without_a_model_has_no_champion(champions):
    assert (champions.current(), champions.history()) == (None, [])
    with pytest.raises(UsageError, match="no champion yet"):
        champions.rollback()


def test_promoting_is_an_entry_with_who_and_when_and_the_champion_itself_is_not_promoted_again(champions):
    first = champions.promote("v0001", reason="because")
    assert (first.number, first.version, first.action, first.reason, first.back) == (
        1,
        "v0001",
        "promote",
        "because",
        None,
    )
    assert first.by
    assert first.at
    assert champions.promote("v0001") == first
    assert champions.current() == first


def test_going_back_again_and_again_leads_to_the_first_champion_and_no_further(champions):
    for version in ("v0001", "v0002", "v0003"):
        champions.promote(version)
    assert champions.rollback().version == "v0002"
    assert champions.rollback().version == "v0001"
    with pytest.raises(UsageError, match="v0001 is the first champion"):
        champions.rollback()
    champions.promote("v0004")
    assert champions.rollback(reason="worse").version == "v0001"
    assert versions(champions) == ["v0001", "v0002", "v0003", "v0002", "v0001", "v0004", "v0001"]
    assert champions.current().action == "rollback"


def test_whoever_changes_the_champion_after_another_did_is_told(champions):
    before = champions.promote("v0001")
    champions.promote("v0002")
    assert champions.append(before, Champion(number=0, version="v0003", action="gate", at="")) is None
    assert versions(champions) == ["v0001", "v0002"]


def test_racing_promotions_are_all_in_the_history_and_one_of_them_is_the_champion(processes, champions, tmp_path):
    racers = [(tmp_path, f"v{number:04d}") for number in range(1, 6)]
    _, numbers = race(processes, workloads.promote, racers)
    assert sorted(numbers) == [1, 2, 3, 4, 5]
    assert sorted(versions(champions)) == [version for _, version in racers]
    assert [entry.back for entry in champions.history()] == [None, 1, 2, 3, 4]


def test_racing_rollbacks_never_go_back_further_than_somebody_saw(processes, champions, tmp_path):
    for version in ("v0001", "v0002", "v0003", "v0004"):
        champions.promote(version)
    _, messages = race(processes, workloads.roll_back, [(tmp_path,)] * 4)
    went = [each for each in messages if each.startswith("v")]
    # each that went back read the champion it left; the others failed as there is another one by now
    assert all("say it again" in each or "first champion" in each for each in messages if each not in went)
    assert versions(champions)[4:] == ["v0003", "v0002", "v0001"][: len(went)]


def test_a_verdict_is_found_also_when_whoever_promoted_died_before_it_was_written(champions):
    verdict = Verdict(version="v0001", state="promoted", reason="the first model")
    champions.append(None, Champion(number=0, version="v0001", action="first", verdict=verdict, at=""))
    assert champions.verdict("v0001") == verdict
    assert champions.verdict("v0002") is None
    assert champions.put_verdict(verdict)
    assert not champions.put_verdict(verdict.replace(reason="another"))
    assert champions.verdict("v0001").reason == "the first model"
