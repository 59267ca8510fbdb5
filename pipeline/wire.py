"""The base of every value that is stored or sent: frozen, slotted, keyword-only, checked when it is read back."""

from typing import Any, Self

import msgspec

from pipeline.errors import UsageError


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen value with a wire form of plain dicts, lists, strings and numbers.

    The wire form is what Celery's JSON serializer, a manifest file and `--json` all carry.
    """

    def to_wire(self) -> dict[str, Any]:
        """Return the value as builtins that JSON can carry."""
        wire: dict[str, Any] = msgspec.to_builtins(self)
        return wire

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Self:
        """Return the value of a wire form.

        Raises `UsageError` naming the field that is missing, unknown or of the wrong type.
        """
        try:
            return msgspec.convert(wire, cls)
        except msgspec.ValidationError as error:
            raise UsageError(f"{cls.__name__}: {error}") from error

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)
