"""What a vocabulary learns from, drawn from shards and from any table, without an engine."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stages_sample import serially, shards_of, table

from pipeline.config import VocabConfig
from pipeline.mixture.drawing import wanted_bytes
from pipeline.stages import vocab
from pipeline.store import generations
from pipeline.store.document_table import document_table
from pipeline.store.ledger import ledger
from schemas.errors import UserError
from schemas.records import unbalanced
from tokenizer.sentences import sentences_of

SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "text", "language", "language_script")])


def documents(count: int) -> list[dict[str, Any]]:
    """`count` of eng, a tenth of tha, one of amh; five sentences each."""
    rows = [(f"id-{i}", f"One {i}. Two! Three? Four.\nFive {i}", "eng", "Latn") for i in range(count)]
    rows += [(f"th-{i}", "\n".join(f"บรรทัด {n} {i}" for n in range(5)), "tha", "Thai") for i in range(count // 10)]
    rows += [("am-0", "ይህ። ነው። አንድ። ሁለት። ሦስት።", "amh", "Ethi")]
    return [dict(zip(SCHEMA.names, row, strict=True)) for row in rows]


def test_wanted_bytes_follow_the_mixture() -> None:
    """Roots of 10^6, 160,000 and 1,000 are 1,000, 400 and 31.6; the last has only 1,000 bytes, the rest is 5 to 2."""
    characters = {"eng_Latn": 1_000_000, "tha_Thai": 160_000, "amh_Ethi": 1_000, "xxx_Latn": 0}
    sizes = {label: (n, n * (1 if label == "eng_Latn" else 3)) for label, n in characters.items()}
    rest = 299_000 / 7
    found = wanted_bytes(sizes, 300_000, 2)
    assert found == pytest.approx({"eng_Latn": rest * 5, "tha_Thai": rest * 2 * 3, "amh_Ethi": 3_000}, rel=1e-3)
    # All there is would be shared as found. A third of each is wanted; of Amharic there are 1,000 characters, so a
    # fifth of n is elsewhere where 1/3 - 1,000 / n = 1/5: 7,500. A vocabulary may need more.
    small = wanted_bytes(sizes, 300_000_000, 1000)
    assert small == pytest.approx({"eng_Latn": 3_250, "tha_Thai": 9_750, "amh_Ethi": 3_000}, rel=0.02)
    enough = wanted_bytes(sizes, 300_000_000, 1000, least=345_000)
    assert enough == pytest.approx({"eng_Latn": 184_000, "tha_Thai": 480_000, "amh_Ethi": 3_000}, rel=0.02)
    natural = {label: size for label, (_, size) in sizes.items() if size}
    assert wanted_bytes(sizes, 300_000_000, 1) == pytest.approx(natural)
    assert wanted_bytes({}, 10_000, 2) == {} == wanted_bytes({"a_A": (0, 0)}, 10_000, 2)


def checked(sample: vocab.Sample, rows: list[dict[str, Any]]) -> list[str]:
    """Ids drawn, in order, after what holds of every sample."""
    ids = sample.documents["id"].to_pylist()
    text_of = {row["id"]: row["text"] for row in rows}
    assert len(set(ids)) == len(ids)
    assert list(vocab.sentences(sample)) == [one for name in ids for one in sentences_of(text_of[name])]
    assert sample.kept == sum(len(text_of[name].encode()) for name in ids)
    learnt = {text_of[name] for name in ids}
    assert not learnt & {text for texts in sample.held_out.values() for text in texts}
    assert unbalanced(ledger("vocab", sum(sum(of.values()) for of in sample.counts.values()), sample.counts, {})) == 0
    return ids


def characters_of(ids: list[str], rows: list[dict[str, Any]]) -> int:
    return sum(len(row["text"]) for row in rows if row["id"] in set(ids))


def test_a_sample_of_any_table(tmp_path: Path) -> None:
    rows, config = documents(600), VocabConfig(sample_characters=10_000)
    drawn = []
    for files in (1, 5):
        source = document_table(table(tmp_path, rows, files, SCHEMA), "id", "text")
        sample = vocab.sample_table(source, config, str(tmp_path / f"scratch-{files}"), serially)
        drawn.append((checked(sample, rows), sample.held_out, sample.counts, sample.kept))
    assert drawn[0] == drawn[1]
    ids, held_out, counts, kept = drawn[0]
    assert characters_of(ids, rows) == pytest.approx(10_000, rel=0.05) and kept > 10_000
    assert "am-0" in ids and counts["amh_Ethi"] == {None: 1}
    assert set(held_out) <= {"eng_Latn", "tha_Thai"} and len(held_out["eng_Latn"]) == 50
    kinds = [name[:2] for name in ids]
    assert kinds != sorted(kinds)  # mixed, not one language after another
    first_half = kinds[: len(kinds) // 2].count("th") / kinds.count("th")
    assert 0.25 < first_half < 0.75
    other = vocab.sample_table(source, VocabConfig(sample_characters=10_000, seed=1), str(tmp_path / "other"), serially)
    assert checked(other, rows) != ids


def test_a_sample_of_shards_reads_little_more_than_it_keeps(tmp_path: Path) -> None:
    rows = documents(6000)
    folder = shards_of(table(tmp_path, rows, 2, SCHEMA), tmp_path / "sample")
    (folder / "_run.json").write_text("{}")
    sample = vocab.sample_shards(
        generations.required(str(folder)), VocabConfig(sample_characters=20_000), str(tmp_path / "scratch"), serially
    )
    ids = checked(sample, rows)
    assert characters_of(ids, rows) == pytest.approx(20_000, rel=0.02)
    assert sample.read <= 3 * sample.kept
    assert sample.read < 0.15 * sum(len(row["text"].encode()) for row in rows)
    held = {row["text"] for path in (folder / "data").glob("*/validation-*") for row in pq.read_table(path).to_pylist()}
    assert held >= {text for texts in sample.held_out.values() for text in texts}
    mixed = json.loads((folder / "mixture.json").read_text())["languages"]
    assert {label: sum(of.values()) for label, of in sample.counts.items()} == {
        label: entry["documents"] for label, entry in mixed.items()
    }
    assert Counter(name[:2] for name in ids)["th"] == sample.counts["tha_Thai"][None]


def test_nothing_to_choose_from(tmp_path: Path) -> None:
    for number, rows in enumerate(([], [{"id": "a", "text": ""}], [{"id": "a"}])):
        source = document_table(table(tmp_path / str(number), rows, 1, SCHEMA), "id", "text")
        with pytest.raises(UserError, match="no text to learn a vocabulary from"):
            vocab.sample_table(source, VocabConfig(), str(tmp_path / f"scratch-{number}"), serially)
