"""KerasTuner's oracles as classes without files; TensorFlow is started when they are first used, not before."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from pipeline.plans.recipe import Scalar
from pipeline.plans.search import Strategy


def release(oracle: Any) -> None:
    """Remove an oracle from KerasTuner's tables of locks, which would keep it for ever."""
    from keras_tuner.src.engine import oracle as engine

    engine.LOCKS.pop(oracle, None)
    engine.THREADS.pop(oracle, None)


@contextmanager
def quiet_keras_tuner() -> Iterator[None]:
    """Import KerasTuner, TensorFlow set up first, and hide its warnings about itself."""
    from sklearn.exceptions import ConvergenceWarning

    from pipeline.learning.models.runtime import prepare

    prepare()
    with warnings.catch_warnings():
        # KerasTuner 1.4 asks `threading` for names that Python has deprecated.
        warnings.filterwarnings("ignore", r"(currentThread|getName)\(\) is deprecated", DeprecationWarning)
        # A process fitted to a handful of points often ends at the bounds of its length scale.
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@cache
def oracle_classes() -> dict[Strategy, Any]:
    """Return the classes of oracles: KerasTuner's, without files, their first trial the default configuration."""
    from keras_tuner import oracles

    class InMemory:
        """Writes no files, and proposes the defaults first; every oracle draws by `_random_values`."""

        trials: dict[str, Any]
        defaults: dict[str, Scalar]

        def save(self) -> None:
            pass

        def _save_trial(self, trial: Any) -> None:
            pass

        def _random_values(self) -> dict[str, Scalar] | None:
            if not self.trials:
                return dict(self.defaults)
            values: dict[str, Scalar] | None = super()._random_values()  # type: ignore[misc]
            return values

    class Random(InMemory, oracles.RandomSearchOracle):  # type: ignore[misc]
        pass

    class Hyperband(InMemory, oracles.HyperbandOracle):  # type: ignore[misc]
        pass

    class Bayesian(InMemory, oracles.BayesianOptimizationOracle):  # type: ignore[misc]
        def _vectorize_trials(self) -> tuple[Any, Any]:
            # The scores of running trials are predicted by the process, fitted to those that have ended. KerasTuner's
            # is of the request before; an oracle that was made just now has none, and would predict wrongly.
            everything = self.trials
            self.trials = {name: trial for name, trial in everything.items() if trial.status == "COMPLETED"}
            self.gpr.fit(*super()._vectorize_trials())
            self.trials = everything
            return super()._vectorize_trials()  # type: ignore[no-any-return]

        def _vector_to_values(self, vector: Any) -> dict[str, Scalar]:
            # KerasTuner maps the end of a logarithmic range of whole numbers to the number behind it.
            inside = np.clip(vector, 0.0, 1.0 - 1e-9)
            return super()._vector_to_values(inside)  # type: ignore[no-any-return]

        def populate_space(self, trial_id: str) -> dict[str, Any]:
            answer: dict[str, Any] = super().populate_space(trial_id)
            # The best point of the process is often one that was proposed before.
            if answer.get("values") and self._duplicate(answer["values"]):
                return self._random_populate_space()  # type: ignore[no-any-return]
            return answer

    return {"random": Random, "bayesian": Bayesian, "hyperband": Hyperband}
