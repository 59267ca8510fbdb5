import subprocess
import sys

import pytest
from lost_signals import lost_signal

from workers.schedule.nights import Nights, Schedule

pytestmark = pytest.mark.slow

SWALLOWING = f"""
{lost_signal("SIGTERM")}
import sys
from workers.broker.address import BrokerAddress
from workers.schedule.beat import HomeScheduler, beat
from workers.app.settings import Settings

send = HomeScheduler._send

def swallowing(self, order):
    send(self, order)
    Finalised()
    print("still here", flush=True)

HomeScheduler._send = swallowing
beat(Settings(home=sys.argv[1], broker=BrokerAddress.parse(sys.argv[2])))
print("ended", flush=True)
"""


@pytest.mark.slow
def test_a_beat_ends_also_when_a_finaliser_swallows_what_the_signal_raised(tmp_path, broker):
    Nights(tmp_path).put_schedule(Schedule(since="2020-01-01T00:00:00+00:00", reconcile_s=1))
    command = [sys.executable, "-P", "-c", SWALLOWING, tmp_path, broker.url]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["still here", "ended"]
