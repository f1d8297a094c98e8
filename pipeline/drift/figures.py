"""The figures of a root that another's are held against, from the small files of its finished stages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.store import generations, storage
from pipeline.store.generations import Generation
from schemas.distributions import DISTRIBUTIONS, Distribution, Histogram
from schemas.errors import UserError
from schemas.records import LEDGER, REMOVED, Account, Ledger, RunRecord

STAGES = ("extract", "clean", "dedup", "sample")
SIGNALS = ("n_bytes", "n_words", "stop_word_share", "short_line_share", "dup_line_char_share")


class Key(NamedTuple):
    """kind: `kept`, `rule`, `language`, `duplicates`, `failures` or `signal`. language: `eng_Latn`; empty for
    all. what: the rule, reason or signal."""

    kind: str
    language: str = ""
    what: str = ""


class Share(NamedTuple):
    hits: int
    of: int

    @property
    def value(self) -> float:
        return self.hits / self.of if self.of else 0.0


@dataclass(frozen=True)
class Figures:
    """signals: how they lie, by key. means: bytes of text a kept page by language. records: of the stages that count.
    notes: lines about what does not."""

    root: str
    shares: Mapping[Key, Share]
    signals: Mapping[Key, Histogram]
    means: Mapping[str, float]
    records: Mapping[str, RunRecord]
    notes: list[str]


def figures(root: str) -> Figures:
    """Of a stage that is not finished, or was made from an earlier run of the one before it, there are none.
    UserError where nothing of a corpus is finished there."""
    if not storage.exists(root):
        raise UserError(f"{root}: no such folder; name the root of a corpus")
    found = {stage: now for stage in STAGES if (now := generations.current(storage.join(root, stage)))}
    if not {"extract", "clean"} & found.keys():
        raise UserError(f"{root}: neither extract nor clean is finished there, so there is nothing to compare")
    records = {stage: now.record() for stage, now in found.items()}
    notes = [f"{stage} has not run in {root}" for stage in STAGES[:3] if stage not in found]
    for stage, record in list(records.items()):
        above = STAGES[STAGES.index(stage) - 1] if stage != STAGES[0] else ""
        if above in found and record["inputs"].get(above) != found[above].record()["fingerprint"]:
            notes.append(f"{stage} of {root} was made from an earlier {above} and does not count: run it again")
            del found[stage], records[stage]
    ledgers: dict[str, Ledger] = {
        stage: ledger for stage, now in found.items() if (ledger := now.read_json(LEDGER)) is not None
    }
    shares: dict[Key, Share] = {}
    if ledger := ledgers.get("extract"):
        shares |= _of_extract(ledger)
    if ledger := ledgers.get("clean"):
        shares |= _of_clean(ledger)
    if ledger := ledgers.get("dedup"):
        shares |= {
            Key("duplicates", label): Share(_rows(account) - account["rows_out"], _rows(account))
            for label, account in _accounts(ledger)
        }
    signals = _signals(found["clean"]) if "clean" in found else {}
    means = _means(found["sample"].read_json("mixture.json")) if "sample" in found else {}
    return Figures(root, shares, signals, means, records, notes)


def _accounts(ledger: Ledger) -> list[tuple[str, Account]]:
    return [("", ledger), *ledger["by_language"].items()]


def _rows(account: Account) -> int:
    """Rows in, but for those that were taken down later."""
    return account["rows_in"] - account["dropped"].get(REMOVED, 0)


def _of_extract(ledger: Ledger) -> dict[Key, Share]:
    """Of records that may hold a page, what refused them or failed."""
    dropped = {reason: rows for reason, rows in ledger["dropped"].items() if not _no_failure(reason)}
    of = ledger["rows_out"] + sum(dropped.values())
    return {Key("failures", "", reason): Share(rows, of) for reason, rows in dropped.items()} | {
        Key("failures"): Share(sum(dropped.values()), of)
    }


def _no_failure(reason: str) -> bool:
    return reason.partition(":")[0] in ("type", REMOVED)


def _of_clean(ledger: Ledger) -> dict[Key, Share]:
    shares: dict[Key, Share] = {}
    total = _rows(ledger)
    for label, account in _accounts(ledger):
        of = _rows(account)
        shares[Key("kept", label)] = Share(account["rows_out"], of)
        if label:
            shares[Key("language", label)] = Share(of, total)
        for reason, rows in account["dropped"].items():
            if reason != REMOVED:
                shares[Key("rule", label, reason)] = Share(rows, of)
    return shares


def _signals(clean: Generation) -> dict[Key, Histogram]:
    """None of a root whose version wrote none."""
    found: list[Distribution] = clean.read_json(DISTRIBUTIONS) or []
    return {
        Key("signal", one["language"], one["signal"]): one["histogram"] for one in found if one["signal"] in SIGNALS
    }


def _means(mixture: Mapping[str, Any] | None) -> dict[str, float]:
    languages = (mixture or {}).get("languages", {})
    sums = {
        label: (row["bytes"] + row["validation_bytes"], row["documents"] + row["validation_documents"])
        for label, row in languages.items()
    }
    return {label: size / documents for label, (size, documents) in sums.items() if documents}
