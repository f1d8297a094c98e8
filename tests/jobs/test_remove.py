"""jobs/remove.py as a user runs it, over a copy of the sample corpus: what goes, what stays, what the stages say."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from programs import ARCHIVE, DEMO
from stage_tables import all_files, small, table

from jobs import clean, corpus, dedup, explain, extract, remove, report
from pipeline.spark.session import LazySession
from pipeline.stages import remove as remove_stage
from pipeline.store import generations, run_records
from schemas.records import STAGES, unbalanced

LANGUAGES = ("cmn", "jpn", "kor", "tha", "khm", "arb", "heb", "hin", "tam", "amh", "kat", "rus", "tur", "eng")
HOSTS = ("swa-news.example.com", "swa.blog.example.org")
SKIPPED = "https://fra-news.example.com/not_found"


def parquet(root: Path) -> list[Path]:
    """All that lies there, of any generation."""
    return sorted(file.relative_to(root) for file in root.rglob("*.parquet"))


def of_a_host(url: str | None) -> bool:
    return any(host in (url or "") for host in HOSTS)


class Wanted:
    """What the test takes down: of each language a kept page, the kept copy of a cluster, a copy that dedup dropped, a
    page that clean dropped, all of two hosts, and a page that gave no document."""

    def __init__(self, root: Path) -> None:
        documents = {row["id"]: row for row in table(root, "clean/documents")}
        clusters = table(root, "dedup/clusters")
        clustered = {row["id"] for row in clusters}
        kept = [row for row in table(root, "sample/data") if row["id"] not in clustered]
        copies = sorted({row["cluster_id"] for row in clusters})
        self.kept_copy = next(name for name in copies if documents[name]["language"] == "cmn")
        others = [row for row in clusters if row["cluster_id"] != self.kept_copy]
        self.copy = next(row["id"] for row in others if row["drop_reason"] == "minhash")
        self.bad = next(name for name, row in sorted(documents.items()) if row["drop_reason"])
        self.pages = {one: min(row["id"] for row in kept if row["language"] == one) for one in LANGUAGES}
        self.singles = {*self.pages.values(), self.kept_copy, self.copy, self.bad}
        self.ids = self.singles | {name for name, row in documents.items() if of_a_host(row["url"])}
        copied = {row["text"] for name, row in documents.items() if name not in self.ids}  # at other addresses
        self.texts = {documents[name]["text"] for name in self.ids} - copied
        self.urls = [documents[name]["url"] for name in sorted(self.singles)]
        assert len(self.singles) == len(LANGUAGES) + 3 and len(self.ids) > len(self.singles)

    def flags(self, folder: Path) -> list[str]:
        """Lists as a person writes them, and the flags that name them."""
        written = [url.replace("https://www.", "https://").replace("https://", "http://www.") for url in self.urls]
        (folder / "urls.txt").write_text(
            "#part\n".join(["# pages", *written, SKIPPED, "https://nobody.example/1"]) + "\n"
        )
        (folder / "hosts.txt").write_text(f"{HOSTS[0]} # all of it\n{HOSTS[1].upper()}\n")
        return ["--urls", str(folder / "urls.txt"), "--hosts", str(folder / "hosts.txt")]


@pytest.fixture(scope="module")
def wanted(corpus_root: Path) -> Wanted:
    return Wanted(corpus_root)


def copied(corpus_root: Path, folder: Path, wanted: Wanted) -> Path:
    """A copy with folders that are no stage's, under a name that is no plain word."""
    root = folder / "корпус 1%20"
    shutil.copytree(corpus_root, root)
    (root / "notes").mkdir()
    named = sorted(wanted.singles)
    pq.write_table(pa.table({"id": [named[0], "mine"], "note": ["x", "y"]}), root / "notes" / "ids.parquet")
    pq.write_table(pa.table({"url": [wanted.urls[0], SKIPPED, "mine"]}), root / "notes" / "urls.parquet")
    return root


FEW_TASKS = 3  # of many files each: in a corpus so small, a task costs more than what it does


@pytest.fixture(scope="module")
def removed(corpus_root: Path, wanted: Wanted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("removed")
    root = copied(corpus_root, folder, wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remove_stage, "MOST_TASKS", FEW_TASKS)
        patch.setattr(LazySession, "local_cores", lambda _: 2)
        assert remove.main(["--root", str(root), *wanted.flags(folder)]) == 0
    return root


def goes(row: dict[str, Any], wanted: Wanted) -> bool:
    return row.get("id") in wanted.ids or row.get("url") in {*wanted.urls, SKIPPED}


def test_nothing_of_a_removed_page_is_left(removed: Path, wanted: Wanted) -> None:
    secrets = {*wanted.ids, *wanted.texts, *wanted.urls, SKIPPED}
    for file in parquet(removed):
        for row in pq.read_table(removed / file).to_pylist():
            assert secrets.isdisjoint(value for value in row.values() if isinstance(value, str)), file
            assert not of_a_host(row.get("url")), file
    for stage in STAGES:
        for example in small(removed, f"{stage}/_examples.json"):
            assert secrets.isdisjoint(example.values()) and not of_a_host(example["url"])
    page = (removed / "report.html").read_text()
    assert not [url for url in wanted.urls if url in page]
    small_files = "".join(path.read_text() for path in removed.rglob("_*.json"))
    assert not [text for text in (*wanted.ids, *wanted.urls) if text in small_files]
    assert not list(removed.rglob("_building.json")) and not list(removed.glob("_*"))


def test_all_other_rows_stay_as_they_were(removed: Path, corpus_root: Path, wanted: Wanted) -> None:
    before_all, after_all = all_files(corpus_root), all_files(removed)
    assert [file for file in after_all if not file.startswith("notes/")] == list(before_all)
    names, anew = {wanted.kept_copy}, 0
    for file, place in before_all.items():
        before, after = pq.read_table(place), pq.read_table(after_all[file])
        assert before.schema == after.schema
        if file.startswith("extract/inputs/"):
            continue
        is_new = "/g2/" in str(after_all[file])
        anew += is_new
        assert is_new == (before.num_rows > after.num_rows or "clusters" in file), "files without a row of it stay"
        expected = [row for row in before.to_pylist() if not goes(row, wanted) and not of_a_host(row.get("url"))]
        found = after.to_pylist()
        for row, other in zip(found, expected, strict=True):
            if other.get("cluster_id") in names and "clusters" in file:
                for name in ("cluster_id", "kept_id"):
                    assert row.pop(name).startswith("removed:") and other.pop(name) in names
        assert found == expected, file
    assert anew
    assert [row["id"] for row in table(removed, "notes") if row.get("id")] == ["mine"]
    assert [row["url"] for row in table(removed, "notes") if row.get("url")] == ["mine"]


def test_the_ledgers_tell_it(removed: Path, corpus_root: Path, wanted: Wanted) -> None:
    for stage in ("extract", "clean", "dedup", "sample"):
        old, new = (small(root, f"{stage}/_ledger.json") for root in (corpus_root, removed))
        for account in (new, *new["by_language"].values()):
            assert unbalanced(account) == 0 and min([account["rows_out"], *account["dropped"].values()]) >= 0
        assert new["rows_in"] == old["rows_in"]
        assert new["tables"] == {name: len(table(removed, f"{stage}/{name}")) for name in old["tables"]}
        assert new["rows_out"] == len(table(removed, f"{stage}/{'data' if stage == 'sample' else 'documents'}")) - sum(
            1 for row in table(removed, f"{stage}/documents") if row.get("drop_reason")
        )
        assert small(removed, f"{stage}/_run.json") == small(corpus_root, f"{stage}/_run.json")
    assert small(removed, "clean/_ledger.json")["dropped"]["removed"] == len(wanted.ids)
    assert small(removed, "extract/_ledger.json")["dropped"]["removed"] == len(wanted.ids) + 1
    languages = small(removed, "clean/_ledger.json")["by_language"]
    assert all(languages[name]["dropped"]["removed"] for name in languages if name.split("_")[0] in LANGUAGES)
    dropped = Counter(row["drop_reason"] for row in table(removed, "clean/documents") if row["drop_reason"])
    told = small(removed, "clean/_ledger.json")["dropped"]
    assert {reason: rows for reason, rows in told.items() if reason != "removed"} == dropped


def test_distributions_count_what_clean_wrote(removed: Path, corpus_root: Path) -> None:
    name = "clean/_distributions.json"
    assert small(removed, name) == small(corpus_root, name) != []


def test_the_largest_clusters_lose_members_alone(removed: Path, corpus_root: Path, wanted: Wanted) -> None:
    before, after = (small(root, "dedup/_clusters.json") for root in (corpus_root, removed))
    stay = [[one["id"] for one in cluster["members"] if one["id"] not in wanted.ids] for cluster in before]
    assert [[one["id"] for one in cluster["members"]] for cluster in after] == [ids for ids in stay if ids]
    assert wanted.kept_copy in {cluster["cluster_id"] for cluster in before}
    names = {row["cluster_id"] for row in table(removed, "dedup/clusters")}
    assert {cluster["cluster_id"] for cluster in after} <= names


def test_the_archives_receipts_agree_with_extract(removed: Path) -> None:
    ledger, receipts = small(removed, "extract/_ledger.json"), table(removed, "extract/inputs")
    counts: Counter[str | None] = Counter()
    for row in receipts:
        assert sum(entry["count"] for entry in row["counts"]) == row["records"]
        counts.update({entry["reason"]: entry["count"] for entry in row["counts"] if entry["reason"] == "removed"})
    assert sum(row["documents"] for row in receipts) == ledger["rows_out"]
    assert sum(row["records"] for row in receipts) == ledger["rows_in"]
    assert {row["record_type"] for row in table(removed, "extract/skipped")} >= {"response"}


def test_the_shards_open_as_the_card_says(removed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    from datasets import load_dataset

    everything = load_dataset(str(removed / "sample"), "default", cache_dir=str(tmp_path))
    rows = table(removed, "sample/data")
    assert sum(len(split) for split in everything.values()) == len(rows)
    mixed, card = small(removed, "sample/mixture.json"), (removed / "sample" / "README.md").read_text()
    assert f"{len(rows)} documents" in card and "config_name: swh_Latn" not in card
    for name, entry in mixed["languages"].items():
        mine = [row for row in rows if f"{row['language']}_{row['language_script']}" == name]
        assert entry["documents"] + entry["validation_documents"] == len(mine)
        assert entry["bytes"] + entry["validation_bytes"] == sum(len(row["text"].encode()) for row in mine)
    assert sum(entry["weight"] for entry in mixed["languages"].values()) == pytest.approx(1)


def test_no_stage_runs_again(without_engine: None, removed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {file: (removed / file).stat().st_mtime_ns for file in parquet(removed)}
    assert corpus.main(["--input", str(ARCHIVE), "--root", str(removed), "--config", str(DEMO)]) == 0
    assert capsys.readouterr().out.count("up to date") == len(STAGES)
    assert {file: (removed / file).stat().st_mtime_ns for file in parquet(removed)} == before
    assert report.main(["--root", str(removed)]) == 0


def test_explain_knows_it_no_more(removed: Path, wanted: Wanted, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    for url in (wanted.urls[0], SKIPPED):
        assert explain.main(["--root", str(removed), "--url", url]) == 2
        assert "no record of this address" in capfd.readouterr().err
    stays = next(row["url"] for row in table(removed, "sample/data"))
    assert explain.main(["--root", str(removed), "--url", stays]) == 0


def test_the_record(removed: Path, wanted: Wanted, corpus_root: Path) -> None:
    (file,) = (removed / "removed").iterdir()
    assert len(file.stem) == 16 and int(file.stem, 16) >= 0
    text, record = file.read_text(), json.loads(file.read_text())
    assert [(one["flag"], one["name"]) for one in record["lists"]] == [("--urls", "urls.txt"), ("--hosts", "hosts.txt")]
    assert all(len(one["sha256"]) == 64 for one in record["lists"])
    (run,) = record["runs"]
    assert run["began"] <= run["finished"] and run["finished"].endswith("+00:00")
    assert run["documents"] == len(wanted.ids) and run["copies_left"] > 0
    for name, rows in run["rows"].items():
        if not name.startswith("notes"):
            assert rows == len(table(corpus_root, name)) - len(table(removed, name))
    assert run["rows"]["extract/skipped"] == 1 and run["rows"]["notes"] == 3
    assert not any(secret in text for secret in (*wanted.ids, *wanted.urls, *wanted.texts))


@pytest.mark.faults
def test_later_runs_of_stages_go_on(
    without_engine: None, removed: Path, wanted: Wanted, corpus_root: Path, tmp_path: Path
) -> None:
    """New thresholds decide over rewritten files, a new archive joins, a later crawl is compared with what is left."""
    root = tmp_path / "root"
    shutil.copytree(removed, root)
    assert clean.main(["--root", str(root), "--min-words", "60"]) == 0
    assert wanted.ids.isdisjoint(row["id"] for row in table(root, "clean/documents"))
    assert small(root, "clean/_ledger.json")["rows_in"] == len(table(root, "extract/documents"))
    archives = tmp_path / ARCHIVE.name
    archives.mkdir()
    for file in ARCHIVE.glob("*.gz"):
        shutil.copy(file, archives / file.name)
    shutil.copy(ARCHIVE / "sample-truncated.warc.gz", archives / "more.warc.gz")
    assert extract.main(["--input", str(archives), "--root", str(root)]) == 0
    ledger = small(root, "extract/_ledger.json")
    assert unbalanced(ledger) == 0 and ledger["dropped"]["removed"] == len(wanted.ids) + 1
    assert ledger["rows_in"] > small(removed, "extract/_ledger.json")["rows_in"]
    given = str(corpus_root / "sample" / "data" / "cmn_Hani")
    flags = ["--input", given, "--output", str(tmp_path / "later"), "--against", str(removed)]
    assert dedup.main(flags) == 0
    assert wanted.pages["cmn"] in {row["id"] for row in table(tmp_path, "later/documents")}


def state(root: Path) -> dict[str, Any]:
    """Everything but times and links between files."""
    files = {str(file): pq.read_table(root / file).to_pylist() for file in parquet(root)}
    told = [file for file in sorted(root.rglob("*.json")) if file.parent.name != "removed"]
    (record,) = [json.loads(file.read_text()) for file in (root / "removed").iterdir()]
    for run in record["runs"]:
        assert run.pop("began") <= run.pop("finished")
    return {**files, **{str(file.relative_to(root)): file.read_text() for file in told}, "record": record}


@pytest.mark.faults
@pytest.mark.parametrize(("step", "done_before"), [("publish", 0), ("publish", 2), ("retire", 0), ("retire", 3)])
def test_interrupted_and_run_again(
    without_engine: None,
    removed: Path,
    corpus_root: Path,
    wanted: Wanted,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    done_before: int,
) -> None:
    """It dies when so many stages are published, or have lost what was there before; then it is run again, and once
    more with nothing to do."""
    root = copied(corpus_root, tmp_path, wanted)
    flags = ["--root", str(root), *wanted.flags(tmp_path)]
    where: Any = {"publish": run_records, "retire": generations}[step]
    real, done = getattr(where, step), []

    def dying(folder: str, *args: Any) -> None:
        if len(done) == done_before:
            raise RuntimeError("killed")
        done.append(folder)
        real(folder, *args)

    with monkeypatch.context() as patched:
        patched.setattr(where, step, dying)
        with pytest.raises(RuntimeError, match="killed"):
            remove.main(flags)
    if (step, done_before) == ("publish", 0):
        assert table(root, "sample/data") == table(corpus_root, "sample/data")
    assert remove.main(flags) == 0
    assert state(root) == state(removed)
    assert remove.main(flags) == 0
    assert state(root) == state(removed)


def test_a_dry_run_changes_nothing(
    without_engine: None,
    corpus_root: Path,
    wanted: Wanted,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remove_stage, "MOST_TASKS", FEW_TASKS)
    before = {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in corpus_root.rglob("*")}
    assert remove.main(["--root", str(corpus_root), *wanted.flags(tmp_path), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"{len(wanted.ids)} documents are listed" in said and f"{len(wanted.ids)} rows of clean/documents" in said
    assert "nothing was changed" in said
    assert {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in corpus_root.rglob("*")} == before


def test_lists_that_match_nothing_have_a_record(
    without_engine: None, corpus_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    shutil.copytree(corpus_root / "extract", root / "extract")
    (tmp_path / "urls.txt").write_text("https://swa-news.example.com\n")  # a host's front page, which is not there
    before = {file: file.stat().st_mtime_ns for file in root.rglob("*.parquet")}
    assert remove.main(["--root", str(root), "--urls", str(tmp_path / "urls.txt")]) == 0
    said = capsys.readouterr().out
    assert "nothing to remove" in said and "1 addresses are a host alone" in said
    assert {file: file.stat().st_mtime_ns for file in root.rglob("*.parquet")} == before
    (file,) = (root / "removed").iterdir()
    (run,) = json.loads(file.read_text())["runs"]
    assert (run["documents"], run["rows"]) == (0, {}) and run["finished"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], ["--urls", "--hosts"]),
        (["--urls", "{at}/nowhere.txt"], ["--urls", "nowhere.txt", "no such file"]),
        (["--hosts", "{at}/nowhere.txt"], ["--hosts", "nowhere.txt", "no such file"]),
        (["--urls", "{at}/empty.txt"], ["--urls", "empty.txt", "no address"]),
        (["--hosts", "{at}/empty.txt"], ["--hosts", "empty.txt", "no host"]),
        (["--urls", "{at}/prose.txt"], ["--urls", "line 2", "'please remove my page'", "is no address"]),
        (["--hosts", "{at}/prose.txt"], ["--hosts", "prose.txt", "line 2", "please remove my page"]),
        (["--urls", "{at}/word.txt"], ["line 1", "'hello'", "is no address"]),
        (["--urls", "{at}/mail.txt"], ["'me@example.org'", "is no address"]),
        (["--urls", "{at}/star.txt"], ["line 1", "ends in *", "--hosts"]),
        (["--urls", "{at}/utf16.txt"], ["--urls", "UTF-16", "iconv"]),
        (["--urls", "{at}/good.txt", "--root", "{at}/nowhere"], ["--root", "nowhere", "no such folder"]),
        (["--urls", "{at}/good.txt", "--root", "{at}"], ["--root", "no finished stage", "name the folder"]),
        (["--urls", "{at}/good.txt", "--root", "{at}/begun"], ["unfinished extract", "finish it"]),
        (["--urls", "{at}/good.txt", "--hots", "x"], ["--hots", "did you mean --hosts?"]),
    ],
)
def test_bad_input(
    without_engine: None, tmp_path: Path, capfd: pytest.CaptureFixture[str], flags: list[str], words: list[str]
) -> None:
    lists = {"empty": "# nobody\n\n", "prose": "https://a.org/b\nplease remove my page\n", "word": "hello\n"}
    lists |= {"mail": "me@example.org", "star": "https://a.org/b/*", "good": "https://a.org/b"}
    for name, text in lists.items():
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "utf16.txt").write_text("https://a.org/b", encoding="utf-16")
    (tmp_path / "begun" / "extract").mkdir(parents=True)
    (tmp_path / "begun" / "extract" / "_building.json").write_text('{"stage_version": 2}')
    args = [flag.format(at=tmp_path) for flag in flags]
    capfd.readouterr()
    assert remove.main([*args, *([] if "--root" in flags else ["--root", str(tmp_path / "root")])]) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "Traceback" not in lines[0]
    for word in words:
        assert word in lines[0]
    assert not list(tmp_path.rglob("removed")) and not (tmp_path / "root").exists()


def test_without_indexes_it_is_the_same(
    without_engine: None,
    removed: Path,
    corpus_root: Path,
    wanted: Wanted,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A root of an older version: explain reads columns and writes nothing, remove makes the indexes first."""
    url = next(row["url"] for row in table(corpus_root, "sample/data"))
    told = []
    root = copied(corpus_root, tmp_path, wanted)
    for _ in range(2):
        capfd.readouterr()
        assert explain.main(["--root", str(root), "--url", url]) == 0
        told.append(capfd.readouterr().out)
        for keys in root.glob("*/_keys"):
            shutil.rmtree(keys)
    assert told[0] == told[1] and told[0].count("\n") > 3 and not list(root.glob("*/_keys"))
    assert remove.main(["--root", str(root), *wanted.flags(tmp_path)]) == 0
    made, known = state(root), state(removed)
    first = {f"{stage}/_keys/_origin.json" for stage in STAGES}  # which extract it was: told by the records here
    assert made == {name: said for name, said in known.items() if name not in first}
