"""Memory that runs out: the file ends as a recorded failure or is extracted by another process, and the run goes on."""

import sys

import plugins
import pytest
import soundfile
from sounds import sound, write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

RATES = {"takes all": 8_000, "stores not": 11_025, "killed": 16_000, "killed once": 32_000}
"""The rate of a file decides what it does to the process that opens it."""

START = """
import pathlib, resource
what = {{rate_hz: name for name, rate_hz in {rates}.items()}}.get(stream.rate_hz)
if what == "takes all":
    held = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 50_000_000, resource.RLIM_INFINITY))
    hoard = []
    while True:
        hoard.append(bytearray(1_000_000))
if what == "stores not":
    from storage import FileFeatureStore
    def commit(self, *anything):
        raise MemoryError("nothing left for a segment")
    FileFeatureStore.commit = commit
once = pathlib.Path({folder!r}, "killed once")
if what == "killed" or (what == "killed once" and not once.exists()):
    if what == "killed once":
        once.touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="bounds memory as Linux does")
def test_processes_that_run_out_of_memory_cost_no_other_file(chordal, tmp_path):
    # given a file that takes all the memory its process may have, one after which there is none left to store anything,
    # and two over which the kernel kills, once and every time
    library = tmp_path / "library"
    total = write_classes(library, per_class=4, seconds=0.5)
    for number, (name, rate_hz) in enumerate(RATES.items()):
        soundfile.write(library / "low" / f"{name}.wav", sound(100 + number, seconds=0.5, rate_hz=rate_hz), rate_hz)
    start = START.format(rates=RATES, folder=str(tmp_path))
    installed = plugins.install(tmp_path / "installed", "hungry", start=start)
    chordal.recipe.write_text(chordal.recipe.read_text("utf-8").replace("mfcc_segments", "hungry"), "utf-8")

    # when
    result = chordal("extract", library, "--recipe", chordal.recipe, "--json", PYTHONPATH=installed)

    # then each ends as what it was, and all others are there
    assert result.status == 0, result.err + chordal.logs()
    assert result.json["tracks"] == {"scanned": total + 4, "extracted": total + 1, "unchanged": 0, "failed": 3}
    failures = {row["path"].rpartition("/")[2]: row for row in chordal("failures", "--json").json["failures"]}
    assert {name: (row["kind"], row["attempts"]) for name, row in failures.items()} == {
        "takes all.wav": ("crashed", 3),
        "stores not.wav": ("crashed", 3),
        "killed.wav": ("crashed", 3),
    }
    assert "process died" not in result.err, "no worker's main process ends for it"
    assert chordal.live_processes() == []
