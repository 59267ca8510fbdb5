"""A file that would take for ever: its process is killed at the hard limit, and the file ends as that failure."""

import subprocess
import sys

import plugins
import pytest
import soundfile
from conditions import eventually
from sounds import RATE_HZ, sound, write_classes

from workers.processes.cluster import local_cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

WORKER = """
import logging, sys
from pipeline.features.warm import warm
from workers.broker.address import BrokerAddress
from workers.app.celery import configure
from workers.app.settings import Settings

logging.basicConfig(level=logging.INFO)
settings = Settings(home=sys.argv[1], broker=BrokerAddress.parse(sys.argv[2]), extract_limit_s=10)
warm()
configure(settings, "extract").worker_main(
    ["worker", "--pool=prefork", "--concurrency=1", "--queues=extract,store", "--loglevel=INFO"]
)
"""


@pytest.fixture
def plugin(tmp_path) -> str:
    """A folder with an installed distribution whose family never ends over a stereo file."""
    start = "if stream.channels == 2:\n    threading.Event().wait()"
    return plugins.install(tmp_path / "installed", "hanging", title="Hangs over stereo", start=start)


def test_a_file_over_the_hard_time_limit_ends_as_a_timeout_and_the_others_stand(chordal, plugin, tmp_path):
    # given a worker of short patience, and a file that hangs among harmless ones
    library = tmp_path / "library"
    total = write_classes(library, per_class=2, seconds=1.0)
    endless = library / "low" / "endless.wav"
    soundfile.write(endless, sound(1, seconds=1.0).repeat(2, axis=1), RATE_HZ)
    chordal.recipe.write_text(chordal.recipe.read_text("utf-8").replace("mfcc_segments", "hanging"), "utf-8")
    (chordal.home / "logs").mkdir(parents=True)
    with local_cluster(chordal.home, None, 0) as running, (chordal.home / "logs" / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-P", "-c", WORKER, chordal.home, running.broker.url],
            stdout=log,
            stderr=log,
            cwd=chordal.folder,
            env=chordal.environment(PYTHONPATH=plugin),
        )
        try:
            # when it is extracted
            options = ["--broker", running.broker.url, "--recipe", chordal.recipe]
            result = chordal("extract", library, *options, within_s=100, PYTHONPATH=plugin)
        finally:
            worker.terminate()
            eventually(lambda: worker.poll() is not None)

    # then it has the kind of failure it had, after one attempt
    assert result.status == 0, result.err + chordal.logs()
    [failure] = chordal("failures", "--json").json["failures"]
    assert (failure["path"], failure["kind"], failure["attempts"]) == (str(endless), "timeout", 1)
    assert failure["reason"] == "not done after 10 s"
    assert chordal("status", "--json").json["tracks"] == {"extracted": total, "unchanged": 0, "failed": 1}
