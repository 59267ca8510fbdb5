"""Processes that take trials from the oracles of several studies and report outcomes, killed at any moment.

`python oracle_client.py HOME KILLS RUN...` ends when all trials of all runs have ended. KerasTuner is imported once,
before the processes are forked; nothing is computed by TensorFlow.
"""

import json
import os
import random
import signal
import sys
import threading
from pathlib import Path

from pipeline.learning.search.keras_oracles import oracle_classes, quiet_keras_tuner
from pipeline.learning.study.trials import TrialOutcome
from storage.home import Home
from workers.learning import oracle, study

PROCESSES = 2


def score(spec) -> float:
    """Return the score of a configuration, always the same."""
    return random.Random(json.dumps(spec.hyperparameters, sort_keys=True)).random()


def work(folder: Path, runs: list[str], seed: int) -> None:
    """Take whatever trial has not ended, as a message that may be delivered twice would, until all have."""
    chance, home, pause = random.Random(seed), Home(folder), threading.Event()
    with (folder / f"asked-{os.getpid()}.jsonl").open("a", encoding="utf-8") as log:
        while missing := [(run, index) for run in runs for index in study.unfinished_trials(home, run)]:
            run, index = chance.choice(missing[:8])
            spec = oracle.trial_spec(home, run, index)
            if spec == "wait":
                pause.wait(0.005)
                continue
            if spec == "exhausted":
                home.ledger.claim(run, f"exhausted-{index}")
                return
            log.write(json.dumps([run, index, spec.hyperparameters, spec.seed]) + "\n")
            log.flush()
            home.ledger.put_outcome(TrialOutcome(spec=spec, state="completed", objective=score(spec)))


def start(folder: Path, runs: list[str], seed: int) -> int:
    """Start a process and return its number."""
    number = os.fork()
    if number == 0:
        try:
            work(folder, runs, seed)
        except BaseException as error:
            (folder / f"broke-{os.getpid()}.txt").write_text(repr(error), "utf-8")
            raise
        finally:
            os._exit(0)
    return number


def main(folder: Path, kills: int, runs: list[str]) -> None:
    """Keep some processes at work, and kill one now and then; print how many were killed before all had ended."""
    with quiet_keras_tuner():
        oracle_classes()
    chance, pause = random.Random(1), threading.Event()
    processes = [start(folder, runs, seed) for seed in range(PROCESSES)]
    home, killed = Home(folder), 0
    for kill in range(kills):
        pause.wait(chance.uniform(0.0, 0.1))
        if not any(study.unfinished_trials(home, run) for run in runs):
            break
        killed += 1
        victim = chance.choice(processes)
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        processes.remove(victim)
        processes.append(start(folder, runs, PROCESSES + kill))
    for number in processes:
        os.waitpid(number, 0)
    print(killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
