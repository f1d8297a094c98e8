"""Generations of a stage's folder: which files are its tables now, for both wings, whatever reads the small objects.

    clean/documents/part-00000.parquet   generation 1 lies in the folder itself, as do its _run.json, _files.json ...
    clean/g2/documents/...               generation 2 and those behind it below it
    clean/_current.json                  says which generation is current; without it generation 1, where it is recorded

Nothing is moved or copied to be published. `_files.json` names a generation's own files by table; the whole generation
whose files it goes on using (`base`); what it uses of generations between (`taken`); and those of the base's that it
does not (`gone`). A file goes before one of that name of an earlier generation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from schemas.records import RUN

CURRENT = "_current.json"
FILES = "_files.json"
NAMES = "_names.json"  # of a whole generation, by table
FRONT = "_front.json"  # name at the folder's top -> the current generation's small file that stands there

Read = Callable[[str], Any]  # of a path inside the stage's folder: the parsed JSON, None where there is no such file


class Pointer(TypedDict):
    """`_current.json`, the one object whose change publishes."""

    generation: int
    last: int  # the highest number ever given
    kept: list[int]  # former generations that are still whole, the latest last
    leaving: list[int]  # former ones whose files are being deleted


Tables = Mapping[str, Sequence[str]]  # names inside the table's folder, by table


class Manifest(TypedDict):
    """`_files.json`. A base has no base itself."""

    base: int | None
    tables: dict[str, list[str]]  # its own files, where it has a base
    taken: dict[str, dict[str, list[str]]]  # by number of the generation, then as `tables`
    gone: dict[str, list[str]]


def inside(generation: int, name: str = "") -> str:
    """Where in the stage's folder a generation's file lies."""
    return "/".join(part for part in (f"g{generation}" if generation > 1 else "", name) if part)


def pointer(read: Read) -> Pointer | None:
    """None where nothing is finished."""
    found: Pointer | None = read(CURRENT)
    if found is None and read(RUN) is not None:
        return Pointer(generation=1, last=1, kept=[], leaving=[])
    return found


def own_files(read: Read, generation: int) -> dict[int, Tables] | None:
    """What a generation uses of each, itself among them, the earliest first; None where an older version wrote no
    list: then its files are those that lie there."""
    manifest: Manifest | None = read(inside(generation, FILES))
    if manifest is None:
        return None
    at = generation if manifest["base"] is None else manifest["base"]
    whole: Tables | None = read(inside(at, NAMES))
    if whole is None:
        return None
    if manifest["base"] is None:
        return {generation: whole}
    gone = {table: set(names) for table, names in manifest["gone"].items()}
    parts: dict[int, Tables] = {
        at: {table: [name for name in names if name not in gone.get(table, ())] for table, names in whole.items()}
    }
    parts.update({int(number): tables for number, tables in manifest["taken"].items()})
    parts[generation] = manifest["tables"]
    return dict(sorted(parts.items()))


def table_files(read: Read, generation: int, table: str) -> dict[str, str] | None:
    """The table's files: name -> path inside the stage's folder, by name. None as of `own_files`."""
    parts = own_files(read, generation)
    if parts is None:
        return None
    found = {name: inside(at, f"{table}/{name}") for at, tables in parts.items() for name in tables.get(table, ())}
    return dict(sorted(found.items()))


def derived(base: int, manifest: Manifest, tables: Tables, gone: Tables) -> Manifest:
    """Of a generation that has `tables` as its own files and else uses what `base` does, whose manifest is given, but
    for what is gone."""
    replaced = {table: {*names, *gone.get(table, ())} for table, names in tables.items()}
    replaced.update({table: {*names} for table, names in gone.items() if table not in replaced})
    own = {table: sorted(names) for table, names in sorted(tables.items())}
    without = {
        table: sorted({*manifest["gone"].get(table, ()), *replaced.get(table, ())})
        for table in sorted({*manifest["gone"], *replaced})
    }
    if manifest["base"] is None:
        return Manifest(base=base, tables=own, taken={}, gone=without)
    taken: dict[str, dict[str, list[str]]] = {}
    for number, names_of in {**manifest["taken"], str(base): manifest["tables"]}.items():
        left = {
            table: [name for name in names if name not in replaced.get(table, ())] for table, names in names_of.items()
        }
        taken[number] = {table: names for table, names in left.items() if names}
    return Manifest(base=manifest["base"], tables=own, taken={n: t for n, t in taken.items() if t}, gone=without)
