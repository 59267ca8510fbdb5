"""Homes that 3ef4197 made, and all that it said on the wire and in JSON: the present code reads and says the same."""

import json
import re
import shutil
from importlib.metadata import version
from pathlib import Path

import brokers
import old_homes
import pytest
import redis
from old_homes import ANSWERS, FLOW, LIBRARY, QUESTIONS, RECIPE, answer, differences
from wire import fields

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

on_linux = pytest.mark.skipif(not old_homes.HERE.exists(), reason="the home's library lies at a path that Linux has")

RUN = ("run", str(LIBRARY), "--recipe", str(RECIPE))
COMPARED = ("tracks", "deleted", "duplicates", "labels", "trials", "copies", "scores", "split", "verdict")
"""What a run's summary tells of what it did, not of when and how fast."""
STATES = ("run_id", "stage", "tracks", "ledger", "shards", "trials", "libraries", "model", "test_accuracy")
ADDED_METRICS = {
    "chordal_broker_up",
    "chordal_home_free_bytes",
    "chordal_home_size_bytes",
    "chordal_metric_errors{name}",
    "chordal_nightly_last_outcome{state}",
    "chordal_nightly_last_success_timestamp_seconds",
    "chordal_nightly_overdue_seconds",
    "chordal_nightly_running",
    "chordal_nightly_scheduled",
    "chordal_queue_workers{queue}",
    "chordal_run_active{run}",
    "chordal_run_failed_ratio{run}",
    "chordal_run_files_settled{outcome,run}",
    "chordal_run_files{run}",
    "chordal_run_settled_ratio{run}",
    "chordal_run_stage{run,stage}",
    "chordal_run_trials_ended{run}",
    "chordal_run_trials_planned{run}",
    "chordal_service_process_start_time_seconds{name}",
    "chordal_service_process_up{name}",
    "chordal_worker_up{worker}",
}
"""Metrics that there were not."""
SOME_FILE_SYSTEMS = {"chordal_home_free_files", "chordal_home_size_files"}
"""Of a file system that has room for so many files and no more."""

LONG = ("run", "extract", "train", "watch")
WALK = {"--exclude", "--include-hidden"}
SCAN = {*WALK, "--layout", "--dual-mono", "--no-cue", "--vocabulary", "--multi"}
LEARN = {"--leave-out-classes"}
ADDED_OPTIONS = {
    **{command: {"--notify", *LEARN, *SCAN} for command in LONG},
    "scan": {"--unlabelled", *LEARN, *SCAN},
    "predict": {"--vocabulary", *WALK},
    "failures": {"--remarks"},
    "schedule set": {
        *("--notify", "--notify-on", "--no-dual-mono", "--no-include-hidden", "--cue", "--no-multi"),
        *("--keep-models", "--keep-runs"),
        *SCAN,
    },
    "up": {"--flower-prefix"},
    "flower": {"--flower-prefix"},
    "report": {"--out"},
}
ADDED_COMMANDS = {"duplicates", "labels", "runs", "models delete", "models prune"}
ADDED_FILES = {"store/parts/fingerprint-HEX-HEX.h5"}
"""In a home that this version extracted in: a family that is computed beside those asked for."""
ADDED_VARIABLES = {command: {"CHORDAL_NOTIFY"} for command in LONG}
"""Options and variables that there were not, by the words of their command."""
ADDED_TO_NIGHTS = {"current", "deliveries", "died", "notify", "runs", "schedule.dual_mono", "schedule.rules"}
ADDED_TO_NIGHTS |= {"schedule.keep_models", "schedule.keep_runs"}
ADDED_TO_SCANS = {"all_labels", "folded", "near_equal", "near_equal_folds", "near_equal_groups", "several"}
SCANNED = {*ADDED_TO_SCANS, "split", "unlabelled", "cut_tags", "labels_from", "left_out", "cue_sheets"}
MISSED = {"left_out", "unreadable"}
PREDICTED = {"tracks.note", *MISSED}
ADDED_FIELDS = {
    "a recipe": {"vocabulary", "split.validation_folds"},
    "schedule": ADDED_TO_NIGHTS,
    "status": {"files", "night", "remarks", "tags"},
    "trials": {"files", "night", "remarks", "tags"},
    "killed": {"files", "remarks", "tags"},
    "predict": PREDICTED,
    "predict in chunks": PREDICTED,
    "scan": SCANNED,
    "run": {"remarks", "retagged", "unlabelled", "cut_tags", "cue_sheets", *MISSED, *ADDED_TO_SCANS},
}
"""Fields that the answers did not have, by question."""
NEW_NAMES = (
    *(
        "objective",
        "baseline",
        "cautions",
        "priors",
        "asked",
        "warnings",
        "continues",
        "taken_over",
        "top2",
        "by_group",
        "groups_tested",
    ),
    "classes_scored",
    *("turn", "renewal", "lost_classes", "fallen_classes", "level", "challengers", "knows_groups", "is_stand_in"),
    *(
        "copies/learned",
        "hyperparameters/activation",
        "known_tracks",
        "known_champion",
        "known_challenger",
        "fresh",
        "fresh_champion",
        "changes",
    ),
)
ADDED_ANYWHERE = re.compile(
    rf"/({'|'.join(NEW_NAMES)})(/|:).*only the present code has it|"
    r"/gate/classes: only the present|/hyperparameters/\w+: only the present|search(ed)?/models/\d+/space: |"
    # by Student's t over groups, where it was a bootstrap; by the sign-flip test, and with other defaults
    r"/(accuracy|macro_f1)_interval(/|:)|verdict/reason: 'too few to tell|/answer/coverage: 0.0, not 0.5|"
    # a search space that lists what a family fixes beside what it had
    r"/search(ed)?/models/\d+/space: .*'name': 'activation'|"
    # not told where no groups are known
    r"comparison/(test|p): |leakage/(gap|whole_groups): "
)
"""Fields that there were not, wherever they are, and what is computed in another way."""
PARTITION = re.compile(r"/execution-0/[^/]+/")
STAMP = '"stamp": {"mtime_ns": "number"'
ADDED_BY_A_SERVICE = {
    "status": {"broker", "files", "night", "remarks", "tags"},
    "trials": {"broker", "files", "night", "remarks", "tags"},
    "status of a run that waits": {"broker", "files", "night", "remarks", "tags"},
    "status of a run that was cancelled": {"broker", "files", "night", "remarks", "tags"},
    "scan": SCANNED,
    "predict": PREDICTED,
    "recipes": {"vocabulary", "split.validation_folds"},
    "schedule set": ADDED_TO_NIGHTS,
    "schedule show": ADDED_TO_NIGHTS,
}
"""Fields that the answers did not have while a service is up."""


@pytest.fixture(scope="module")
def answers():
    """The results of commands by 3ef4197 on its homes."""
    return json.loads(ANSWERS.read_text("ascii"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The command line in the finished home, which is not changed."""
    from tests.conftest import Chordal

    chordal = Chordal(tmp_path_factory.mktemp("finished"))
    old_homes.unpack(chordal.folder)
    chordal.home = chordal.folder / "finished"
    return chordal


@pytest.fixture
def old(chordal):
    """The command line beside the homes; a test says in which."""
    old_homes.unpack(chordal.folder)
    return chordal


def test_commands_take_what_they_took(answers):
    known = answers["commands"]
    for name in ("guard-broker", "supervise"):  # hidden: chordal alone calls them, in its own version
        del known["commands"][name]
    for command in known["commands"].values():
        command["options"] = [option for option in command["options"] if option != "--end-with-parent"]
    present = old_homes.command_line()
    del present["commands"]["schedule"]["commands"]["test-notify"]
    for words in ADDED_COMMANDS:
        *groups, name = words.split()
        command = present
        for group in groups:
            command = command["commands"][group]
        del command["commands"][name]
    for kind, added in (("options", ADDED_OPTIONS), ("variables", ADDED_VARIABLES)):
        for words, names in added.items():
            command = present
            for word in words.split():
                command = command["commands"][word]
            assert names <= set(command[kind])
            command[kind] = [name for name in command[kind] if name not in names]
    same(present, known)


def same(present, known) -> None:
    different = [line for line in differences(present, known) if not ADDED_ANYWHERE.search(line)]
    assert not different, "\n".join(different)


def without(names, wire: dict) -> dict:
    """Return a JSON object without some names, all of which it has; `outer.inner` is in what is within."""
    kept = {name: value for name, value in wire.items() if name not in names}
    for outer, _, inner in (name.partition(".") for name in names):
        assert outer in wire
        if inner:
            within = kept[outer]
            is_list = isinstance(within, list)
            kept[outer] = [without({inner}, each) for each in within] if is_list else without({inner}, within)
    return kept


def only(names, wire) -> dict:
    return {name: wire[name] for name in names if name in wire}


@on_linux
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_home_is_read_as_it_was(finished, answers, question):
    now, then = answer(finished, *QUESTIONS[question]), answers["answers"][question]
    if question == "schedule":
        del now["next"], then["next"]
    same(without(ADDED_FIELDS.get(question, set()), now), then)


@on_linux
def test_rows_are_read_as_they_were(finished, answers):
    same(old_homes.read_features(finished.home), answers["rows"])


@on_linux
def test_a_run_over_the_unchanged_library_extracts_nothing_and_learns_the_same(old, answers):
    old.home = old.folder / "finished"
    before = files(old.home / "store")
    scanned = without(ADDED_FIELDS["scan"], answer(old, "scan", str(LIBRARY)))
    same(scanned | {"run_id": "", "seconds": {}}, answers["scan"] | {"run_id": "", "seconds": {}})
    now = answer(old, *RUN)
    same(only(COMPARED, now), only(COMPARED, answers["run"]))
    same(fields(without(ADDED_FIELDS["run"], now)), fields(answers["run"]))
    assert now["tracks"]["extracted"] == 0
    assert now["model"] | {"path": ""} == answers["run"]["model"] | {"path": ""}
    assert files(old.home / "store") == before


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@on_linux
def test_a_run_that_was_killed_is_finished_by_the_same_command(old, answers):
    old.home = old.folder / "killed"
    same(without(ADDED_FIELDS["killed"], answer(old, "status")), answers["killed"]["status"])
    assert old_homes.settled_files(old.home) == answers["killed"]["settled"]
    now = answer(old, *RUN)
    same(only(COMPARED, now), only(COMPARED, answers["killed"]["run"]))
    assert old_homes.settled_files(old.home) == library_of(old)
    assert old.live_processes() == []


@on_linux
def test_a_run_that_was_killed_is_taken_up_by_a_service(old, answers):
    old.home = old.folder / "killed"
    now = old_homes.resume_run(old)
    same(only(STATES, now), only(STATES, answers["killed"]["taken up"]))
    assert old_homes.settled_files(old.home) == library_of(old)
    assert old.live_processes() == []


def library_of(old) -> list[str]:
    paths = (path.relative_to(old.folder / "library") for path in files(old.folder / "library"))
    return sorted(str(LIBRARY / path) for path in paths)


@on_linux
def test_a_service_that_is_up_on_another_host_is_respected(old):
    old.home = old.folder / "finished"
    shutil.copy(old.folder / "service.json", old.home)
    wire = json.loads((old.home / "service.json").read_text("ascii"))
    assert answer(old, "status")["service"] == {
        "process": wire["process"]["pid"], **only(("state", "host", "since", "workers"), wire)
    }  # fmt: skip
    for words in (RUN, ("down",)):
        refused = old(*words)
        assert refused.status == 2
        assert "its service is up on studio" in refused.err


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    """What `old_homes.flow` returns by the present code."""
    from tests.conftest import Chordal

    chordal = Chordal(tmp_path_factory.mktemp("flow"))
    try:
        return old_homes.flow(chordal)
    finally:
        for process in chordal.live_processes():
            process.kill()


@pytest.mark.parametrize("what", ["tasks", "keys", "documents", "printed", "tree", "exit"])
def test_names_on_the_wire_on_disk_and_in_json_are_what_they_were(flow, what):
    known = json.loads(FLOW.read_text("ascii"))[what]
    if what == "keys":  # told by those tasks alone that fail, as they may where a machine is slow
        flow[what] = [key for key in flow[what] if key in known or key != "chordal:RUN:trouble"]
    if what == "tasks":  # on a message that a worker put back, as one may that comes while it pauses
        for name, task in flow[what].items():
            headers = known[name]["headers"] if name in known else []
            task["headers"] = [each for each in task["headers"] if each in headers or each != "redelivered"]
        order = known["chordal.extract.track"]
        order["args"] = [with_whole_stamp(args) for args in order["args"]]
    if what == "printed":
        for question, names in ADDED_BY_A_SERVICE.items():
            flow[what][question] = without(names, flow[what][question])
        [worker] = flow[what]["status of a run that waits"]["live"]["workers"]
        del worker["version"]
        assert set(flow[what]["metrics"]) >= ADDED_METRICS
        flow[what]["metrics"] = [
            name for name in flow[what]["metrics"] if name not in ADDED_METRICS | SOME_FILE_SYSTEMS
        ]
    if what == "tree":
        assert set(flow[what]) >= ADDED_FILES
        flow[what] = [name for name in flow[what] if name not in ADDED_FILES]
        # so few tracks are cross-validated now, where a part of them was held out
        flow[what], known = (
            sorted({PARTITION.sub("/execution-0/PART/", name) for name in names}) for names in (flow[what], known)
        )
    known = with_broader_check(with_one_heartbeat(known))
    if isinstance(known, list):
        assert (set(known) - set(flow[what]), set(flow[what]) - set(known)) == (set(), set())
    same(flow[what], known)


def with_whole_stamp(order: str) -> str:
    """An order has the file's ctime and inode, too, and its part of an album's file with what the cue sheet says."""
    assert STAMP in order
    order = order.replace('"families": ["text"], "path"', '"families": ["text"], "part": "null", "path"')
    order = order.replace('"shard": "number", "stamp"', '"shard": "number", "sheet": "null", "stamp"')
    return order.replace(STAMP, '"stamp": {"ctime_ns": "number", "inode": "number", "mtime_ns": "number"')


def with_broader_check(known):
    """A broker is tried with more keys than one now, and workers no longer listen to each other's events."""
    own = {f"chordal:probe:{kind}" for kind in ("hash", "list", "set", "sorted", "text", "text:other")}
    events = {"celeryev.ID", "_kombu.binding.celeryev", "_kombu.binding_permanent.celeryev"}
    if isinstance(known, list) and "chordal:probe" in known:
        return sorted({*known, *own} - events)
    if isinstance(known, dict) and "chordal:totals" in known:
        return {**known, "chordal:probe:hash": {"a": "number", "c": "number"}}
    return known


def with_one_heartbeat(known):
    """What 3ef4197's workers said of themselves in two documents stands in the one now that every version reads."""
    if isinstance(known, list):
        return [name for name in known if not name.startswith("chordal:worker:")]
    if not isinstance(known, dict):
        return known
    one = dict(known)
    for name in [name for name in known if name.startswith("chordal:worker:")]:
        view = {field: kind for field, kind in one.pop(name).items() if field not in {"name", "silent_s"}}
        version = name.replace(":worker:", ":version:")
        one[version] = {**one[version], **view, "kept_s": "number"}
    return one


def test_a_worker_of_an_older_version_is_refused_with_both_versions(chordal, tmp_path):
    # given a worker that tells what those of 3ef4197 tell
    old_homes.write_library(tmp_path / "library", per_class=2)
    with brokers.valkey(tmp_path / "server") as port, redis.Redis(port=port) as client:
        client.sadd("chordal:workers", "extract@studio")
        client.set(
            "chordal:version:extract@studio",
            json.dumps({"version": "0.0.9", "held": 0, "extracts": True, "unseen": ""}),
        )
        result = chordal("extract", tmp_path / "library", "--broker", f"redis://127.0.0.1:{port}/0")
    assert (result.status, result.out) == (2, "")
    [line] = result.err.splitlines()
    assert f"its worker extract@studio is chordal 0.0.9, this is chordal {version('chordal')}; " in line
