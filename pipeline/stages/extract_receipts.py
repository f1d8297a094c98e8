"""The receipt of an archive: every record by type and reason. Rows of schemas.extract.INPUTS."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.archive.manifest import Archive

RETRY = "unreadable"


def counts_column(counts: Mapping[tuple[str, str | None], int]) -> list[dict[str, Any]]:
    """The column `counts` of (record type, reason or None: a document) -> records, in its order."""
    ordered = sorted(counts.items(), key=lambda entry: (entry[0][0], entry[0][1] or ""))
    return [{"record_type": kind, "reason": why, "count": n} for (kind, why), n in ordered if n]


class Account:
    """Every record of an archive by type and reason (None: a document), and the archive's first break, or the first
    one that another run may mend."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str | None]] = Counter()
        self._first_break: tuple[str, int | None, str] | None = None
        self.records = self.documents = self.failures = 0

    def add(self, record_type: str, reason: str | None) -> None:
        self._counts[record_type, reason] += 1
        self.records += 1
        self.documents += reason is None
        self.failures += reason not in (None, "type")

    def broken(self, reason: str, offset: int | None, detail: str) -> None:
        self.add("archive", reason)
        if self._first_break is None or (reason == RETRY and self._first_break[0] != RETRY):
            self._first_break = reason, offset, detail

    @property
    def status(self) -> str:
        return self._first_break[0] if self._first_break else "ok"

    @property
    def detail(self) -> str:
        return self._first_break[2] if self._first_break else ""

    def told(self) -> dict[tuple[str, str], int]:
        """For metrics: by name and label; reasons as in the ledger."""
        found = {("pages", "document"): self.documents, ("pages", "skipped"): self.failures}
        found["pages", "other"] = self.records - self.documents - self.failures
        found |= {("rows", "kept"): self.documents, ("rows", "dropped"): self.records - self.documents}
        for (kind, reason), n in self._counts.items():
            if reason is not None:
                label = f"type:{kind}" if reason == "type" else reason
                found["dropped", label] = found.get(("dropped", label), 0) + n
        return found

    def receipt(self, archive: Archive) -> dict[str, Any]:
        status, broke_at, detail = self._first_break or ("ok", None, None)
        return {
            "file_path": archive.file_path,
            "size": archive.size,
            "asked": archive.asked.records if archive.asked else None,
            "asked_digest": archive.asked.digest if archive.asked else None,
            "status": status,
            "broke_at": broke_at,
            "detail": detail,
            "records": self.records,
            "documents": self.documents,
            "counts": counts_column(self._counts),
        }


def united(receipts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The receipt of an archive (schemas.extract.INPUTS) from those of its parts, in their order."""
    counts: Counter[tuple[str, str | None]] = Counter()
    for receipt in receipts:
        for entry in receipt["counts"]:
            counts[entry["record_type"], entry["reason"]] += entry["count"]
    return {
        **next((receipt for receipt in receipts if receipt["status"] != "ok"), receipts[0]),  # tells the first break
        "records": sum(receipt["records"] for receipt in receipts),
        "documents": sum(receipt["documents"] for receipt in receipts),
        "counts": counts_column(counts),
    }
