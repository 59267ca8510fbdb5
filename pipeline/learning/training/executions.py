"""The executions of a trial: the same configuration from several seeds, each retried when its fit fails."""

import gc
import platform
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from pipeline.errors import TransientError, UsageError
from pipeline.learning.study.trials import Execution, FitReport, TrialOutcome, TrialSpec
from pipeline.plans.search import SearchPlan

FitFunction = Callable[[TrialSpec, int], tuple[FitReport, ...]]
"""Fits a configuration, its seed set, on every partition; the number is that of the execution."""

REASON_LENGTH = 500


def execute(
    spec: TrialSpec,
    search: SearchPlan,
    fit: FitFunction,
    *,
    done: Sequence[Execution] = (),
    keep: Callable[[Execution], object] = lambda _: None,
) -> TrialOutcome:
    """Return the outcome of a configuration over its executions; with one that failed for good, it failed.

    `done` are executions that ended in an earlier attempt at the trial and are not run again; `keep` is given each as
    it ends. Whatever a model raises fails its trial; a store or broker that does not answer raises.
    """
    started = time.monotonic()
    earlier = {execution.number: execution for execution in done}
    executions: list[Execution] = []
    for number in range(search.executions):
        execution = earlier.get(number)
        if execution is None:
            execution = _execution(spec, number, fit, retries=search.retries)
            keep(execution)
        executions.append(execution)
        if execution.state == "failed":
            break
    last = executions[-1]
    fits = tuple(fit for execution in executions for fit in execution.fits)
    is_whole = last.state == "completed"
    return TrialOutcome(
        # A seed that failed would fail again in the final training.
        spec=spec.replace(seed=executions[0].seed) if is_whole else spec,
        state=last.state,
        objective=statistics.fmean(fit.objective for fit in fits) if is_whole else 0.0,
        fits=fits if is_whole else (),
        executions=tuple(execution.replace(fits=()) for execution in executions),
        seconds=time.monotonic() - started + sum(execution.seconds for execution in done),
        host=platform.node(),
        reason=last.reason,
    )


def execution_seed(seed: int, number: int, attempt: int = 0) -> int:
    """Return the seed of an execution: the trial's own for the first, others apart from those of all other trials."""
    if number == attempt == 0:
        return seed
    return int(np.random.SeedSequence([seed % 2**64, number, attempt]).generate_state(1)[0])


def _execution(spec: TrialSpec, number: int, fit: FitFunction, *, retries: int) -> Execution:
    """Fit one execution, again from another seed when that fails."""
    started = time.monotonic()
    fits: tuple[FitReport, ...] = ()
    reason = ""
    for attempt in range(retries + 1):
        seed = execution_seed(spec.seed, number, attempt)
        try:
            fits = tuple(report.replace(execution=number) for report in fit(spec.replace(seed=seed), number))
            break
        except TransientError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model raises is its trial's failure, not the study's
            reason = reason_of(error)
            is_hopeless = isinstance(error, UsageError)
        # Out of the handler, where the traceback would keep the arrays of the failed fit.
        gc.collect()
        if is_hopeless:
            break
    return Execution(
        trial=spec.index,
        number=number,
        seed=seed,
        state="completed" if fits else "failed",
        objective=statistics.fmean(report.objective for report in fits) if fits else 0.0,
        fits=fits,
        seconds=time.monotonic() - started,
        host=platform.node(),
        attempts=attempt + 1,
        reason="" if fits else reason,
    )


def reason_of(error: BaseException) -> str:
    """Return why a fit failed, in one line of at most 500 characters."""
    words = " ".join(str(error).split())
    # TensorFlow's own error for memory is none of Python's, and is not imported here.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        reason = f"needs more memory than there is ({words or 'an allocation was refused'})"
    else:
        reason = f"{type(error).__name__}: {words}"
    return reason[:REASON_LENGTH]
