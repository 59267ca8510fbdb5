import json
import subprocess
import sys

import pytest

PRINT_LIMITS = """
import json
import sys
from workers.broker.address import BrokerAddress
from workers.app.celery import configure
from workers.app.settings import Settings

broker = BrokerAddress.parse("redis://127.0.0.1:1/0")
settings = Settings(home="", broker=broker, extract_limit_s=11, learn_limit_s=22, conduct_limit_s=33)
app = configure(settings, sys.argv[1])
app.loader.import_default_modules()
print(json.dumps({name: task.time_limit for name, task in sorted(app.tasks.items()) if name.startswith("chordal.")}))
"""


@pytest.mark.parametrize(
    ("role", "limits_s"), [("extract", (11, 22, 33)), ("conduct", (11, 22, 33)), ("client", (None, None, None))]
)
def test_a_task_has_the_time_limit_of_its_kind_of_work_whoever_publishes_it(role, limits_s):
    extract_s, learn_s, conduct_s = limits_s
    # in a process of its own: a task keeps the limit that it was first given
    done = subprocess.run([sys.executable, "-c", PRINT_LIMITS, role], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {
        "chordal.extract.track": extract_s,
        "chordal.store.seal": extract_s,
        "chordal.tune.plan": learn_s,
        "chordal.tune.trial": learn_s,
        "chordal.train.finish": learn_s,
        "chordal.schedule.nightly": conduct_s,
        "chordal.schedule.reconcile": conduct_s,
        "chordal.schedule.tidy": conduct_s,
    }
