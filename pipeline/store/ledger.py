"""The account of a stage: rows in = rows out + rows dropped, by language and reason."""

from collections.abc import Mapping

from schemas.records import Account, Counts, Ledger


def ledger(stage: str, rows_in: int, counts: Counts, tables: dict[str, int]) -> Ledger:
    """`rows_in` counted from what the stage read, everything else from what it wrote. tables: table -> rows."""
    by_language = {name: _account(reasons) for name, reasons in sorted(counts.items())}
    total = _account(totals(counts))
    total["rows_in"] = rows_in
    return Ledger(stage=stage, by_language=by_language, tables=tables, **total)


def totals(counts: Mapping[str, Mapping[str | None, int]]) -> dict[str | None, int]:
    """Rows by reason, languages added up."""
    total: dict[str | None, int] = {}
    for reasons in counts.values():
        for reason, rows in reasons.items():
            total[reason] = total.get(reason, 0) + rows
    return total


def _account(reasons: Mapping[str | None, int]) -> Account:
    dropped = {reason: rows for reason, rows in sorted(reasons.items(), key=str) if reason is not None}
    return Account(rows_in=sum(reasons.values()), rows_out=reasons.get(None, 0), dropped=dropped)
