"""The split of a recipe: how tracks are divided into training, validation and test."""

from itertools import combinations
from typing import Literal

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.wire import Value


class SplitPlan(Value, frozen=True, kw_only=True):
    """How tracks are split into training, validation and test.

    `auto` is `folds` where folds are known; else `kfold` over whole groups where these are fewer than a dozen, or a
    quarter of the classes have fewer than four; else `grouped`: whole groups, stratified by label. A track without a
    group is a group of its own. `folds` tests every predefined fold once, or trains on some and tests on others;
    `kfold` makes k folds of whole groups; `nested` chooses anew for each of them, by inner folds. `rows` splits
    single rows, whatever track they are of: for repeating published work, and every report warns of it.
    """

    strategy: Literal["auto", "folds", "grouped", "kfold", "nested", "rows"] = "auto"
    test: float = 0.25
    """Share of the tracks (or rows) held out for the test; unused with folds."""
    validation: float = 0.2
    """Share of the rest that selects between trials; with predefined folds that are each tested once, another fold
    does; with `nested`, the inner folds do."""
    k: int = 5
    """Folds of `kfold`, outer folds of `nested`."""
    inner: int = 3
    """Inner folds of `nested`."""
    train_folds: tuple[str | int, ...] = ()
    """Predefined folds that train, the others (or `test_folds`) testing; empty: every fold is tested once."""
    test_folds: tuple[str | int, ...] = ()
    validation_folds: tuple[str | int, ...] = ()
    """Predefined folds that select between trials, beside others that train and test; empty: the last one that trains,
    or, where groups are known, a share of those that train."""
    near_duplicates: bool = True
    """Whether tracks that sound the same are looked for and kept together."""

    def check(self, where: str) -> None:
        """Raise `UsageError` naming the key with an impossible value."""
        for key, share in (("test", self.test), ("validation", self.validation)):
            if not 0 < share < 1:
                raise UsageError(f"{where}.{key} is {share}; give a share between 0 and 1")
        for key, count in (("k", self.k), ("inner", self.inner)):
            if count < 2:
                raise UsageError(f"{where}.{key} is {count}; give at least 2 folds")
        roles = {
            "train_folds": self.train_folds,
            "test_folds": self.test_folds,
            "validation_folds": self.validation_folds,
        }
        for (key, folds), (other, others) in combinations(roles.items(), 2):
            if both := {str(fold) for fold in folds} & {str(fold) for fold in others}:
                raise UsageError(
                    f"{where}: fold {', '.join(map(printable, sorted(both)))} is in {key} and in "
                    f"{other}; a fold cannot do both"
                )
        if self.validation_folds and not (self.train_folds or self.test_folds):
            raise UsageError(f"{where}.validation_folds stands alone; name the folds that test in {where}.test_folds")
        if (self.train_folds or self.test_folds) and self.strategy not in {"auto", "folds"}:
            raise UsageError(
                f"{where}.train_folds and test_folds are predefined folds; "
                f'with strategy "{self.strategy}" there are none: leave them out, or set strategy = "folds"'
            )
