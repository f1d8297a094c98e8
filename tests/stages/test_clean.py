"""The stage on batches, without the engine: what a document's row is, and verdicts taken again file by file."""

import json
import pickle
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import CleanConfig
from pipeline.kernels.arrow_text import from_strings
from pipeline.language.identifier import Identifier
from pipeline.quality import distributions, profiles
from pipeline.quality.rules import Decider
from pipeline.quality.signals import SIGNALS, signals
from pipeline.stages import annotate as annotating
from pipeline.stages import clean
from pipeline.store.document_table import labels_of
from pipeline.words.words import words
from pipeline.workers import guard
from schemas.clean import REASONS

ARTICLES = Path(__file__).resolve().parents[1] / "archive" / "articles"
SHIPPED = profiles.shipped()


def article(stem: str) -> str:
    return (ARTICLES / f"{stem}.txt").read_text(encoding="utf-8").strip()


def batch(*texts: str | None, **columns: list[Any]) -> pa.RecordBatch:
    given: dict[str, list[Any]] = {name: [f"{name}-{i}" for i in range(len(texts))] for name in annotating.PASSED_ON}
    given |= {"text": list(texts), "opt_out": [""] * len(texts), **columns}
    return pa.RecordBatch.from_pydict(given, schema=pa.schema([(name, pa.string()) for name in annotating.PASSED_ON]))


def annotate(*texts: str | None, config: CleanConfig | None = None, **columns: list[Any]) -> pa.RecordBatch:
    settings = config or CleanConfig()
    annotator = pickle.loads(pickle.dumps(annotating.Annotator(settings, settings.stop_words(SHIPPED))))  # to a worker
    found = annotator(batch(*texts, **columns))
    assert found.schema.equals(annotating.ANNOTATED)
    found.validate(full=True)
    return found


def decider(**config: Any) -> Decider:
    settings = CleanConfig.model_validate(config)
    return Decider(settings.chosen_rules(), settings.limits(SHIPPED))


STEMS = sorted(path.stem for path in ARTICLES.glob("*.txt"))


def test_good_articles_in_every_language_stay() -> None:
    texts = [article(stem) for stem in STEMS]
    found = annotate(*texts)
    assert found.column("text").to_pylist() == texts
    assert decider()(found).to_pylist() == [None] * len(texts)
    assert len(set(found.column("language").to_pylist())) >= 20
    named = zip(found.column("language").to_pylist(), found.column("language_share").to_pylist(), strict=True)
    assert min(share for language, share in named if language != "und") > 0.5


def test_a_row_is_what_the_parts_say_of_the_kept_text() -> None:
    text = article(STEMS[0]) + "\n\nWrite to jane.doe@mail.org or look at 8.8.8.8.\x00"
    (row,) = annotate(text).to_pylist()
    assert "<EMAIL>" in row["text"] and "jane" not in row["text"] and (row["n_emails"], row["n_ips"]) == (1, 1)
    assert "\x00" not in row["text"]
    language, script = row["language"], row["language_script"]
    alone = signals(row["text"], language, script, SHIPPED.stop_words)
    assert {name: row[name] for name in alone} == alone
    assert row["n_words"] == len(words(row["text"])) and row["stop_word_hits"] > 2
    named = Identifier().identify(pa.array([row["text"]]))
    assert {name: row[name] for name in named._fields} == {
        name: one[0].as_py() for name, one in named._asdict().items()
    }
    assert json.loads(row["top_langs"])
    assert [row[name] for name in ("id", "url", "dump")] == ["id-0", "url-0", "dump-0"]
    assert [row[name] for name in ("blocked_host", "blocked_url", "contaminated_by", "n_bad_words")] == [None] * 4


def test_rows_do_not_depend_on_their_neighbours() -> None:
    texts = [None, "", *(article(stem) for stem in STEMS[::9]), "a" * 5000, "\u0301" * 10_000, "\u202e abc"]
    together = annotate(*texts)
    assert together.num_rows == len(texts) and annotate().num_rows == 0
    for place, text in enumerate(texts):
        alone = annotate(text).to_pylist()[0] | {
            name: f"{name}-{place}" for name in ("id", "url", "date", "dump", "file_path")
        }
        assert alone == together.slice(place, 1).to_pylist()[0]
    assert decider()(together).to_pylist()[:2] == ["empty", "empty"]


def test_bytes_that_are_no_utf_8() -> None:
    text = pa.array([b"broken \xff\xed\xa0\x80 here", None], pa.binary())
    buffers = text.buffers()
    raw = pa.Array.from_buffers(pa.string(), 2, buffers)
    given = batch("x", "y")
    given = given.set_column(given.schema.get_field_index("text"), "text", raw)
    found = annotating.Annotator(CleanConfig(), {})(given).column("text").to_pylist()
    assert found[0].startswith("broken \ufffd") and found[0].endswith(" here") and found[1] == ""


HOSTILE = {
    "empty": "",
    "white space": " \n\t\u3000\n",
    "one line of 5 MB": "the quick brown fox jumps over the lazy dog and runs " * 100_000,
    "one word of 1 MB": "abcdefghij" * 100_000,
    "10,000 combining marks": "a" + "\u0301\u0323" * 5_000 + " b",
    "marks alone": "\u0e31" * 10_000,
    "NUL bytes": "be\x00fore\x00\x00 after",
    "right-to-left overrides": "\u202egnitirw siht\u202c \u202e" * 1_000 + "end",
    "nested embeddings": "\u202b" * 5_000 + "שלום",
    "line breaks": "\n" * 100_000,
    "signs": "#.…-•{}" * 20_000,
    "at signs": "a@" * 50_000,
    "digits": "0123456789 " * 20_000,
    "Han in one line": "字" * 300_000,
    "Thai in one line": "กิ่" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_get_values_and_a_verdict(name: str) -> None:
    annotate("warm up: kernels are compiled now")
    began = time.process_time()
    found = annotate(HOSTILE[name])
    (row,) = found.to_pylist()
    assert time.process_time() - began < 30
    assert not set("\x00\u202e") & set(row["text"])
    assert all(row[signal] is None or row[signal] >= 0 for signal, _, _ in SIGNALS)
    assert decider()(found).to_pylist() != [None]


def test_lone_surrogates_are_no_error() -> None:
    raw = from_strings(["a\ud800b words", "pair \ud83d\ude00"])
    given = batch("x", "y").set_column(1, pa.field("text", pa.large_string()), raw)
    found = annotating.Annotator(CleanConfig(), {})(given).column("text").to_pylist()
    assert all("\ud800" not in text and text.encode() for text in found)


def test_only_the_kinds_asked_for_are_masked() -> None:
    text = "Write to jane.doe@mail.org or look at 8.8.8.8 today."
    (row,) = annotate(text, config=CleanConfig(mask=("ip",))).to_pylist()
    assert (row["n_emails"], row["n_ips"]) == (0, 1) and "jane.doe@mail.org" in row["text"]
    (row,) = annotate(text, config=CleanConfig(mask=())).to_pylist()
    assert row["text"] == text


def test_lists_of_the_user(tmp_path: Path) -> None:
    """Hosts, addresses, words and evaluation files become columns, the columns reasons."""
    texts = [article(stem) for stem in ("eng", "deu")]
    (tmp_path / "hosts.txt").write_text("bad.example\n# comment\n")
    (tmp_path / "urls.txt").write_text("good.example/away\n")
    (tmp_path / "items.txt").write_text(" ".join(words(texts[1])[10:30]) + "\n")
    english = "The reading room was closed on Monday because somebody said a darned word in it, and the readers left."
    (tmp_path / "eng.txt").write_text("darned\n")
    config = CleanConfig.model_validate(
        {
            "block_lists": [str(tmp_path / "hosts.txt"), f"mine={tmp_path / 'urls.txt'}"],
            "bad_words": [str(tmp_path / "eng.txt")],
            "decontaminate": {"sources": [f"exam={tmp_path / 'items.txt'}"]},
            "presets": ["none"],
        }
    )
    urls = ["http://www.bad.example/x", "https://good.example/away/1", "https://good.example/", None]
    found = annotate(texts[0], texts[0], texts[1], english, config=config, url=urls)
    rows = found.to_pylist()
    assert [row["blocked_host"] for row in rows] == ["hosts", None, None, None]
    assert [row["blocked_url"] for row in rows] == [None, "mine", None, None]
    assert [row["contaminated_by"] for row in rows] == [None, None, "exam", None]
    assert rows[3]["language"] == "eng" and rows[3]["n_bad_words"] == 1
    verdicts = Decider(config.chosen_rules(), config.limits(SHIPPED))(found).to_pylist()
    assert verdicts == ["blocked:host", "blocked:url", "contaminated", "bad_words"]
    lines = annotating.Annotator(config, {}).summary()
    assert [line.split(":")[0] for line in lines] == ["block lists", "bad words", "decontaminate"]
    assert "hosts" in lines[0] and "eng" in lines[1] and "exam" in lines[2]


BAD = "This text breaks whatever it is given to. \ufeff"


def breaking(real: Callable[..., Any]) -> Callable[..., Any]:
    """The function, but for the bad text, alone or in a column of texts."""

    def broken(*given: Any, **named: Any) -> Any:
        if "breaks whatever" in str(given[0]):
            raise ValueError("planted")
        return real(*given, **named)

    return broken


class Unhappy:
    """An object of which a method breaks."""

    def __init__(self, real: Any, method: str) -> None:
        self._real, self._method = real, method

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._real, name)
        return breaking(getattr(self._real, name))


def plant(patch: pytest.MonkeyPatch, annotator: annotating.Annotator, step: str) -> None:
    """A fault in the step, for the bad text alone."""
    functions = {"repair": "repair_column", "masks": "mask", "words": "words_of", "signals": "signal_columns"}
    if name := functions.get(step):
        patch.setattr(annotating, name, breaking(getattr(annotating, name)))
    elif step == "language":
        identifier = Identifier()
        patch.setattr(annotating, "_identifier", lambda *_: Unhappy(identifier, "identify"))
    elif step == "lists":
        patch.setattr(annotator, "_block_lists", Unhappy(annotator._block_lists, "match"))
    elif step == "scores":
        patch.setattr(annotator, "_classifiers", ((("edu", "edu.ftz"),), ()))
        patch.setattr(annotating, "_classifiers", lambda *_: Unhappy(SimpleNamespace(score=lambda *_: {}), "score"))
    else:
        real = annotator._contamination
        assert real is not None
        n_words = len(words(BAD))

        def flag(found: Any) -> Any:
            if n_words in np.diff(found.offsets):
                raise ValueError("planted")
            return real.flag(found)

        patch.setattr(annotator, "_contamination", SimpleNamespace(flag=flag))


STEPS = [reason.partition(":")[2] for reason in REASONS if reason.startswith("failed:") and reason != "failed:unknown"]


def cleaned(
    batches: Iterable[pa.RecordBatch], annotator: annotating.Annotator, decide: Decider, text_seconds: float
) -> list[pa.RecordBatch]:
    with clean.guarded(annotator, text_seconds) as guarding:
        return [clean.cleaned(guarding, rows, decide) for rows in batches]


@pytest.mark.parametrize("step", STEPS)
def test_a_text_that_a_step_fails_on_is_a_row_with_a_reason(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of all languages; the others' rows are what they are without it."""
    (tmp_path / "hosts.txt").write_text("bad.example\n")
    (tmp_path / "items.txt").write_text(" ".join(words(article("eng"))[10:30]) + "\n")
    config = CleanConfig.model_validate(
        {
            "block_lists": [str(tmp_path / "hosts.txt")],
            "decontaminate": {"sources": [f"exam={tmp_path / 'items.txt'}"]},
        }
    )
    annotator = annotating.Annotator(config, config.stop_words(SHIPPED))
    texts = [article(stem) for stem in STEMS]
    urls = [f"https://ok.example/{n}" for n in range(len(texts))]
    decide = Decider(config.chosen_rules(), config.limits(SHIPPED))
    given = batch(*texts, url=urls)
    without = pa.Table.from_batches(cleaned([given], annotator, decide, 10)).to_pylist()
    bad = batch(BAD, id=["bad"], url=["https://ok.example/breaks whatever"])
    mixed = pa.Table.from_batches([given.slice(0, 7), bad, given.slice(7)]).combine_chunks().to_batches()
    plant(monkeypatch, annotator, step)
    monkeypatch.setattr(guard, "_logged", 0)
    found = pa.Table.from_batches(cleaned(mixed, annotator, decide, 10))
    assert found.schema.equals(clean.CLEANED)
    rows = found.to_pylist()
    row = rows.pop(7)
    known = {"id": "bad", "url": "https://ok.example/breaks whatever", "text": BAD, "drop_reason": f"failed:{step}"}
    assert {name: row[name] for name in known} == known
    assert {row[name] for name, _, _ in SIGNALS} == {row["language"]} == {None}
    assert rows == without
    (line,) = [record.getMessage() for record in caplog.records]
    assert f"failed:{step}, bad: ValueError: planted (" in line and "test_clean.py" in line


def test_a_text_that_runs_away_in_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """No handler of Python's ends it."""
    real = annotating.words_of

    def words_of(texts: pa.Array) -> Any:
        if "breaks whatever" in str(texts):
            spin(1)
        return real(texts)

    spin(0)
    monkeypatch.setattr(annotating, "words_of", words_of)
    texts = [article("eng"), BAD, article("tha")]
    found = pa.Table.from_batches(cleaned([batch(*texts)], annotating.Annotator(CleanConfig(), {}), decider(), 0.5))
    assert found["drop_reason"].to_pylist() == [None, "failed:words", None]


@numba.njit(nogil=True)
def spin(number: int) -> int:
    while number > 0:
        number = number + 1 if number < 1000 else number - 1
    return number


def test_a_fault_of_every_text_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the text that is tried first gets through."""
    monkeypatch.setattr(annotating, "mask", breaking(annotating.mask))
    with pytest.raises(ValueError, match="planted") as raised:
        list(cleaned([batch(*[BAD] * 40)], annotating.Annotator(CleanConfig(), {}), decider(), 10))
    assert any("no text's fault" in note for note in raised.value.__notes__)


def test_a_failed_row_stays_so_when_verdicts_are_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotating, "mask", breaking(annotating.mask))
    texts = [*(article(stem) for stem in STEMS[:20]), BAD]
    table = pa.Table.from_batches(cleaned([batch(*texts)], annotating.Annotator(CleanConfig(), {}), decider(), 10))
    (tmp_path / "old").mkdir()
    pq.write_table(table, tmp_path / "old/a.parquet", row_group_size=16, compression="zstd")
    strict = decider(min_words=100_000, max_words=200_000)
    found = decided_again(tmp_path / "old/a.parquet", tmp_path / "new", strict)
    assert found[-1] == "failed:masks" and set(found[:-1]) == {"gopher_quality:too_few_words"}


def decided_again(source: Path, target: Path, decide: Decider) -> list[str | None]:
    """The verdicts beside the file; those in it where none was written."""
    judged = clean.decide_again(in_this_process, {source.name: str(source)}, {}, str(target), decide, str(target))
    if not judged.files:
        assert not target.exists()
        return pq.read_table(source, columns=["drop_reason"])["drop_reason"].to_pylist()
    written = pq.ParquetFile(target / source.name)
    assert written.schema_arrow.names == ["drop_reason"]
    own = pq.ParquetFile(source)
    assert [written.metadata.row_group(n).num_rows for n in range(written.num_row_groups)] == [
        own.metadata.row_group(n).num_rows for n in range(own.num_row_groups)
    ]
    return written.read()["drop_reason"].to_pylist()


def in_this_process(function, items, /, step=None):
    """A TaskRunner without workers."""
    return [function(item) for item in items]


def test_a_finished_file_is_decided_again_without_its_texts(tmp_path: Path) -> None:
    texts = [article(stem) for stem in STEMS[:40]]
    annotated = annotate(*texts)
    whole = pa.RecordBatch.from_arrays([*annotated.columns, decider()(annotated)], schema=clean.CLEANED)
    source, target = tmp_path / "old" / "a.parquet", tmp_path / "new"
    source.parent.mkdir()
    pq.write_table(pa.Table.from_batches([whole]), source, row_group_size=16, compression="zstd")
    data, file = bytearray(source.read_bytes()), pq.ParquetFile(source)
    for group in range(file.num_row_groups):
        chunk = file.metadata.row_group(group).column(clean.CLEANED.names.index("text"))
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        data[start : start + chunk.total_compressed_size] = b"\x55" * chunk.total_compressed_size
    source.write_bytes(data)
    strict = decider(min_words=700)
    found = decided_again(source, target, strict)
    assert found == strict(annotated).to_pylist()
    assert 0 < found.count(None) < len(texts)
    assert decided_again(source, tmp_path / "same", decider()) == decider()(annotated).to_pylist()
    assert not (tmp_path / "same").exists()  # nothing has changed


@pytest.mark.parametrize(("tasks", "tallies", "answer"), [(1, 64, 1 << 20), (2, 1, 0), (4096, 2, 100), (4096, 64, 0)])
def test_distributions_of_any_division_into_tasks(
    tasks: int, tallies: int, answer: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a task has, how many tallies are added up at once, and whether they go through files."""
    monkeypatch.setattr(clean, "MOST_TASKS", tasks)
    monkeypatch.setattr(clean, "TALLIES_A_TASK", tallies)
    monkeypatch.setattr(distributions, "ANSWER_BYTES", answer)
    annotated, strict = annotate(*(article(stem) for stem in STEMS)), decider(min_words=300)
    whole = pa.RecordBatch.from_arrays([*annotated.columns, decider()(annotated)], schema=clean.CLEANED)
    for at in range(0, len(STEMS), 9):
        pq.write_table(pa.Table.from_batches([whole.slice(at, 9)]), tmp_path / f"{at}.parquet", row_group_size=4)
    files = {path.name: str(path) for path in tmp_path.glob("*.parquet")}
    places = {name: str(tmp_path / name) for name in ("new", "scratch")}
    judged = clean.decide_again(in_this_process, files, {}, places["new"], strict, places["scratch"])
    found = clean.distributions(in_this_process, judged, strict, places["scratch"])
    once, labels, verdicts = distributions.Tally(), labels_of(whole), strict(annotated)
    once.add(whole, labels, verdicts)
    assert found == distributions.distributions(once, Counter(labels), strict.bounds)
    assert {one["language"] for one in found} >= {"", "tha_Thai", "khm_Khmr", "amh_Ethi", "heb_Hebr", "kat_Geor"}
    assert (tmp_path / "scratch").exists() == (answer < 1 << 20)


def test_a_file_without_rows(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    pq.write_table(clean.CLEANED.empty_table(), tmp_path / "old/a.parquet")
    assert decided_again(tmp_path / "old/a.parquet", tmp_path / "new", decider()) == []


@pytest.mark.parametrize("name", ["text", "id"])
def test_the_verdict_reads_no_text(name: str) -> None:
    assert name not in decider(presets=["gopher", "fineweb2", "c4"]).columns
    assert clean.CLEANED.names[-1] == "drop_reason"
