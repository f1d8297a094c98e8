"""sample: the row of a shard that a page became, and how often a run sees it."""

from typing import Any

from pipeline.explaining.corpus import Corpus
from pipeline.explaining.story import Place, Sampled
from pipeline.keys.page_rows import FILE, ROW, Row
from pipeline.report.words import meaning
from schemas.records import LEDGER, UNLABELLED
from schemas.sample import SPLITS


def sampled_of(corpus: Corpus, labels: dict[str, str]) -> dict[str, Sampled]:
    """By id, of survivors of dedup. labels: their `language_Script`."""
    now = corpus.stages["sample"]
    if now is None:
        return {}
    mixed, accounts = now.read_json("mixture.json")["languages"], now.read_json(LEDGER)["by_language"]
    columns = ("id", *UNLABELLED, "weight")
    rows = corpus.rows("sample", "data", "id", labels.keys(), len(labels), columns)
    found: dict[str, Sampled] = {}
    for name, label in labels.items():
        places = tuple(_place(row, mixed) for row in rows if row["id"] == name)
        dropped = accounts.get(label, {"dropped": {}})["dropped"] if not places else {}
        found[name] = Sampled(places, {reason: meaning("sample", reason) for reason in sorted(dropped)})
    return found


def _place(row: Row, mixed: dict[str, Any]) -> Place:
    split = row[FILE].rpartition("/")[2].partition("-")[0]
    epochs = float(mixed[f"{row['language']}_{row['language_script']}"]["epochs"])
    weight = float(row.get("weight") or 1.0)
    return Place(row[FILE], row[ROW], split, epochs, weight, epochs * weight if split == SPLITS[0] else 0.0)
