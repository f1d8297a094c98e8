"""jobs/compact.py: one whole generation of what lay in several, with the same rows, and back to a former one."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from stage_tables import all_files, current, files, rows_of, small, table

from jobs import clean, compact, explain, remove
from pipeline.store import run_records, verdict_files
from pipeline.store.last_column import replace_last_column
from train.corpus.shards import open_shards

DOCUMENTS = "clean/documents"
STRICT = ["--min-words", "60"]

pytestmark = pytest.mark.usefixtures("without_engine")


def copied(corpus_root: Path, folder: Path, *stages: str) -> Path:
    for stage in stages:
        shutil.copytree(corpus_root / stage, folder / "root" / stage)
    return folder / "root"


@pytest.fixture
def judged(corpus_root: Path, tmp_path: Path) -> Path:
    """With verdicts beside clean's documents, and the first run kept."""
    root = copied(corpus_root, tmp_path, "extract", "clean")
    assert clean.main(["--root", str(root), *STRICT, "--keep", "1"]) == 0
    return root


def test_verdicts_become_the_last_column(judged: Path, tmp_path: Path) -> None:
    """Each file as if only its last column had been written anew; all others are the same files."""
    before, places = rows_of(judged, DOCUMENTS), files(judged, DOCUMENTS)
    now = current(judged, "clean")
    assert now
    beside = verdict_files.verdicts_of(now, [path.rpartition("/")[2] for path in places])
    assert beside
    expected = {}
    for path, place in places.items():
        name = path.rpartition("/")[2]
        expected[path] = place.read_bytes()
        if name in beside:
            replace_last_column(
                str(place), str(tmp_path / name), "drop_reason", verdict_files.read_verdicts(beside[name])
            )
            expected[path] = (tmp_path / name).read_bytes()
    told = ("_run.json", "_ledger.json", "_distributions.json")
    before_told = [small(judged, f"clean/{name}") for name in told]
    assert compact.main(["--root", str(judged), "--stage", "clean"]) == 0
    assert {path: place.read_bytes() for path, place in files(judged, DOCUMENTS).items()} == expected
    assert rows_of(judged, DOCUMENTS) == before
    assert [small(judged, f"clean/{name}") for name in told] == before_told
    left = {path.relative_to(judged / "clean").parts[0] for path in (judged / "clean").rglob("*.parquet")}
    assert left == {"g3"} and not list(judged.rglob("verdicts"))
    assert clean.main(["--root", str(judged), *STRICT]) == 0  # up to date
    assert compact.main(["--root", str(judged)]) == 0
    assert current(judged, "clean") == now._replace(number=3)


def test_back_to_the_run_before(judged: Path, corpus_root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert table(judged, DOCUMENTS) != table(corpus_root, DOCUMENTS)
    assert compact.main(["--root", str(judged), "--stage", "clean", "--back"]) == 0
    assert table(judged, DOCUMENTS) == table(corpus_root, DOCUMENTS)
    assert small(judged, "clean/_run.json") == small(corpus_root, "clean/_run.json")
    assert not list(judged.rglob("verdicts/*.parquet"))
    capfd.readouterr()
    assert compact.main(["--root", str(judged), "--stage", "clean", "--back"]) == 2
    assert "no former generation is kept" in capfd.readouterr().err
    assert compact.main(["--root", str(judged), "--back"]) == 2
    assert "--stage" in capfd.readouterr().err


def state(root: Path) -> dict[str, Any]:
    return {path: place.read_bytes() for path, place in all_files(root).items()}


def test_a_takedown_ends_rollback_and_is_taken_over(
    judged: Path, corpus_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The page is in no former run; compacted, also by a second try, all files are what they were."""
    for stage in ("dedup", "sample"):
        shutil.copytree(corpus_root / stage, judged / stage)
    gone = next(row for row in table(corpus_root, "sample/data"))
    stays = next(row["url"] for row in table(corpus_root, "sample/data") if row["url"] != gone["url"])
    (tmp_path / "urls.txt").write_text(f"{gone['url']}\n")
    assert remove.main(["--root", str(judged), "--urls", str(tmp_path / "urls.txt")]) == 0
    for path in judged.rglob("*.parquet"):
        assert gone["text"] not in [row.get("text") for row in pq.read_table(path).to_pylist()]
    assert compact.main(["--root", str(judged), "--stage", "clean", "--back"]) == 2
    before, shards = state(judged), open_shards(judged / "sample")
    publish = run_records.publish

    def dying(folder: str, *args: Any, **more: Any) -> None:
        if folder.endswith("dedup"):
            raise RuntimeError("killed")
        publish(folder, *args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(run_records, "publish", dying)
        with pytest.raises(RuntimeError, match="killed"):
            compact.main(["--root", str(judged)])
    assert compact.main(["--root", str(judged)]) == 0
    after = state(judged)
    same = {path for path in before if not path.startswith("clean/")}
    assert {path: after[path] for path in same} == {path: before[path] for path in same}
    for stage in ("extract", "dedup", "sample"):
        now = current(judged, stage)
        assert now and now.manifest()["base"] is None and list(now.folder for _ in now.parts()) == [now.folder]
    found = open_shards(judged / "sample")
    assert found.identity() == shards.identity()
    assert [(file.name, file.digest, file.groups) for file in found.files] == [
        (file.name, file.digest, file.groups) for file in shards.files
    ]
    card = (judged / "sample" / "README.md").read_text()
    number = current(judged, "sample").number  # type: ignore[union-attr]
    assert f"path: g{number}/data/*/train-*.parquet" in card and "path: data/" not in card
    capfd.readouterr()
    assert explain.main(["--root", str(judged), "--url", stays]) == 0
    assert f"sample: in g{number}/data/" in capfd.readouterr().out
    assert explain.main(["--root", str(judged), "--url", gone["url"]]) == 2


def test_what_cannot_be_compacted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for root, words in ((tmp_path / "nowhere", "no such folder"), (tmp_path, "no finished stage")):
        assert compact.main(["--root", str(root)]) == 2
        assert words in capfd.readouterr().err
