"""The roles that folds have by their names: data sets call them training, validation and test."""

from collections.abc import Collection

TRAIN = frozenset({"train", "training", "learn", "learning"})
VALIDATION = frozenset({"val", "valid", "validation", "dev", "development"})
TEST = frozenset({"test", "testing", "eval", "evaluation"})


def roles_by_name(names: Collection[str]) -> tuple[list[str], list[str], list[str]] | None:
    """Return the folds that train, test and validate, if all their names say so; else None.

    Where none is called a test, those that are called validation test, and nothing that trains is held back for it
    twice: validation is then taken from what trains.
    """
    train, test, validation = (
        [name for name in names if name.strip().lower() in words] for words in (TRAIN, TEST, VALIDATION)
    )
    if len(train) + len(test) + len(validation) < len(names) or not train:
        return None
    if not test:
        test, validation = validation, []
    return (train, test, validation) if test else None


def describe_roles(train: list[str], test: list[str], validation: list[str]) -> str:
    """Return the roles in words, for the notes of a split."""
    parts = [(train, "trains"), (validation, "validates"), (test, "tests")]
    words = [f"{' and '.join(names)} {verb}" for names, verb in parts if names]
    return f"folds are used as their names say: {', '.join(words)}"
