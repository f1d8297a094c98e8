"""jobs/clean.py as a user runs it: what a second run does again, and that a new verdict needs no text."""

import itertools
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.errors import PythonException
from stage_tables import files, small, table

from jobs import clean, explain, report
from pipeline.config import CleanConfig
from pipeline.language.model_files import embedded_model
from pipeline.quality import profiles
from pipeline.spark.session import LazySession
from pipeline.spark.sources import stage_source
from pipeline.stages import clean as stage
from pipeline.store.document_table import rows_of
from pipeline.workers.expendable import enter
from schemas.records import unbalanced

TABLE = "clean/documents"
STRICT = ["--max-top-2gram-char-share", "0.03", "--rules", '{"long": "n_words > 250 and known(language_score)"}']


def rows(root: Path) -> list[dict[str, Any]]:
    return sorted(table(root, "clean/documents"), key=lambda row: str(row["id"]))


def reasons(root: Path) -> dict[str, str | None]:
    """As the next stage sees them, without a look at texts."""
    given = stage_source(str(root), "dedup").table()._replace(kept_only=False)
    return {
        row["id"]: row["drop_reason"]
        for split in given.files.splits
        for batch in rows_of(given, split, ["id", "drop_reason"])
        for row in batch.to_pylist()
    }


def annotated(root: Path) -> list[dict[str, Any]]:
    """The rows that are kept, as the next stage sees them, but for their texts."""
    given = stage_source(str(root), "dedup").table()
    columns = [name for name in given.files.schema.names if name not in ("text", "drop_reason")]
    kept = [
        row for split in given.files.splits for batch in rows_of(given, split, columns) for row in batch.to_pylist()
    ]
    return sorted(kept, key=lambda row: str(row["id"]))


def record(root: Path) -> dict[str, Any]:
    return dict(small(root, "clean/_run.json"))


@pytest.fixture
def root(corpus_root: Path, tmp_path: Path, without_engine: None) -> Path:
    """A corpus of its own, with extract and clean finished."""
    for stage_name in ("extract", "clean"):
        shutil.copytree(corpus_root / stage_name, tmp_path / "root" / stage_name)
    return tmp_path / "root"


def ruin_texts(root: Path) -> int:
    """Overwrites every byte of every text column of clean and of extract; answers how many."""
    ruined = 0
    for file in [*root.glob("clean/documents/*.parquet"), *root.glob("extract/documents/*.parquet")]:
        (file.parent / f".{file.name}.crc").unlink(missing_ok=True)
        with pq.ParquetFile(file) as opened:
            metadata, column = opened.metadata, opened.schema_arrow.names.index("text")
        with open(file, "r+b") as raw:
            for group in range(metadata.num_row_groups):
                chunk = metadata.row_group(group).column(column)
                start = chunk.dictionary_page_offset or chunk.data_page_offset
                raw.seek(start)
                raw.write(b"\x55" * chunk.total_compressed_size)
                ruined += chunk.total_compressed_size
        with pytest.raises((OSError, ValueError)):
            pq.read_table(file, columns=["text"])
    return ruined


def test_a_new_threshold_reads_no_text(
    corpus_root: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the texts in ruins, other thresholds and rules give what a whole run with them gives; verdicts are
    written and nothing else."""
    assert ruin_texts(root) > 50_000
    before = {name: small(root, f"clean/{name}") for name in ("_ledger.json", "_examples.json")}
    there = {path: path.stat().st_mtime_ns for path in root.rglob("*.parquet")}
    assert clean.main(["--root", str(root), *STRICT]) == 0
    said = capsys.readouterr().out
    counts = small(root, "clean/_ledger.json")["dropped"]
    told = re.search(r"^clean +dropped: \S+ (\d+), ", said, re.MULTILINE)
    assert told and int(told[1]) == max(counts.values())
    assert f", and {len(counts) - 3} more reasons\n" in said
    fresh = tmp_path / "fresh"
    shutil.copytree(corpus_root / "extract", fresh / "extract")
    assert clean.main(["--root", str(fresh), *STRICT]) == 0
    assert reasons(root) == reasons(fresh)
    dropped = {reason for reason in reasons(root).values() if reason}
    assert {"gopher_repetition:top_2gram", "rule:long"} <= dropped
    ledgers = [small(one, "clean/_ledger.json") for one in (root, fresh)]
    assert ledgers[0] == ledgers[1] != before["_ledger.json"] and unbalanced(ledgers[0]) == 0
    assert record(root) == record(fresh)
    assert small(root, "clean/_distributions.json") == small(fresh, "clean/_distributions.json")
    assert annotated(root) == annotated(fresh)
    written = {path for path in root.rglob("*.parquet") if there.pop(path, None) != path.stat().st_mtime_ns}
    assert written and not there
    assert all(path.parent == root / "clean" / "g2" / "verdicts" for path in written)
    # examples show the texts that the earlier run showed
    known = {one["id"]: one["text"] for one in before["_examples.json"]}
    shown = small(root, "clean/_examples.json")
    assert [one["id"] for one in shown] == [one["id"] for one in small(fresh, "clean/_examples.json")]
    assert all(one["text"] == known.get(one["id"], "") for one in shown)
    assert any(one["text"] for one in shown) and any(not one["text"] for one in shown)
    capsys.readouterr()
    assert report.main(["--root", str(root)]) == 0
    page = (root / "report.html").read_text()
    assert "text not read" in page and "n_words &gt; 250" in page


def test_distributions_are_of_the_written_table(corpus_root: Path) -> None:
    """Each document that has a signal is in its histogram once, kept or dropped, between the right edges."""
    found, documents = small(corpus_root, "clean/_distributions.json"), rows(corpus_root)
    assert {one["language"] for one in found} >= {"", "eng_Latn", "cmn_Hani", "tha_Thai", "arb_Arab"}
    for one in found:
        here = [
            row for row in documents
            if one["language"] in ("", f"{row['language']}_{row['language_script']}") and row[one["signal"]] is not None
        ]  # fmt: skip
        edges = one["histogram"]["edges"]
        for name in ("kept", "dropped"):
            values = [row[one["signal"]] for row in here if (row["drop_reason"] is None) == (name == "kept")]
            ends = [-np.inf, *edges[1:-1], np.inf]
            expected = [sum(low <= value < high for value in values) for low, high in itertools.pairwise(ends)]
            assert one["histogram"][name] == expected, (one["signal"], one["language"])


def picky() -> type[stage.Annotator]:
    """Fails on some pages. Of no module that a worker could import, so that it goes there as it is."""

    class Picky(stage.Annotator):
        host = "eng-news.example.com/1"

        def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
            enter("signals")
            if any(self.host in (url or "") for url in batch.column("url").to_pylist()):
                raise ValueError("planted")
            return super().__call__(batch)

    return Picky


def test_a_page_that_a_step_fails_on(
    corpus_root: Path, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told of, counted, explained, and stays so with other thresholds; the report shows no text of it."""
    address = "https://eng-news.example.com/1"
    (given,) = [row for row in rows(corpus_root) if row["url"] == address]
    shutil.rmtree(root / "clean")
    with monkeypatch.context() as patch:
        patch.setattr(clean, "Annotator", picky())
        assert clean.main(["--root", str(root)]) == 0
    ledger = small(root, "clean/_ledger.json")
    n_failed = ledger["dropped"]["failed:signals"]
    assert unbalanced(ledger) == 0 and n_failed == sum(
        "eng-news.example.com/1" in row["url"] for row in rows(corpus_root)
    )
    assert f"clean    {n_failed} of {ledger['rows_in']} texts failed (signals {n_failed})" in capsys.readouterr().out
    (row,) = [row for row in rows(root) if row["url"] == address]
    assert (row["id"], row["drop_reason"], row["language"]) == (given["id"], "failed:signals", None)
    assert row["text"] and len(rows(root)) == len(rows(corpus_root))
    assert clean.main(["--root", str(root), *STRICT]) == 0
    assert small(root, "clean/_ledger.json")["dropped"]["failed:signals"] == n_failed
    shown = [one for one in small(root, "clean/_examples.json") if one["reason"] == "failed:signals"]
    assert shown and not any(one["text"] for one in shown)
    capsys.readouterr()
    assert explain.main(["--root", str(root), "--url", address]) == 0
    assert "clean: dropped, failed:signals: a signal could not be measured" in capsys.readouterr().out
    assert report.main(["--root", str(root)]) == 0
    assert "failed:signals" in (root / "report.html").read_text()


def test_when_too_many_fail_it_is_a_bug(spark: object, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the engine's tasks."""
    monkeypatch.setattr(LazySession, "local_cores", lambda _: None)
    broken = picky()
    broken.host = "example"  # type: ignore[attr-defined]
    monkeypatch.setattr(clean, "Annotator", broken)
    shutil.rmtree(root / "clean")
    with pytest.raises(PythonException, match="planted"):
        clean.main(["--root", str(root)])
    assert not (root / "clean").exists()


def test_again_and_back_are_as_before(corpus_root: Path, root: Path) -> None:
    """Verdicts of verdicts: those that do not hold go, and the first settings give the first table."""
    first, beside = rows(root), []
    for flags in (STRICT, [], ["--min-words", "9999"], [*STRICT, "--min-words", "9999"], []):
        assert clean.main(["--root", str(root), *flags]) == 0
        beside.append(len(list(root.rglob("verdicts/*.parquet"))))
    assert rows(root) == first == rows(corpus_root)
    assert beside[1] == beside[4] == 0 < min(beside[0], beside[2], beside[3]) <= max(beside) <= len(files(root, TABLE))
    assert record(root)["fingerprint"] == record(corpus_root)["fingerprint"]


def test_what_is_made_again_by_what_changes(tmp_path: Path) -> None:
    """Thresholds, rules, profiles: the verdict. Stop words, masks, lists: the annotations."""
    (tmp_path / "mine.toml").write_text("[by_language.eng]\nmin_words = 7\n")
    (tmp_path / "hosts.txt").write_text("bad.example.com\n")
    (tmp_path / "exam.txt").write_text("One two three four.\n")
    model = tmp_path / "other.ftz"
    model.write_bytes(embedded_model().read_bytes() + b"\0")  # what follows a model is not read
    shutil.copy(profiles.SHIPPED, tmp_path / "same.toml")
    with open(tmp_path / "same.toml", "a") as file:
        file.write("[by_language.qaa_Latn]\nmin_words = 7\n")

    def record_with(**config: Any) -> Any:
        settings = clean._absolute(CleanConfig.model_validate(config))
        known = profiles.load(settings.thresholds, settings.threshold_names())
        return clean.record_of(settings, known, {"extract": "1"})

    exam: dict[str, Any] = {"decontaminate": {"sources": [f"exam={tmp_path / 'exam.txt'}"]}}
    plain = record_with()
    assert record_with() == plain and plain["config"]["by_language"] == {}
    assert clean.annotations(record_with(model=str(embedded_model()))) == clean.annotations(plain)  # the same file
    verdicts: list[dict[str, Any]] = [
        {"min_words": 50},  # said: it goes over the profiles
        {"presets": ["gopher", "c4"]},
        {"undetermined": "drop"},
        {"opt_out": []},
        {"languages": ["eng"]},
        {"rules": {"few": "n_words < 3"}},
        {"by_language": {"eng": {"min_words": 5}}},
        {"thresholds": str(tmp_path / "same.toml")},
    ]
    texts: list[dict[str, Any]] = [
        {"by_language": {"eng": {"stop_words": ["the"]}}},
        {"thresholds": str(tmp_path / "mine.toml")},  # without stop words
        {"mask": ["email"]},
        {"block_lists": [str(tmp_path / "hosts.txt")]},
        {"bad_words": [str(tmp_path / "hosts.txt")]},
        {"model": str(model)},
        exam,
    ]
    for config in verdicts + texts:
        other = record_with(**config)
        assert other["fingerprint"] != plain["fingerprint"], config
        assert (clean.annotations(other) == clean.annotations(plain)) == (config in verdicts), config
    before = record_with(**exam)
    assert clean.annotations(record_with(**exam, max_words=99)) == clean.annotations(before)
    (tmp_path / "exam.txt").write_text("Five six seven eight.\n")  # the content counts, not the name
    assert clean.annotations(record_with(**exam)) != clean.annotations(before)
    assert record_with(max_words=99)["config"]["for_all_languages"] == ["max_words"]
    assert len(plain["inputs"]["thresholds"]) == 64


def test_lists_are_read_for_annotations_only(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []
    for place, name in ((stage, "decide_again"), (stage, "clean"), (clean, "Annotator")):
        real = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *given, real=real, name=name: (done.append(name), real(*given))[1])
    exam = tmp_path / "exam.txt"
    exam.write_text(" ".join(next(row["text"] for row in rows(root) if row["language"] == "deu").split()[5:40]))
    flags = ["--root", str(root), "--decontaminate.sources", f"exam={exam}"]
    assert clean.main(flags) == 0
    assert "decontaminate: exam: 1 items" in capsys.readouterr().out
    assert "contaminated" in set(reasons(root).values())
    assert clean.main([*flags, "--rules", '{"contaminated": "off"}']) == 0
    assert "contaminated" not in set(reasons(root).values())
    assert clean.main([*flags, "--rules", '{"contaminated": "off"}']) == 0
    assert done == ["Annotator", "clean", "decide_again"]
    assert "up to date" in capsys.readouterr().out


def test_fineweb_2_s_thresholds_in_a_run(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / "eng_Latn.yml").write_text("max_avg_word_length: 2\nstopwords: [the, of, and]\n")
    assert clean.main(["--root", str(root), "--thresholds", str(folder)]) == 0
    long_words = {row["language"] for row in rows(root) if row["drop_reason"] == "gopher_quality:long_words"}
    assert long_words == {"eng"}
    assert {row["language"] for row in rows(root) if row["stop_word_hits"] is not None} == {"eng"}
    assert len(record(root)["inputs"]["thresholds"]) == 64


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--thresholds", "nowhere.toml"], ["nowhere.toml", "no such file"]),
        (["--rules", '{"few": "n_wrods < 3"}'], ["rules.few", "did you mean n_words?"]),
        (["--block-lists", "nowhere.txt"], ["[clean] block_lists", "nowhere.txt", "no such file"]),
        (["--bad-words", "nowhere"], ["[clean] bad_words", "nowhere"]),
        (["--decontaminate.sources", "exam=nowhere.jsonl"], ["[clean] decontaminate", "nowhere.jsonl"]),
        (["--decontaminate.sources", "{binary}"], ["binary.txt", "UTF-16"]),
        (["--model", "nowhere.bin"], ["nowhere.bin"]),
    ],
)
def test_one_line_and_nothing_left_behind(
    root: Path, tmp_path: Path, flags: list[str], words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "binary.txt").write_bytes("Größe\n".encode("utf-16"))
    before = record(root)
    assert (
        clean.main(["--root", str(root), *(flag.replace("{binary}", str(tmp_path / "binary.txt")) for flag in flags)])
        == 2
    )
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and [word for word in words if word not in lines[0]] == [], lines
    assert record(root) == before and sorted(os.listdir(root)) == ["clean", "extract"]
