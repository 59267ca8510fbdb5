"""Asking the oracle of a trial's model: read its newest version, ask, publish the next one, and again if that is taken.

No lock is held and nothing is changed in place, so a process may be killed anywhere: a version is there whole or not at
all, a trial that was handed out keeps its configuration, and an outcome is told once.
"""

from typing import Literal

from pipeline.errors import StoreError
from pipeline.learning.search.oracles import OracleState
from pipeline.learning.study.trials import StudyPlan, TrialOutcome, TrialSpec
from storage.home import Home


def next_spec(home: Home, run_id: str, index: int) -> TrialSpec | Literal["wait", "exhausted"]:
    """Return the configuration of a trial, the same whenever it is asked for.

    `wait`: it may get one when trials that run now have ended. `exhausted`: there is none left for it. Raises
    `StoreError` when the study has not been drawn up.
    """
    ledger = home.ledger
    if (known := ledger.trial(run_id, index)) is not None:
        return known
    study = ledger.study(run_id)
    if study is None:
        raise StoreError(f"run {run_id}: its study is missing from the ledger")
    answer = propose(home, run_id, study, index)
    if answer != "proposed":
        return answer
    known = ledger.trial(run_id, index)
    assert known is not None, "a trial that was handed out is in the ledger"  # noqa: S101 - narrows the type
    return known


def propose(home: Home, run_id: str, study: StudyPlan, index: int) -> Literal["proposed", "wait", "exhausted"]:
    """Ask the oracle of a trial's model until nobody else was faster, and write down what it handed out."""
    from pipeline.learning.search.plan import propose

    ledger, plan = home.ledger, home.ledger.plan(run_id)
    model = study.models[study.model_of(index)].name
    while True:
        state = ledger.oracle(run_id, model)
        proposal = propose(
            plan.recipe, study, state, _untold(home, run_id, state), index, run_id=run_id, seed=plan.seed
        )
        is_news = proposal.state.version > (state.version if state is not None else 0)
        if not is_news or ledger.put_oracle(run_id, model, proposal.state):
            break
    for spec in proposal.specs:
        ledger.put_trial(spec)
    return proposal.answer


def _untold(home: Home, run_id: str, state: OracleState | None) -> list[TrialOutcome]:
    """Return the outcomes of an oracle's trials that it does not know yet."""
    if state is None:
        return []
    told = state.reported
    waiting = [index for index in state.proposed if index not in told]
    return [outcome for index in waiting if (outcome := home.ledger.outcome(run_id, index)) is not None]
