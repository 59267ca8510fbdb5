"""Search spaces as values: those that model families declare, changed by what a recipe fixes or opens.

A family declares its space on an object with the methods of KerasTuner's `HyperParameters`; here that is a recorder, so
a space can be checked, counted and described without importing TensorFlow. The oracles get KerasTuner's own.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

from pipeline.errors import UsageError
from pipeline.learning.models import model_family
from pipeline.learning.models.hyperparameters import fault_of, short
from pipeline.plans.recipe import ModelChoice, Scalar, Span
from pipeline.text import did_you_mean, printable
from pipeline.wire import Value

# Exact types: a bool is an int to `isinstance`.
_KINDS: dict[type, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}


class Condition(Value, frozen=True, kw_only=True):
    """A hyper-parameter counts only while another one has one of some values."""

    name: str
    values: tuple[Scalar, ...]


class Parameter(Value, frozen=True, kw_only=True):
    """One hyper-parameter: fixed, a choice among values, or a range."""

    name: str
    kind: Literal["fixed", "choice", "int", "float"]
    default: Scalar
    values: tuple[Scalar, ...] = ()
    """Of a choice."""
    min: float = 0
    max: float = 0
    step: float | None = None
    scale: Literal["linear", "log"] = "linear"
    conditions: tuple[Condition, ...] = ()

    def counts(self, chosen: Mapping[str, Scalar]) -> bool:
        """Return whether it counts under the values of those before it."""
        return all(chosen.get(condition.name) in condition.values for condition in self.conditions)

    def all_values(self) -> tuple[Scalar, ...] | None:
        """Return all values it can have; None for a continuum."""
        if self.kind == "fixed":
            return (self.default,)
        if self.kind == "choice":
            return self.values
        if self.kind == "int" and self.scale == "log":
            return tuple(range(int(self.min), int(self.max) + 1))
        if self.step is None:
            return None
        count = math.floor((self.max - self.min) / self.step + 1e-9) + 1
        steps = (self.min + number * self.step for number in range(count))
        return tuple(int(value) for value in steps) if self.kind == "int" else tuple(steps)

    def describe(self) -> str:
        """Return the values it can have, for people."""
        if self.kind == "fixed":
            return f"{short(self.default)} (fixed)"
        if self.kind == "choice":
            return ", ".join(map(short, self.values))
        step = f", step {short(self.step)}" if self.step is not None else ""
        scale = ", logarithmic" if self.scale == "log" else ""
        return f"{short(self.min)} to {short(self.max)}{step}{scale}"


class Dimension(Value, frozen=True, kw_only=True):
    """One hyper-parameter of a search space, in words for people."""

    name: str
    values: str
    default: Scalar
    when: str = ""
    """The condition under which it counts, empty when it always does."""


def declared_space(family: str) -> tuple[Parameter, ...]:
    """Return the search space that a model family declares. Raises `UsageError` when there is no such family."""
    recorder = _Recorder()
    model_family(family).space(recorder)
    return tuple(recorder.parameters)


def space_of(choice: ModelChoice) -> tuple[Parameter, ...]:
    """Return the search space of one model of a recipe: its family's, with what the recipe fixes and opens.

    Raises `UsageError` that names the key for an unknown family or hyper-parameter, a value of another kind than the
    default's, or an empty list of values.
    """
    parameters = declared_space(choice.family)
    declared = [parameter.name for parameter in parameters]
    for table, names in (("fixed", choice.fixed), ("space", choice.space)):
        for name in names:
            if name not in declared:
                known = f"{did_you_mean(name, declared)}; {choice.family} has {', '.join(declared)}"
                raise UsageError(f"{_where(choice, table, name)}: unknown{known}")
    for name in choice.fixed:
        if name in choice.space:
            raise UsageError(f"{_where(choice, 'space', name)}: fixed as well; leave one of the two out")
    return tuple(_with_choice(choice, parameter) for parameter in parameters)


def default_configuration(space: Sequence[Parameter]) -> dict[str, Scalar]:
    """Return the values of the first trial, those that count, in the order of declaration."""
    chosen: dict[str, Scalar] = {}
    for parameter in space:
        if parameter.counts(chosen):
            chosen[parameter.name] = parameter.default
    return chosen


def configurations(space: Sequence[Parameter]) -> int | None:
    """Return how many different configurations a space has; None when some hyper-parameter is a continuum."""
    return _count(space, {})


def describe(space: Sequence[Parameter]) -> tuple[Dimension, ...]:
    """Return a search space in words."""
    return tuple(
        Dimension(
            name=parameter.name,
            values=parameter.describe(),
            default=parameter.default,
            when=" and ".join(f"{c.name} in {', '.join(map(short, c.values))}" for c in parameter.conditions),
        )
        for parameter in space
    )


def to_keras_tuner(space: Sequence[Parameter], hyperparameters: Any) -> Any:
    """Declare a space on an empty `keras_tuner.HyperParameters` and return that."""
    for parameter in space:
        with ExitStack() as scopes:
            for condition in parameter.conditions:
                scopes.enter_context(hyperparameters.conditional_scope(condition.name, list(condition.values)))
            _declare(parameter, hyperparameters)
    return hyperparameters


def _declare(parameter: Parameter, hp: Any) -> None:
    name, default = parameter.name, parameter.default
    match parameter.kind:
        case "fixed":
            hp.Fixed(name, default)
        case "choice":
            hp.Choice(name, list(parameter.values), default=default)
        case "int":
            # A logarithmic range has no step; KerasTuner's smallest is one.
            step = int(parameter.step or 1) if parameter.scale == "linear" else None
            hp.Int(name, int(parameter.min), int(parameter.max), step=step, sampling=parameter.scale, default=default)
        case "float":
            more = {"step": parameter.step, "sampling": parameter.scale, "default": default}
            hp.Float(name, parameter.min, parameter.max, **more)


def _count(space: Sequence[Parameter], chosen: Mapping[str, Scalar]) -> int | None:
    """Return how many configurations begin with some values."""
    if not space:
        return 1
    parameter, *others = space
    if not parameter.counts(chosen):
        return _count(others, chosen)
    values = parameter.all_values()
    if values is None:
        return None
    if not any(condition.name == parameter.name for later in others for condition in later.conditions):
        per_value = _count(others, chosen)
        return None if per_value is None else len(values) * per_value
    counts = [_count(others, {**chosen, parameter.name: value}) for value in values]
    return None if None in counts else sum(filter(None, counts))


def _with_choice(choice: ModelChoice, parameter: Parameter) -> Parameter:
    """Return a hyper-parameter with the recipe's value, values or range."""
    name = parameter.name
    if name in choice.fixed:
        value = _checked(choice.fixed[name], parameter, _where(choice, "fixed", name))
        return Parameter(name=name, kind="fixed", default=value, conditions=parameter.conditions)
    if name not in choice.space:
        return parameter
    where, chosen = _where(choice, "space", name), choice.space[name]
    if isinstance(chosen, Span):
        return _with_range(chosen, parameter, where)
    if not chosen:
        raise UsageError(f"{where}: empty, there is no value to choose from; give at least one, or leave it out")
    values = tuple(_checked(value, parameter, where) for value in chosen)
    if len(set(values)) < len(values):
        raise UsageError(f"{where}: the same value twice; give each once")
    default = parameter.default if parameter.default in values else values[0]
    return Parameter(name=name, kind="choice", default=default, values=values, conditions=parameter.conditions)


def _with_range(span: Span, parameter: Parameter, where: str) -> Parameter:
    """Return a hyper-parameter with a range of the recipe's."""
    default = parameter.default
    if isinstance(default, bool | str):
        raise UsageError(f"{where}: a range, but {default!r} is the default; give a list of values")
    for value in (span.min, span.max):
        _checked(int(value) if isinstance(default, int) and value == int(value) else value, parameter, where)
    if not span.min < span.max:
        raise UsageError(f"{where}: empty, no value lies between {span.min} and {span.max}; let max be above min")
    if span.scale == "log" and (span.min <= 0 or span.step is not None):
        raise UsageError(f"{where}: a logarithmic range begins above 0 and has no step; correct the recipe")
    if span.step is not None and span.step <= 0:
        raise UsageError(f"{where}: step is {span.step}; give one above 0")
    step, inside = span.step, min(max(default, span.min), span.max)
    if isinstance(default, int):
        step, inside = None if span.scale == "log" else int(step or 1), int(inside)
    return Parameter(
        name=parameter.name,
        kind="int" if isinstance(default, int) else "float",
        default=inside,
        min=span.min,
        max=span.max,
        step=step,
        scale=span.scale,
        conditions=parameter.conditions,
    )


def _checked(value: Scalar, parameter: Parameter, where: str) -> Scalar:
    """Return a value of a recipe; raises `UsageError` when it is of another kind than the default, or negative."""
    default = parameter.default
    if type(value) not in _KINDS[type(default)]:
        raise UsageError(f"{where}: {value!r} is not of the kind of its default, {default!r}; correct the recipe")
    if isinstance(value, int | float) and (value < 0 or not math.isfinite(value)):
        fault = "negative" if value < 0 else "not finite"
        raise UsageError(f"{where}: {value!r} is {fault}; correct the recipe")
    if fault := fault_of(parameter.name, value):
        raise UsageError(f"{where}: {fault}")
    return float(value) if isinstance(default, float) else value


def _where(choice: ModelChoice, table: str, name: str) -> str:
    return f"recipe: models {choice.family}: {table}.{printable(name)}"


class _Recorder:
    """Records a space, with the methods of `keras_tuner.HyperParameters`."""

    def __init__(self) -> None:
        self.parameters: list[Parameter] = []
        self._conditions: list[Condition] = []

    def Int(  # noqa: N802 - KerasTuner's names
        self,
        name: str,
        min_value: int,
        max_value: int,
        *,
        step: int | None = None,
        sampling: Literal["linear", "log"] = "linear",
        default: int | None = None,
    ) -> None:
        default = min_value if default is None else default
        step = None if sampling == "log" else step or 1
        self._add(name, "int", default, min=min_value, max=max_value, step=step, scale=sampling)

    def Float(  # noqa: N802
        self,
        name: str,
        min_value: float,
        max_value: float,
        *,
        step: float | None = None,
        sampling: Literal["linear", "log"] = "linear",
        default: float | None = None,
    ) -> None:
        default = min_value if default is None else default
        self._add(name, "float", default, min=min_value, max=max_value, step=step, scale=sampling)

    def Choice(self, name: str, values: Sequence[Scalar], *, default: Scalar | None = None) -> None:  # noqa: N802
        self._add(name, "choice", values[0] if default is None else default, values=tuple(values))

    def Boolean(self, name: str, *, default: bool = False) -> None:  # noqa: N802
        self._add(name, "choice", default, values=(False, True))

    def Fixed(self, name: str, value: Scalar) -> None:  # noqa: N802
        self._add(name, "fixed", value)

    @contextmanager
    def conditional_scope(self, parent: str, values: Sequence[Scalar]) -> Iterator[None]:
        self._conditions.append(Condition(name=parent, values=tuple(values)))
        try:
            yield
        finally:
            self._conditions.pop()

    def _add(self, name: str, kind: Literal["fixed", "choice", "int", "float"], default: Scalar, **more: Any) -> None:
        conditions = tuple(self._conditions)
        self.parameters.append(Parameter(name=name, kind=kind, default=default, conditions=conditions, **more))
