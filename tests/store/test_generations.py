"""Generations: what a reader sees, what an incremental one adds, what goes with a former one."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.store import generations, storage
from pipeline.store.generations import Generation, make_current, retire, write_manifest
from schemas.errors import UserError
from schemas.generations import CURRENT, FILES, FRONT
from schemas.records import RUN


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "clean")


def build(
    folder: str,
    tables: Mapping[str, Mapping[str, str]],
    base: Generation | None = None,
    gone: Mapping[str, list[str]] | None = None,
) -> Generation:
    """tables: by table and name, what the file holds."""
    made = generations.following(folder)
    for table, files in tables.items():
        for name, text in files.items():
            storage.write_bytes(storage.join(made.place, table, name), text.encode())
    write_manifest(made, {table: list(files) for table, files in tables.items()}, base, gone)
    storage.write_json(storage.join(made.place, RUN), {"stage": "clean"})
    make_current(made)
    return made


def read(generation: Generation | None, table: str = "documents") -> dict[str, str]:
    assert generation is not None
    return {name: Path(path).read_text() for name, path in generation.files(table).items()}


def on_disk(folder: str) -> set[str]:
    return {name for name in storage.listing(folder) if not name.endswith(".json")}


def test_the_first_lies_in_the_folder_itself(folder: str) -> None:
    made = build(folder, {"documents": {"a": "1", "deep/er/b": "2"}})
    assert made.place == folder
    assert read(generations.current(folder)) == {"a": "1", "deep/er/b": "2"}
    assert on_disk(folder) == {"documents/a", "documents/deep/er/b"}
    assert not storage.exists(storage.join(folder, CURRENT))


def test_files_that_no_list_names_do_not_count(folder: str) -> None:
    """As those that a killed run left, or that a store still shows."""
    made = build(folder, {"documents": {"a": "1"}})
    storage.write_bytes(storage.join(folder, "documents/stale"), b"")
    assert read(made) == {"a": "1"}


def test_a_root_of_an_older_version_is_read_and_built_upon(folder: str) -> None:
    for name in ("documents/a.parquet", "documents/b.parquet"):
        storage.write_bytes(storage.join(folder, name), name.encode())
    storage.write_json(storage.join(folder, RUN), {"stage": "clean"})
    old = generations.current(folder)
    assert read(old) == {"a.parquet": "documents/a.parquet", "b.parquet": "documents/b.parquet"}
    assert not storage.exists(storage.join(folder, FILES))
    build(folder, {"documents": {"b.parquet": "new"}}, base=old)
    assert read(generations.current(folder)) == {"a.parquet": "documents/a.parquet", "b.parquet": "new"}
    retire(folder)
    assert on_disk(folder) == {"documents/a.parquet", "g2/documents/b.parquet"}


def test_additions_upon_additions(folder: str) -> None:
    for number in range(1, 6):
        build(folder, {"documents": {f"{number}": f"{number}"}}, base=generations.current(folder))
        retire(folder)
    now = generations.current(folder)
    assert now is not None and now.number == 5
    assert read(now) == {f"{number}": f"{number}" for number in range(1, 6)}
    build(folder, {"documents": {"2": "again"}}, base=now, gone={"documents": ["1", "4"]})
    retire(folder)
    assert read(generations.current(folder)) == {"2": "again", "3": "3", "5": "5"}
    assert on_disk(folder) == {"g6/documents/2", "g3/documents/3", "g5/documents/5"}
    build(folder, {"documents": {"x": "all new"}})
    retire(folder)
    assert on_disk(folder) == {"g7/documents/x"}
    assert {name.partition("/")[0] for name in storage.listing(folder, hidden=True)} == {"g7", CURRENT}


def test_a_kept_one_is_gone_back_to(folder: str) -> None:
    first = build(folder, {"documents": {"a": "1"}})
    second = build(folder, {"documents": {"a": "2"}})
    build(folder, {"documents": {"a": "3"}})
    retire(folder, keep=1)
    with pytest.raises(UserError, match="was written anew while it was read"):
        read(first)
    assert read(second) == {"a": "2"}
    assert generations.go_back(folder) == second
    assert read(generations.current(folder)) == {"a": "2"}
    assert on_disk(folder) == {"g2/documents/a"}
    with pytest.raises(UserError, match="no former generation is kept"):
        generations.go_back(folder)
    fourth = build(folder, {"documents": {"a": "4"}})
    assert fourth.number == 4  # a number is never given twice


def fronted(folder: str, text: str, own: str = "_own/model") -> Generation:
    """A generation with a small file at the top of the folder."""
    made = generations.following(folder)
    storage.write_bytes(storage.join(made.place, own), text.encode())
    storage.write_json(storage.join(made.place, FRONT), {"model": own})
    return build(folder, {})


def test_small_files_at_the_top_are_the_current_one_s(folder: str) -> None:
    for text in ("1", "2"):
        fronted(folder, text)
        assert (Path(folder) / "model").read_text() == text
    generations.go_back(folder)
    assert (Path(folder) / "model").read_text() == "1"
    fronted(folder, "3")
    retire(folder)
    assert (Path(folder) / "model").read_text() == "3"
    assert {name.partition("/")[0] for name in storage.listing(folder, hidden=True)} == {"g3", "model", CURRENT}


def test_an_older_version_s_small_files_are_written_over_and_not_gone_back_to(folder: str) -> None:
    storage.write_bytes(storage.join(folder, "model"), b"old")
    storage.write_json(storage.join(folder, RUN), {"stage": "clean"})
    fronted(folder, "new")
    assert (Path(folder) / "model").read_text() == "new"
    with pytest.raises(UserError, match="no former generation is kept"):
        generations.go_back(folder)


def test_a_deletion_cut_short_is_ended(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    build(folder, {"documents": {"a": "1", "b": "1"}})
    build(folder, {"documents": {"a": "2"}})

    def killed(path: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(storage, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        retire(folder)
    monkeypatch.undo()
    assert read(generations.current(folder)) == {"a": "2"}
    generations.settle(folder)
    assert on_disk(folder) == {"g2/documents/a"}


@pytest.mark.parametrize("seed", range(20))
def test_any_history_reads_as_a_dictionary_would(folder: str, seed: int) -> None:
    """Whole and derived generations, kept or not, against the tables that they should be."""
    chance = random.Random(seed)
    history: list[tuple[Generation, dict[str, str]]] = []
    for step in range(12):
        names = [f"{n}" for n in range(6) if chance.random() < 0.4]
        own = {name: f"{step} {name}" for name in names}
        if history and chance.random() < 0.7:
            base, before = history[-1]
            gone = [name for name in before if chance.random() < 0.2]
            table = {name: text for name, text in before.items() if name not in gone} | own
            made = build(folder, {"documents": own}, base, {"documents": gone})
        else:
            table, made = own, build(folder, {"documents": own})
        history.append((made, table))
        keep = chance.choice([0, 1, 2, 5])
        retire(folder, keep)
        last = history[-1 - min(keep, len(history) - 1) :]
        held = generations.pointer(lambda name: storage.read_json(storage.join(folder, name)))
        kept = {generation.number for generation, _ in history if held and generation.number in held["kept"]}
        for generation, expected in history:
            if generation == made or generation.number in kept:
                assert read(generation) == dict(sorted(expected.items()))
        assert kept <= {generation.number for generation, _ in last}
        used = {
            path.removeprefix(folder + "/")
            for generation, _ in history
            if generation == made or generation.number in kept
            for path in generation.files("documents").values()
        }
        assert on_disk(folder) == used
