"""A small evaluator of Prometheus' rules: the part of PromQL that ours use, and an error for everything else.

Numbers follow Prometheus: an instant selector takes the newest sample of the last five minutes unless the series was
missing from the scrape after it, `increase` allows for a counter that begins anew and stretches to its range, and an
alert fires once its expression has held at every evaluation of its `for`.
"""

import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]

STEP_S = 15
"""Seconds between two scrapes, and between two evaluations."""
LOOKBACK_S = 300

_NAME = "__name__"
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?![\w.]))|(?P<range>\[\d+[smhd]\])|(?P<name>[a-zA-Z_:][\w:]*)"
    r'|(?P<text>"[^"\\]*")|(?P<sign>==|!=|>=|<=|=~|!~|[-+*/<>=(){},]))'
)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul,
    "/": lambda a, b: a / b if b else math.copysign(math.inf, a) if a else math.nan,
}  # fmt: skip
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min, "count": len}
_RANGES = ("changes", "increase", "rate")


class UnknownSyntaxError(ValueError):
    """Something that this evaluator does not know: it refuses, rather than to guess."""


def seconds(text: str) -> int:
    """Return the seconds of a duration such as `10m`."""
    return int(text[:-1]) * _SECONDS[text[-1]]


@dataclass
class Scrapes:
    """What Prometheus has stored of pages that it read; times are in seconds."""

    series: dict[Labels, list[tuple[float, float | None]]] = field(default_factory=dict)
    """None: the series was missing from a scrape."""

    def repeat(self, page: str | None, *, from_s: float, to_s: float, job: str = "chordal") -> None:
        """Store a page that reads the same at every scrape of a period; None for one that cannot be read."""
        found: Vector = {frozenset({(_NAME, "up"), ("job", job)}): float(page is not None)}
        for family in text_string_to_metric_families(page or ""):
            for sample in family.samples:
                found[frozenset({(_NAME, sample.name), ("job", job), *sample.labels.items()})] = sample.value
        missing = [labels for labels in self.series.keys() - found.keys() if ("job", job) in labels]
        at_s = from_s
        while at_s <= to_s:
            for labels in missing:
                self.series[labels].append((at_s, None))
            for labels, value in found.items():
                self.series.setdefault(labels, []).append((at_s, value))
            at_s += STEP_S

    def matching(
        self, matches: "list[tuple[str, str, str]]"
    ) -> Iterator[tuple[Labels, list[tuple[float, float | None]]]]:
        """Yield the series whose labels match."""
        for labels, samples in self.series.items():
            known = dict(labels)
            if all(_matches(known.get(name, ""), sign, value) for name, sign, value in matches):
                yield labels, samples


def _matches(found: str, sign: str, value: str) -> bool:
    if sign in {"=", "!="}:
        return (found == value) == (sign == "=")
    return (re.fullmatch(value, found) is not None) == (sign == "=~")


class Query:
    """An expression, checked when it is made. Raises `UnknownSyntaxError`."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self.metrics: set[str] = set()
        """The names of the metrics that it asks for."""
        self._root = self._binary(0)
        if self._at < len(self._tokens):
            raise UnknownSyntaxError(f"{text!r}: {self._tokens[self._at]!r} was not expected")

    def evaluate(self, scrapes: Scrapes, at_s: float) -> Vector:
        """Return its value at a time, by labels."""
        value = self._root(scrapes, at_s)
        return value if isinstance(value, dict) else {frozenset(): value}

    # The grammar; each function returns one that evaluates.

    _LEVELS = (("or",), ("and", "unless"), tuple(_COMPARISONS), ("+", "-"), ("*", "/"))

    def _binary(self, level: int):
        if level == len(self._LEVELS):
            return self._primary()
        left = self._binary(level + 1)
        while self._peek() in self._LEVELS[level]:
            sign = self._take()
            matching = self._matching()
            right = self._binary(level + 1)
            left = _combined(sign, left, right, matching)
        return left

    def _matching(self) -> Callable[[Labels], Labels]:
        if self._peek() == "bool":
            raise UnknownSyntaxError("bool")
        if self._peek() not in {"on", "ignoring"}:
            return _nameless
        keep = self._take() == "on"
        names = self._names()
        return lambda labels: frozenset(each for each in labels if each[0] != _NAME and (each[0] in names) == keep)

    def _names(self) -> set[str]:
        self._expect("(")
        names = set()
        while self._peek() != ")":
            names.add(self._take())
            if self._peek() == ",":
                self._take()
        self._expect(")")
        return names

    def _primary(self):
        token = self._take()
        if re.fullmatch(r"\d+(\.\d+)?", token):
            return lambda *_, number=float(token): number
        if token == "(":
            inner = self._binary(0)
            self._expect(")")
            return inner
        if not re.fullmatch(r"[a-zA-Z_:][\w:]*", token):
            raise UnknownSyntaxError(token)
        if token in _AGGREGATES:
            return self._aggregate(token)
        if self._peek() == "(":
            return self._call(token)
        return self._instant(self._selector(token))

    def _aggregate(self, name: str):
        by = self._names() if self._peek() == "by" and self._take() else set()
        self._expect("(")
        inner = self._binary(0)
        self._expect(")")

        def evaluate(scrapes: Scrapes, at_s: float) -> Vector:
            groups: dict[Labels, list[float]] = {}
            for labels, value in inner(scrapes, at_s).items():
                groups.setdefault(frozenset(each for each in labels if each[0] in by), []).append(value)
            return {labels: float(_AGGREGATES[name](values)) for labels, values in groups.items()}

        return evaluate

    def _call(self, name: str):
        self._expect("(")
        if name == "time":
            self._expect(")")
            return lambda _, at_s: at_s
        if name == "absent":
            inner = self._binary(0)
            self._expect(")")
            return lambda scrapes, at_s: {} if inner(scrapes, at_s) else {frozenset(): 1.0}
        if name not in _RANGES:
            raise UnknownSyntaxError(f"{name}()")
        matches = self._selector(self._take())
        width_s = seconds(self._take()[1:-1])
        self._expect(")")

        def evaluate(scrapes: Scrapes, at_s: float) -> Vector:
            found: Vector = {}
            for labels, samples in scrapes.matching(matches):
                inside = [(t, v) for t, v in samples if at_s - width_s < t <= at_s and v is not None]
                value = _over_range(name, inside, width_s, at_s)
                if value is not None:
                    found[_nameless(labels)] = value
            return found

        return evaluate

    def _selector(self, name: str) -> list[tuple[str, str, str]]:
        self.metrics.add(name)
        matches = [(_NAME, "=", name)]
        if self._peek() == "{":
            self._take()
            while self._peek() != "}":
                label, sign, value = self._take(), self._take(), self._take()
                if sign not in {"=", "!=", "=~", "!~"} or not value.startswith('"'):
                    raise UnknownSyntaxError(f"{label}{sign}{value}")
                matches.append((label, sign, value.strip('"')))
                if self._peek() == ",":
                    self._take()
            self._expect("}")
        return matches

    @staticmethod
    def _instant(matches: list[tuple[str, str, str]]):
        def evaluate(scrapes: Scrapes, at_s: float) -> Vector:
            found: Vector = {}
            for labels, samples in scrapes.matching(matches):
                newest = next(((t, v) for t, v in reversed(samples) if t <= at_s), None)
                if newest is not None and newest[1] is not None and newest[0] > at_s - LOOKBACK_S:
                    found[labels] = newest[1]
            return found

        return evaluate

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise UnknownSyntaxError("the expression ends early")
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if (found := self._take()) != token:
            raise UnknownSyntaxError(f"{found!r} instead of {token!r}")


def _nameless(labels: Labels) -> Labels:
    return frozenset(each for each in labels if each[0] != _NAME)


def _tokens(text: str) -> Iterator[str]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise UnknownSyntaxError(text[at:])
        yield match[0].strip()
        at = match.end()


def _combined(sign: str, left, right, matching: Callable[[Labels], Labels]):
    def evaluate(scrapes: Scrapes, at_s: float) -> Vector | float:
        a, b = left(scrapes, at_s), right(scrapes, at_s)
        if sign in {"and", "or", "unless"}:
            return _set_operation(sign, a, b, matching)
        return _arithmetic(sign, a, b, matching)

    return evaluate


def _set_operation(sign: str, a: Vector, b: Vector, matching: Callable[[Labels], Labels]) -> Vector:
    if sign == "or":
        known = {matching(labels) for labels in a}
        return {**a, **{labels: value for labels, value in b.items() if matching(labels) not in known}}
    known = {matching(labels) for labels in b}
    return {labels: value for labels, value in a.items() if (matching(labels) in known) == (sign == "and")}


def _arithmetic(
    sign: str, a: Vector | float, b: Vector | float, matching: Callable[[Labels], Labels]
) -> Vector | float:
    if not isinstance(a, dict):
        if sign in _COMPARISONS:
            raise UnknownSyntaxError(f"a number {sign} something")
        if isinstance(b, dict):
            return {_nameless(labels): _ARITHMETIC[sign](a, value) for labels, value in b.items()}
        return _ARITHMETIC[sign](a, b)
    others = {matching(labels): value for labels, value in b.items()} if isinstance(b, dict) else {}
    if isinstance(b, dict) and len(others) < len(b):
        raise UnknownSyntaxError(f"{sign}: many to many")
    found: Vector = {}
    for labels, value in a.items():
        other = others.get(matching(labels)) if isinstance(b, dict) else b
        if other is None:
            continue
        if sign not in _COMPARISONS:
            found[_nameless(labels)] = _ARITHMETIC[sign](value, other)
        elif _COMPARISONS[sign](value, other):
            found[labels] = value
    return found


def _over_range(name: str, samples: list[tuple[float, float]], width_s: float, at_s: float) -> float | None:
    values = [value for _, value in samples]
    if name == "changes":
        return float(sum(a != b for a, b in pairwise(values))) if values else None
    if len(samples) < 2:
        return None
    total = values[-1] - values[0] + sum(a for a, b in pairwise(values) if b < a)
    # As Prometheus stretches it: to the edges of the range where samples come near them, never below a count of zero.
    covered_s = samples[-1][0] - samples[0][0]
    average_s = covered_s / (len(samples) - 1)
    edges_s = [samples[0][0] - (at_s - width_s), at_s - samples[-1][0]]
    before_s, after_s = (edge_s if edge_s < 1.1 * average_s else average_s / 2 for edge_s in edges_s)
    if total > 0 and values[0] >= 0:
        before_s = min(before_s, covered_s * values[0] / total)
    increase = total * (covered_s + before_s + after_s) / covered_s
    return increase if name == "increase" else increase / width_s


def fires(rule: dict, scrapes: Scrapes, *, at_s: float) -> bool:
    """Tell whether an alert fires at a time, having held at each evaluation since its `for` began."""
    query = Query(rule["expr"])
    begin_s = at_s - seconds(rule.get("for", "0s"))
    held: set[Labels] | None = None
    moment_s = begin_s
    while moment_s <= at_s:
        now = set(query.evaluate(scrapes, moment_s))
        held = now if held is None else held & now
        if not held:
            return False
        moment_s += STEP_S
    return bool(held)
