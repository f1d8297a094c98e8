"""A stage's folder as generations (schemas.generations): what is current, its tables' files, a new one made current,
former ones deleted or gone back to. Reading changes nothing."""

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from pipeline.store import storage
from schemas.distributions import CLUSTERS
from schemas.errors import UserError
from schemas.generations import (
    CURRENT,
    FILES,
    FRONT,
    NAMES,
    Manifest,
    Pointer,
    Tables,
    derived,
    inside,
    own_files,
    pointer,
    table_files,
)  # fmt: skip
from schemas.records import EXAMPLES, LEDGER, RUN, RunRecord
from schemas.scores import SCORES

BUILDING = "_building.json"  # says of a generation that somebody is making it, and of what


class Generation(NamedTuple):
    """number: of the stage folder's generations."""

    folder: str
    number: int

    @property
    def place(self) -> str:
        """Where its small files and its own tables lie."""
        return storage.join(self.folder, inside(self.number)) if self.number > 1 else self.folder

    def read_json(self, name: str) -> Any:
        return storage.read_json(storage.join(self.place, name))

    def record(self) -> RunRecord:
        found: RunRecord | None = self.read_json(RUN)
        if found is None:
            raise UserError(f"{self.place} has no {RUN}, but is said to be finished: run that stage again")
        return found

    def files(self, table: str) -> dict[str, str]:
        """Name -> absolute path, by name."""
        found = table_files(partial(_read, self.folder), self.number, table)
        if found is None:  # of an older version, which had one generation, and nothing else in the table's folder
            if self.number > 1 or self.read_json(RUN) is None:
                raise UserError(f"{self.folder} was written anew while it was read: run this again")
            below = storage.join(self.folder, table)
            return {name: storage.join(below, name) for name in storage.listing(below)}
        return {name: storage.join(self.folder, path) for name, path in found.items()}

    def manifest(self) -> Manifest:
        """Of an older version's, a whole one's."""
        return self.read_json(FILES) or Manifest(base=None, tables={}, taken={}, gone={})

    def parts(self) -> dict["Generation", Tables | None]:
        """The generations whose files it uses, the earliest first, itself last, each with what it uses of it; None:
        all, but for what later ones have or its manifest says is gone. No list of all files is read."""
        said = self.manifest()
        if said["base"] is None:
            return {self: None}
        between = {Generation(self.folder, int(number)): tables for number, tables in said["taken"].items()}
        return {Generation(self.folder, said["base"]): None, **dict(sorted(between.items())), self: said["tables"]}

    def named(self, table: str, names: Collection[str]) -> dict[str, str]:
        """As `files`, of these names alone, as far as they are its own; all are taken to be in the generation that
        is whole which later ones do not name."""
        said, found = self.manifest(), dict[str, str]()
        for part, tables in self.parts().items():
            if tables is None:
                here = set(names) - {*said["gone"].get(table, ())}
            else:
                here = set(names) & {*tables.get(table, ())}
            found.update({name: storage.join(part.place, table, name) for name in here})
        return dict(sorted(found.items()))

    def tables(self) -> list[str]:
        """Names of its tables."""
        parts = own_files(partial(_read, self.folder), self.number)
        if parts is None:
            names = storage.listing(self.folder)
            return sorted({name.partition("/")[0] for name in names if "/" in name and name.endswith(".parquet")})
        return sorted({table for tables in parts.values() for table in tables})


def current(folder: str) -> Generation | None:
    """The finished one that readers see; None where there is none."""
    found = pointer(partial(_read, folder))
    return Generation(folder, found["generation"]) if found else None


def required(folder: str) -> Generation:
    """UserError where nothing is finished."""
    found = current(folder)
    if found is None:
        raise UserError(f"{folder} is missing or unfinished: run its job first")
    return found


def files(folder: str, table: str) -> dict[str, str]:
    """Of the current generation: name -> absolute path. UserError where nothing is finished."""
    return required(folder).files(table)


def following(folder: str) -> Generation:
    """The one to be made next."""
    found = pointer(partial(_read, folder))
    return Generation(folder, found["last"] + 1 if found else 1)


def write_manifest(
    made: Generation, tables: Tables, base: Generation | None = None, gone: Tables | None = None
) -> None:
    """tables: names of its own files, which go before the base's of the same names. gone: names of the base's files
    that it does not use."""
    if base is None:
        own = {table: sorted(names) for table, names in sorted(tables.items())}
        _write_whole(made, own)
        return
    manifest: Manifest | None = base.read_json(FILES)
    if manifest is None:  # an older version's: named now
        _write_whole(base, {table: list(base.files(table)) for table in base.tables()})
        manifest = base.manifest()
    storage.write_json(storage.join(made.place, FILES), derived(base.number, manifest, tables, gone or {}))


def _write_whole(made: Generation, tables: Tables) -> None:
    storage.write_json(storage.join(made.place, NAMES), tables)
    storage.write_json(storage.join(made.place, FILES), Manifest(base=None, tables={}, taken={}, gone={}))


def make_current(made: Generation) -> None:
    """From here on readers see it. The former one stays, whole, until `retire`."""
    before = pointer(partial(_read, made.folder))
    if made.number > 1:
        former = Generation(made.folder, before["generation"]) if before else made
        kept = [*before["kept"], former.number] if before else []
        leaving = list(before["leaving"]) if before else []
        if made.read_json(FRONT) and former.read_json(FRONT) is None:  # an older version's, to be written over
            leaving = [*leaving, *(number for number in kept if number != made.number)]
            kept = []
        said = Pointer(
            generation=made.number,
            last=max(made.number, before["last"] if before else 1),
            kept=[number for number in kept if number != made.number],
            leaving=leaving,
        )
        storage.write_json(storage.join(made.folder, CURRENT), said)
    settle(made.folder)


def settle(folder: str) -> None:
    """What a writer that was killed has left to be done: a generation that is whole is made current, small files are
    put at the top, deletions that had begun are ended."""
    made = following(folder)
    if made.number > 1 and made.read_json(RUN) is not None:
        make_current(made)
        return
    found = pointer(partial(_read, folder))
    if found is None:
        return
    now = Generation(folder, found["generation"])
    for name, own in (now.read_json(FRONT) or {}).items():
        path, source = storage.join(folder, name), storage.join(now.place, own)
        data = storage.read_bytes(source)
        if path != source and data is not None and storage.read_bytes(path) != data:
            storage.write_bytes(path, data)
    if found["leaving"]:
        _delete(folder, found)


def retire(folder: str, keep: int = 0) -> None:
    """Deletes former generations but for the last `keep`, and of those that others still use what these do not."""
    found = pointer(partial(_read, folder))
    if found is None or len(found["kept"]) <= keep:
        return
    kept = found["kept"][len(found["kept"]) - keep :]
    leaving = [*found["leaving"], *(number for number in found["kept"] if number not in kept)]
    said = Pointer(generation=found["generation"], last=found["last"], kept=kept, leaving=sorted(set(leaving)))
    storage.write_json(storage.join(folder, CURRENT), said)
    _delete(folder, said)


def go_back(folder: str) -> Generation:
    """Makes the latest kept generation current again, and deletes the one that was. UserError where none is kept."""
    found = pointer(partial(_read, folder))
    if found is None or not found["kept"]:
        raise UserError(f"{folder}: no former generation is kept: --keep N of the jobs keeps some")
    back = found["kept"][-1]
    said = Pointer(
        generation=back, last=found["last"], kept=found["kept"][:-1],
        leaving=sorted({*found["leaving"], found["generation"]}),
    )  # fmt: skip
    storage.write_json(storage.join(folder, CURRENT), said)
    settle(folder)  # deletes
    return Generation(folder, back)


def _delete(folder: str, said: Pointer) -> None:
    """The leaving generations' files that no other one uses. What one uses of a leaving one stays a generation that is
    leaving, until nobody does."""
    users = [Generation(folder, number).manifest() for number in (said["generation"], *said["kept"])]
    still = []
    for number in said["leaving"]:
        theirs = [user for user in users if number == user["base"] or str(number) in user["taken"]]
        if theirs:
            _delete_unused(Generation(folder, number), theirs)
            still.append(number)
        elif number > 1:
            storage.remove(storage.join(folder, inside(number)))
        else:
            _delete_first(folder, said)
    if still != said["leaving"]:
        left = Pointer(generation=said["generation"], last=said["last"], kept=said["kept"], leaving=still)
        storage.write_json(storage.join(folder, CURRENT), left)


def _of(folder: str, path: str) -> int:
    """The generation in which a file lies."""
    first = path.removeprefix(folder.rstrip("/") + "/").partition("/")[0]
    return int(first[1:]) if first[:1] == "g" and first[1:].isdecimal() else 1


def _delete_unused(leaving: Generation, users: Sequence[Manifest]) -> None:
    """Its own files that none of these uses, and small ones that hold texts, which may have been taken down; its other
    small files stay, for its manifest is needed."""
    own = leaving.manifest()
    if own["base"] is None:
        unused = set.intersection(*(_flat(user["gone"]) for user in users))
    else:
        unused = _flat(own["tables"]).difference(*(_flat(user["taken"][str(leaving.number)]) for user in users))
    for name in (*sorted(unused), EXAMPLES, CLUSTERS, SCORES):
        storage.remove(storage.join(leaving.place, name))


def _flat(tables: Tables) -> set[str]:
    return {f"{table}/{name}" for table, names in tables.items() for name in names}


def _delete_first(folder: str, said: Pointer) -> None:
    """Everything in the folder that is neither a later generation nor a small file at the top."""
    front = Generation(folder, said["generation"]).read_json(FRONT) or {}
    for name in _top(folder):
        if _of(folder, storage.join(folder, name)) == 1 and name not in (*front, CURRENT):
            storage.remove(storage.join(folder, name))


def _top(folder: str) -> Iterator[str]:
    """Names in the folder; the first generation's small files last, its record first of them."""
    names = {name.partition("/")[0] for name in storage.listing(folder, hidden=True)}
    last = (RUN, LEDGER, EXAMPLES, FILES, NAMES, FRONT)
    yield from sorted(names - {*last})
    yield from (name for name in last if name in names)


def _read(folder: str, name: str) -> Any:
    return storage.read_json(storage.join(folder, name))
