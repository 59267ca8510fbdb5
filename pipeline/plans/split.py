"""The split of a recipe: how tracks are divided into training, validation and test."""

from typing import Literal

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.wire import Value


class SplitPlan(Value, frozen=True, kw_only=True):
    """How tracks are split into training, validation and test.

    `auto` is `folds` where folds are known, else `grouped`: whole groups, stratified by label; a track without a
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
    near_duplicates: bool = True
    """Whether tracks that sound the same are looked for and kept together."""

    def check(self, where: str) -> None:
        """Raise `UsageError` naming the key with an impossible value."""
        for key, share in (("test", self.test), ("validation", self.validation)):
            if not 0 < share < 1:
                raise UsageError(f"{where}.{key} is {share}; give a share between 0 and 1")
        for key, folds in (("k", self.k), ("inner", self.inner)):
            if folds < 2:
                raise UsageError(f"{where}.{key} is {folds}; give at least 2 folds")
        named = {str(fold) for fold in self.train_folds}
        if both := named & {str(fold) for fold in self.test_folds}:
            raise UsageError(
                f"{where}: fold {', '.join(map(printable, sorted(both)))} is in train_folds and in "
                "test_folds; a fold cannot do both"
            )
        if (self.train_folds or self.test_folds) and self.strategy not in {"auto", "folds"}:
            raise UsageError(
                f"{where}.train_folds and test_folds are predefined folds; "
                f'with strategy "{self.strategy}" there are none: leave them out, or set strategy = "folds"'
            )
