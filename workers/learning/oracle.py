"""The configurations of trials: read the newest version of a model's oracle, ask it, publish the next version.

When another process has published that version first, all of it is done again. No lock is held and nothing is changed
in place, so a process may be killed anywhere: a version is there whole or not at all, a trial keeps the configuration
it was given, and an oracle learns each outcome once.
"""

from typing import Literal

from pipeline.errors import StoreError
from pipeline.learning.search import plan as search
from pipeline.learning.study.oracle_state import OracleState
from pipeline.learning.study.trials import StudyPlan, TrialOutcome, TrialSpec
from storage.home import Home


def trial_spec(home: Home, run_id: str, index: int) -> TrialSpec | Literal["wait", "exhausted"]:
    """Return the configuration of a trial, the same with every call.

    `wait`: it may get one when trials that run now have ended. `exhausted`: there is none left for it. Raises
    `StoreError` when the study has not been created.
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
    assert known is not None, "a trial with a configuration is in the ledger"  # noqa: S101 - narrows the type
    return known


def propose(home: Home, run_id: str, study: StudyPlan, index: int) -> Literal["proposed", "wait", "exhausted"]:
    """Ask the oracle of a trial's model for its configuration, and write all that it has given to the ledger."""
    ledger, plan = home.ledger, home.ledger.plan(run_id)
    model = study.models[study.model_of(index)].name
    while True:  # until no other process was faster
        state = ledger.oracle(run_id, model)
        proposal = search.propose(
            plan.recipe, study, state, _new_outcomes(home, run_id, state), index, run_id=run_id, seed=plan.seed
        )
        is_new = proposal.state.version > (state.version if state is not None else 0)
        if not is_new or ledger.put_oracle(run_id, model, proposal.state):
            break
    for spec in proposal.specs:
        ledger.put_trial(spec)
    return proposal.answer


def _new_outcomes(home: Home, run_id: str, state: OracleState | None) -> list[TrialOutcome]:
    """Return the outcomes of an oracle's trials that it does not know yet."""
    if state is None:
        return []
    known = state.reported
    running = [index for index in state.proposed if index not in known]
    return [outcome for index in running if (outcome := home.ledger.outcome(run_id, index)) is not None]
