"""What the parts of the ledger have in common: the documents of runs, some of which are numbered."""

from storage.documents import Documents


class DocumentLedger:
    """The documents of the runs of one home."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def _numbers(self, folder: str) -> list[int]:
        return sorted(int(name.rpartition("/")[2]) for name in self._documents.names(folder))
