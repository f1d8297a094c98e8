"""The benchmark of dedup: its texts are what they say, its truth is true, and its scores count every pair."""

import json
import random
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pytest
from bench import dedup, near_copies, planted_table, watched
from bench.cluster_score import SLACK, Truth, components, score
from bench.near_copies import EDITS, shingles
from bench.planted_table import PAIRS, Plan
from bench.zipf_texts import LANGUAGES, Tongue, capital, draw_lengths, vocabulary
from programs import QUICK

from pipeline.exit_status import run_to_exit_status
from pipeline.words.scripts import main_script
from pipeline.words.words import is_spaced, words
from schemas.errors import UserError

NAMES = [one.code for one in LANGUAGES]
PLAN = Plan(1_500, words=200, seed=3, template=60, template_jaccard=0.85)


@pytest.fixture(scope="module")
def tongue() -> Tongue:
    return Tongue()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    planted_table.make(folder, PLAN)
    return folder


def read(folder: Path) -> pa.Table:
    return pa.dataset.dataset(folder / "texts", format="parquet").to_table()


def text_jaccard(one: str, other: str) -> float:
    """As wanyu splits words, and as nothing of the benchmark does."""
    a, b = ({tuple(found[i : i + 5]) for i in range(len(found) - 4)} for found in (words(one), words(other)))
    return len(a & b) / len(a | b)


@pytest.mark.parametrize("language", range(len(LANGUAGES)), ids=NAMES)
def test_texts_have_the_words_that_were_drawn(tongue: Tongue, language: int) -> None:
    """Whatever case and punctuation, which are drawn anew, and differ."""
    of, known = LANGUAGES[language], vocabulary(language)
    assert of.spaced == is_spaced(of.script) and len(known) == tongue.sizes[language] == len(set(known))
    rng = np.random.default_rng(language)
    lengths = np.array([1, 7, 400, 2000])
    drawn = tongue.draw(rng, np.full(lengths.sum(), language))
    one, other = (tongue.write(rng, drawn, lengths, np.full(4, language)).to_pylist() for _ in range(2))
    ends = np.cumsum(lengths)
    for text, again, begin, end in zip(one, other, ends - lengths, ends, strict=True):
        said = [known[number - tongue.base[language]] for number in drawn[begin:end]]
        assert words(text) == words(again) == said
        assert main_script(text) == of.script
    assert one[3] != other[3]
    if of.script in ("Latn", "Cyrl"):
        assert sum(character.isupper() for character in one[3]) > 50


def test_every_word_is_one_word() -> None:
    for language in range(len(LANGUAGES)):
        known = vocabulary(language)
        assert words("\n".join(known)) == list(known)
        assert words("\n".join(map(capital, known))) == list(known)
    assert capital("ılık") == "ılık" and capital("iyi") == "Iyi" and capital("şey") == "Şey"


def test_draws_follow_zipf_and_lengths_their_mean(tongue: Tongue) -> None:
    rng = np.random.default_rng(0)
    for language in range(len(LANGUAGES)):
        counts = np.bincount(tongue.draw(rng, np.full(200_000, language)) - tongue.base[language])
        size = tongue.sizes[language]
        assert len(counts) <= size
        for rank in (0, 1, 9):
            expected = np.log((rank + 2) / (rank + 1)) / np.log(size + 1)
            assert abs(counts[rank] / 200_000 - expected) < 0.1 * expected, LANGUAGES[language].code
    lengths = draw_lengths(rng, 20_000, 500)
    assert 480 < lengths.mean() < 520 and lengths.min() >= 100 and lengths.max() <= 2000 and lengths.std() > 200


def test_jaccard_by_hand() -> None:
    one, other = shingles(np.array([1, 2, 3, 4, 5, 6])), shingles(np.array([1, 2, 3, 4, 5, 7]))
    assert one == {(1, 2, 3, 4, 5), (2, 3, 4, 5, 6)}
    assert near_copies.jaccard(one, other) == 1 / 3 and near_copies.jaccard(one, one) == 1
    assert shingles(np.array([1, 2])) == {(1, 2)}


@pytest.mark.parametrize("kind", EDITS)
@pytest.mark.parametrize("target", [0.3, 0.5, 0.7, 0.8, 0.9, 0.95])
def test_copies_come_near_their_target(kind: str, target: float) -> None:
    rng = np.random.default_rng(7)
    for n in (100, 500, 2000):
        base = np.arange(n)
        copy = near_copies.near_copy(rng, base, kind, target, lambda k: rng.integers(10_000, 40_000, k))
        found = near_copies.jaccard(shingles(base), shingles(copy))
        assert abs(found - target) < 0.5 * 10 / n + 0.001, (n, found)
        assert {"replace": len(copy) == n, "insert": len(copy) > n, "delete": len(copy) < n}[kind]


@pytest.mark.parametrize("documents", [0, 1, 2, 3, 4, 5, 7, 30, 1000])
def test_families_use_all_documents(documents: int) -> None:
    for seed in range(20):
        sizes = near_copies.family_sizes(np.random.default_rng(seed), documents)
        assert sizes.sum() == (documents if documents > 1 else 0) and (sizes >= 2).all()


def test_stated_similarity_is_that_of_the_texts(table: Path) -> None:
    texts = dict(zip(*(read(table)[name].to_pylist() for name in ("id", "text")), strict=True))
    assert len(texts) == PLAN.documents
    pairs = pa.parquet.read_table(table / "pairs.parquet").to_pylist()
    assert len(pairs) > 400 and sum(pair["kind"] == "template" for pair in pairs) == PLAN.template - 1
    low, high, same = 0, 0, 0
    for pair in pairs:
        assert pair["jaccard"] == text_jaccard(texts[pair["a"]], texts[pair["b"]])
        low, high, same = low + (pair["jaccard"] < 0.6), high + (pair["jaccard"] > 0.8), same + (pair["jaccard"] == 1)
        if pair["kind"] == "template":
            assert abs(pair["jaccard"] - PLAN.template_jaccard) < 0.03
        if pair["jaccard"] == 1:
            assert texts[pair["a"]] != texts[pair["b"]]
    assert min(low, high, same) > 30


def test_texts_that_are_not_planted_are_strangers(table: Path) -> None:
    """In scripts of few characters too."""
    rows = read(table)
    pairs = pa.parquet.read_table(table / "pairs.parquet")
    planted = {*pairs["a"].to_pylist(), *pairs["b"].to_pylist()}
    by_script: dict[str, list[set[tuple[str, ...]]]] = {}
    for name, text, script in zip(*(rows[of].to_pylist() for of in ("id", "text", "language_script")), strict=True):
        if name not in planted:
            found = words(text)
            by_script.setdefault(script, []).append(set(zip(*(found[i:] for i in range(5)), strict=False)))
    assert set(by_script) == {one.script for one in LANGUAGES}
    for script, texts in by_script.items():
        assert max(len(a & b) / len(a | b) for a, b in combinations(texts[:60], 2)) < 0.1, script


def test_rows_do_not_tell_families(table: Path) -> None:
    rows = read(table)
    assert rows.schema.equals(planted_table.TEXTS) and all(column.null_count == 0 for column in rows.columns)
    ids = rows["id"].to_pylist()
    assert len(set(ids)) == PLAN.documents and all(len(name) == 20 for name in ids)
    row = {name: i for i, name in enumerate(ids)}
    rank = {name: i for i, name in enumerate(sorted(ids))}
    pairs = pa.parquet.read_table(table / "pairs.parquet").to_pylist()
    for place in (row, rank):  # two at random lie a third of all apart
        apart = [abs(place[pair["a"]] - place[pair["b"]]) for pair in pairs]
        assert 0.28 < np.mean(apart) / PLAN.documents < 0.39


def test_the_same_plan_is_the_same_table(table: Path, tmp_path: Path) -> None:
    def stored(folder: Path) -> dict[str, bytes]:
        return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    planted_table.make(tmp_path, PLAN)
    assert stored(tmp_path) == stored(table)
    part = tmp_path / "texts" / "part-00000.parquet"
    before = part.stat().st_mtime_ns
    planted_table.make(tmp_path, PLAN)
    assert part.stat().st_mtime_ns == before
    planted_table.make(tmp_path, PLAN._replace(seed=4))
    assert not {*read(tmp_path)["text"].to_pylist()} & {*read(table)["text"].to_pylist()}


def test_many_rows_go_to_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planted_table, "GROUP", 100)
    monkeypatch.setattr(planted_table, "FILE_BYTES", 50_000)
    planted_table.make(tmp_path, Plan(1_000, words=50, share=0))
    files = sorted((tmp_path / "texts").iterdir())
    assert len(files) > 2 and len(set(read(tmp_path)["id"].to_pylist())) == 1_000
    assert pa.parquet.read_table(tmp_path / "pairs.parquet").num_rows == 0
    dedup.write_jsonl(tmp_path / "texts", tmp_path / "jsonl")
    lines = [line for file in (tmp_path / "jsonl").iterdir() for line in file.read_text().splitlines()]
    known = dict(zip(*(read(tmp_path)[name].to_pylist() for name in ("id", "text")), strict=True))
    assert len(lines) == 1_000 and {row["id"]: row["text"] for row in map(json.loads, lines)} == known


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Plan(0), "--documents 0"),
        (Plan(1_000, seed=-1), "--seed -1"),
        (Plan(1_000, words=20), "--words 20"),
        (Plan(1_000, share=1.5), "--share 1.5"),
        (Plan(1_000, template=900), "--template 900"),
        (Plan(1_000, template=9, template_jaccard=1.0), "--template-jaccard 1.0"),
    ],
)
def test_plans_that_cannot_be_are_refused(tmp_path: Path, plan: Plan, said: str) -> None:
    with pytest.raises(UserError, match=said):
        planted_table.make(tmp_path / "t", plan)
    assert not (tmp_path / "t").exists()


def truth(pairs: list[tuple[str, str, float, str]], ids: str, groups: str) -> Truth:
    rows = [dict(zip(PAIRS.names, pair, strict=True)) for pair in pairs]
    return Truth(pa.array(list(ids)), pa.array(list(groups)), pa.Table.from_pylist(rows, PAIRS))


def clustered(*members: str) -> pa.Table:
    names = ("id", "cluster_id", "kept_id")
    rows = [(name, one[0], one[0]) for one in members for name in one]
    return pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)})


def test_scores_by_hand() -> None:
    """a-b-c chain at 0.85 and 0.72, d-e are copies, f-g are far, x and y are alone."""
    pairs = [("a", "b", 0.85, "family"), ("b", "c", 0.72, "family"), ("a", "c", 0.6, "family")]
    pairs += [("d", "e", 1.0, "family"), ("f", "g", 0.4, "family"), ("h", "i", 0.9, "template")]
    known = truth(pairs, "abcdefghixy", "LLLKKKKLLLK")
    found = score(known, clustered("abc", "de"), 0.8)
    assert found["at_threshold"] == {"pairs": 2, "recall": 1.0} and found["precision"] == 1.0
    assert found["bins"]["0.7-0.8"] == found["bins"]["0.6-0.7"] == {"pairs": 1, "recall": 1.0}
    assert found["bins"]["0.4-0.5"] == {"pairs": 1, "recall": 0.0} and found["bins"]["0.5-0.6"]["recall"] is None
    assert found["bins"]["1.0"] == {"pairs": 1, "recall": 1.0} and found["bins"]["0.9-1.0"]["pairs"] == 0
    assert found["template"] == {"pairs": 1, "recall": 0.0}
    assert (found["documents"], found["clustered"], found["clusters"]) == (11, 5, 2)
    worse = score(known, clustered("ax", "dey", "fg", "hi"), 0.8)
    assert worse["at_threshold"] == {"pairs": 2, "recall": 0.5}
    assert (worse["joined_pairs"], worse["wrong_pairs"], worse["precision"]) == (6, 4, 1 / 3)
    assert worse["groups"]["L"] == {"pairs": 1, "recall": 0.0, "joined_pairs": 2, "precision": 0.5}
    assert worse["groups"]["K"] == {"pairs": 1, "recall": 1.0, "joined_pairs": 4, "precision": 0.25}
    assert score(known, clustered("abc"), 0.99)["wrong_pairs"] == 3  # 0.85 is too far below now
    none = score(known, clustered(), 0.8)
    assert none["at_threshold"]["recall"] == 0.0 and none["precision"] == 1.0 and none["joined_pairs"] == 0
    with pytest.raises(UserError, match="id z"):
        score(known, clustered("az"), 0.8)


@pytest.mark.parametrize("seed", range(30))
def test_scores_count_every_pair(seed: int) -> None:
    """Against all pairs one by one."""
    rng = random.Random(seed)
    ids = "".join(map(chr, range(0x4E00, 0x4E00 + 40)))
    drawn = {tuple(sorted(rng.sample(ids, 2))) for _ in range(40)}
    pairs = [(a, b, rng.choice([0.2, 0.5, 0.75, 0.85, 1.0]), "family") for a, b in sorted(drawn)]
    labels = {name: rng.randrange(12) for name in rng.sample(ids, 30)}
    made = clustered(*("".join(n for n in sorted(labels) if labels[n] == k) for k in sorted({*labels.values()})))
    found = score(truth(pairs, ids, "".join(rng.choice("LK") for _ in ids)), made, 0.8)
    alike = {name: {name} for name in ids}
    for a, b, similarity, _ in pairs:
        if similarity >= 0.8 - SLACK:
            both = alike[a] | alike[b]
            alike.update(dict.fromkeys(both, both))
    joined = [(a, b) for a, b in combinations(sorted(labels), 2) if labels[a] == labels[b]]
    right = sum(b in alike[a] for a, b in joined)
    assert (found["joined_pairs"], found["wrong_pairs"]) == (len(joined), len(joined) - right)
    for name, low, high in (("0.5-0.6", 0.5, 0.6), ("0.8-0.9", 0.8, 0.9), ("1.0", 1.0, 2)):
        here = [(a, b) for a, b, similarity, _ in pairs if low <= similarity < high]
        assert found["bins"][name]["pairs"] == len(here)
        hits = sum((a, b) in joined for a, b in here)
        assert found["bins"][name]["recall"] == (hits / len(here) if here else None)


def test_components_of_a_long_chain() -> None:
    n = 50_000
    assert (components(n, ((i, i + 1) for i in range(n - 2, -1, -1))) == 0).all()
    assert components(4, [(3, 1)]).tolist() == [0, 1, 2, 1]


def test_memory_counts_children(tmp_path: Path) -> None:
    child = "x = bytearray(80 << 20); import time; time.sleep(2)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print('done'); sys.exit(3)"
    cost = watched.run([sys.executable, "-c", parent], {}, tmp_path / "log")
    assert cost.status == 3 and cost.seconds >= 2 and (tmp_path / "log").read_text() == "done\n"
    assert 80 << 20 < cost.largest < cost.peak < 300 << 20 and sum(cost.parts.values()) == cost.peak


def test_event_log_is_summed(tmp_path: Path) -> None:
    def task(written: int, spilled: int, reason: str) -> dict[str, object]:
        metrics = {"Disk Bytes Spilled": spilled, "Shuffle Write Metrics": {"Shuffle Bytes Written": written}}
        return {"Event": "SparkListenerTaskEnd", "Task End Reason": {"Reason": reason}, "Task Metrics": metrics}

    lost = {"Event": "SparkListenerTaskEnd", "Task End Reason": {"Reason": "ExecutorLostFailure"}}
    events = [{"Event": "SparkListenerJobEnd"}, task(5, 0, "Success"), task(7, 11, "TaskKilled"), lost]
    lines = (json.dumps(event, separators=(",", ":")) + "\n" for event in events)
    (tmp_path / "local-1").write_text("".join(lines))
    assert watched.event_log(tmp_path) == {"shuffle_bytes": 12, "spilled_bytes": 11, "tasks": 3, "failed_tasks": 2}


def test_the_peer_is_run_over_the_texts(table: Path, tmp_path: Path) -> None:
    """A stand-in that counts the lines it is given."""
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\necho noise\nprintf \'{"seconds": {"all": 2}, "total": 2, "kept": %s}\\n\' $(cat $2/* | wc -l)\n'
    )
    python.chmod(0o755)
    (tmp_path / "table").symlink_to(table)
    found = dedup.run_peer(tmp_path, str(python))
    assert found["kept"] == PLAN.documents and found["total"] == 2
    python.write_text("#!/bin/sh\necho no datatrove; exit 1\n")
    with pytest.raises(UserError, match=r"status 1 \(no datatrove\)"):
        dedup.run_peer(tmp_path, str(python))


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "answer").mkdir()
    assert run_to_exit_status(dedup.body, ["--documents", "100", "--work", str(tmp_path)]) == 2
    assert "holds other things" in capsys.readouterr().err and [*tmp_path.iterdir()] == [tmp_path / "answer"]


@pytest.mark.faults
def test_the_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The job through spark-submit: copies are found, strangers are not joined, what is not kept is gone."""
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", QUICK)
    work, figures = tmp_path / "work", tmp_path / "figures.json"
    given = ["--documents", "600", "--words", "100", "--work", str(work), "--driver-memory", "1g", "--share", "0.5"]
    flags = ["--min-shingles", "5", "--one-task-documents", "0"]  # shuffles, by an engine
    assert run_to_exit_status(dedup.body, [*given, "--json", str(figures), "--", *flags]) == 0
    found = json.loads(figures.read_text())
    assert found["flags"] == flags and found["documents_per_second"] > 0
    assert found["shuffle_bytes"] > 0 and found["failed_tasks"] == 0
    assert found["peak_parts"]["java"] > 100 << 20 and len(found["peak_parts"]) >= 2
    scored = found["score"]
    assert scored["bins"]["1.0"]["recall"] == 1 and scored["at_threshold"]["recall"] >= 0.9
    assert scored["precision"] == 1 and scored["bins"]["0.3-0.4"]["recall"] == 0
    assert sorted(file.name for file in work.iterdir()) == ["bench.txt", "job.log"]
    said = capsys.readouterr().out
    assert "documents/s" in said and "precision 1.0000" in said and "tha_Thai" in said
