"""What hyper-parameters that are lists or names may be, told before anything is fitted."""

from collections.abc import Sequence

from pipeline.plans.recipe import Scalar

ACTIVATIONS = (
    "elu",
    "gelu",
    "hard_sigmoid",
    "hard_silu",
    "leaky_relu",
    "linear",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "swish",
    "tanh",
)
"""Of hidden layers, by Keras's names."""

_LEAST: dict[str, int] = {
    **dict.fromkeys(("batch", "epochs", "layers", "blocks", "filters", "trees", "rounds", "leaf"), 1),
    **dict.fromkeys(("units", *(f"units_{layer}" for layer in range(1, 6))), 1),
    "leaves": 2,
}
_ABOVE_ZERO = frozenset({"learning_rate", "c", "column_share"})
_BELOW_ONE = frozenset({"dropout", "input_dropout"})


def chosen_columns(text: str) -> tuple[int, ...]:
    """Return the columns that a text like "2 3 5" names, ascending as given; none for an empty one, which means all.

    Raises `ValueError` for anything but different whole numbers from 0 up.
    """
    words = text.replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() for word in words) or len(set(words)) < len(words):
        raise ValueError(f"columns: {text!r} is no list of different column numbers from 0 up, such as '2 3 5'")
    return tuple(int(word) for word in words)


def whole_numbers(name: str, text: str) -> tuple[int, ...]:
    """Return the numbers of a list such as `64-32-16`. Raises `ValueError` naming what it is of, as for `8-0`."""
    words = text.split("-")
    if not all(word.isascii() and word.isdigit() and int(word) for word in words):
        raise ValueError(f"{name}: {text!r} is no list of whole numbers from 1 up such as '64-32-16'")
    return tuple(int(word) for word in words)


def fault_of(name: str, value: Scalar) -> str:
    """Return why no family can use a value, by the name of the hyper-parameter; an empty string where one can."""
    if isinstance(value, str):
        return _fault_of_text(name, value)
    if name in _LEAST and value < _LEAST[name]:
        return f"{value!r} is too small; give a whole number from {_LEAST[name]} up"
    if name in _ABOVE_ZERO and value <= 0:
        return f"{value!r} is too small; give a number above 0"
    if name in _BELOW_ONE and value >= 1:
        return f"{value!r} is too large; give a share below 1"
    return ""


def check_columns(text: str, row_shape: Sequence[int]) -> None:
    """Raise `ValueError` for columns that rows of a shape do not have."""
    columns = chosen_columns(text)
    if columns and max(columns) >= row_shape[-1]:
        raise ValueError(f"{max(columns)} is none of the {row_shape[-1]}, which count from 0")


def _fault_of_text(name: str, value: str) -> str:
    if name == "activation" and value not in ACTIVATIONS:
        return f"{value!r} is none of: {', '.join(ACTIVATIONS)}"
    try:
        if name == "columns":
            chosen_columns(value)
        elif name in {"layout", "kernels", "dense"}:
            whole_numbers(name, value)
    except ValueError as error:
        return str(error).removeprefix(f"{name}: ")
    return ""


def short(value: Scalar | None) -> str:
    """Return a value for people."""
    return f"{value:g}" if isinstance(value, float) else str(value)
