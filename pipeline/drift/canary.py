"""A canary: a few archives through all stages before the rest, in a root of their own inside the corpus' root."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.archive.manifest import Archive, sampled
from pipeline.drift.comparison import Comparison
from pipeline.drift.figures import Figures
from pipeline.store import lease, run_records, storage

FOLDER = "_canary"  # in the corpus' root; it holds pages
RECORD = "canary.json"  # beside it, of a canary that came back: counts, no address


def first(archives: Sequence[Archive], sample: float, share: float) -> list[Archive]:
    """This share of archives that are themselves a `sample` of a crawl, in the order of its hash, one at least."""
    by_path = {archive.file_path: archive for archive in archives}
    return [by_path[path] for path in sampled(by_path, sample * share, at_least_one=True)]


def identity(inputs: object, config: Mapping[str, Any], versions: Mapping[str, int], judged: object) -> str:
    """Equal ones are the same canary, which need not fly again. versions: of the stages. judged: by which thresholds,
    against what."""
    return run_records.fingerprint([inputs, dict(config), dict(versions), judged])


def passed(root: str, fingerprint: str) -> bool:
    """Whether this canary has come back before."""
    said = storage.read_json(storage.join(root, RECORD))
    return isinstance(said, dict) and said.get("fingerprint") == fingerprint


def write_record(root: str, fingerprint: str, archives: int, found: Figures, compared: Comparison | None) -> None:
    shares = {" ".join(part for part in key if part): list(share) for key, share in sorted(found.shares.items())}
    said = {
        "fingerprint": fingerprint,
        "archives": archives,
        "compared_with": compared.other if compared else None,
        "judged": compared.judged if compared else 0,
        "figures": shares,  # name -> rows, of rows
    }
    storage.write_json(storage.join(root, RECORD), said)


def clear(place: str) -> None:
    """Deletes all that a canary has written but the lease, which whoever holds it gives back."""
    there = {name.partition("/")[0] for name in storage.listing(place, hidden=True)}
    for name in sorted({*there, *storage.folders(place)} - {lease.NAME}):
        storage.remove(storage.join(place, name))
