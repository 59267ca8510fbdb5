"""The gate of a recipe: how strictly a new model is tested."""

from typing import Literal

from pipeline.errors import UsageError
from pipeline.wire import Value

Test = Literal["auto", "sign_flip", "mcnemar", "bootstrap"]


class GatePlan(Value, frozen=True, kw_only=True):
    """A recipe's `[gate]` table: what a new model has to show to become the champion."""

    test: Test = "auto"
    """All are the sign-flip test over groups; the older names are still read."""
    level: float = 0.05
    """How often a champion may be replaced by chance, by any of its challengers."""
    classes: Literal["keep", "may_go"] = "keep"
    """Whether a model that lacks classes of the champion is kept, or may replace it."""
    tracks: int = 20
    """With fewer held-out tracks than this the champion stays."""

    def check(self, where: str) -> None:
        """Raise `UsageError` naming the key with an impossible value."""
        if not 0 < self.level < 0.5:
            raise UsageError(f"{where}.level is {self.level}; give a number between 0 and 0.5, e.g. 0.05")
        if self.tracks < 1:
            raise UsageError(f"{where}.tracks is {self.tracks}; give a whole number from 1 up")
