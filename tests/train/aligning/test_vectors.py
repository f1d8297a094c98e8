"""align.py vectors, as a black box, and how texts become words."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_encoders import SENTENCES, save_tokenizer

from pipeline.words.words import words as words_of_the_corpus
from train.align import main
from train.aligning.words import Cutter, words
from train.maps.vec_files import read_vec

LABELS = ("arb_Arab", "cmn_Hani", "eng_Latn", "khm_Khmr")  # fastText takes a third of a second to begin
SMALL = ["--dim", "8", "--buckets", "1000", "--epochs", "2", "--min-count", "2"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    for label in LABELS:
        text = SENTENCES[label]
        rows = [json.dumps({"text": f"{text}\n{text}"}, ensure_ascii=False) for _ in range(3)]
        (folder / f"{label}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "text", [*SENTENCES.values(), "ABC中文123，3.5 x2", "שָׁלוֹם मन्त्र ที่น้ำ", "ｱﾝﾅ ສະບາຍດີ မြန်မာ", "'' — ١٢"]
)
def test_a_word_is_the_corpus_own(text: str) -> None:
    assert words(text) == words_of_the_corpus(text)


def test_case_is_kept_where_that_is_asked() -> None:
    assert words("Ayşe, İZMİR") == ["ayşe", "i̇zmi̇r"] and words("Ayşe, İZMİR", keep_case=True) == ["Ayşe", "İZMİR"]


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "modernbert"])
def test_tokens_are_words_where_no_spaces_are_written(kind: str, tmp_path: Path) -> None:
    """Whatever they are, no letter is lost, none is cut from its marks, and other scripts keep their words."""
    save_tokenizer(kind, tmp_path)
    cutter = Cutter(tokenizer=tmp_path)
    for label, text in SENTENCES.items():
        (found,) = cutter([text])
        single = words(text)
        assert "".join(found) == "".join(single)
        borders = [set(np.cumsum([len(one) for one in each]).tolist()) for each in (found, single)]
        assert borders[0] <= borders[1]
        if label.partition("_")[2] not in ("Hani", "Jpan", "Thai", "Khmr"):
            assert found == single
    assert kind != "xlm-roberta" or len(cutter([SENTENCES["tha_Thai"]])[0]) < len(words(SENTENCES["tha_Thai"]))


def test_vectors_are_of_words_and_the_same_again(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vectors", "--texts", str(texts), "--output", str(tmp_path / "a"), *SMALL]) == 0
    record = json.loads((tmp_path / "a" / "vectors.json").read_text(encoding="utf-8"))
    assert set(record) == set(LABELS)
    for label in LABELS:
        text = SENTENCES[label]
        found = read_vec(tmp_path / "a" / f"{label}.vec")
        assert set(found.words) == set(words(text)) and found.vectors.shape[1] == 8
        counts = [words(text).count(one) for one in found.words]
        assert counts == sorted(counts, reverse=True) and record[label]["tokens"] == 6 * len(words(text))
    capsys.readouterr()
    some = ["--languages", "eng", "zh", "--output"]
    assert main(["vectors", "--texts", str(texts), *some, str(tmp_path / "b"), *SMALL]) == 0
    assert sorted(one.name for one in (tmp_path / "b").iterdir()) == ["cmn_Hani.vec", "eng_Latn.vec", "vectors.json"]
    for name in ("cmn_Hani.vec", "eng_Latn.vec"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert main(["vectors", "--texts", str(texts), *some, str(tmp_path / "b"), *SMALL, "--seed", "1"]) == 0
    assert (tmp_path / "a" / "eng_Latn.vec").read_bytes() != (tmp_path / "b" / "eng_Latn.vec").read_bytes()
    capsys.readouterr()
    assert main(["vectors", "--texts", str(texts), *some, str(tmp_path / "b"), *SMALL, "--seed", "1"]) == 0
    assert capsys.readouterr().out.count("as it is") == 2


def test_vectors_of_shards_are_of_training_files(tmp_path: Path) -> None:
    for split, text in (("train", "river bread river"), ("validation", "moon moon")):
        path = tmp_path / "shards" / "data" / "eng_Latn" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"id": ["1", "2"], "text": [text, text]}), path)
    flags = ["--shards", str(tmp_path / "shards"), "--output", str(tmp_path / "out"), *SMALL]
    assert main(["vectors", *flags]) == 0
    assert read_vec(tmp_path / "out" / "eng_Latn.vec").words == ["river", "bread"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name the texts: --shards DIR, or --texts FILE"),
        (["--texts", "{t}", "--shards", "{t}"], "name the texts: --shards DIR, or --texts FILE"),
        (["--texts", "{t}/gone"], "there is no file and no folder .*gone"),
        (["--shards", "{t}/gone"], "there is no folder .*gone"),
        (["--texts", "{t}", "--languages", "fin"], "--languages fin: there are no texts of it; there are arb_Arab"),
        (["--texts", "{t}", "--tokenizer", "{t}"], ".* holds no tokenizer.json"),
        (["--texts", "{t}", "--min-count", "99"], "no word of any language stands 99 times"),
        (["--texts", "{t}", "--output", "{t}/eng_Latn.jsonl"], "--output .*eng_Latn.jsonl is a file: name a folder"),
    ],
)
def test_bad_input_is_one_line(
    texts: Path, arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [one.format(t=texts) for one in arguments]
    assert main(["vectors", "--output", str(tmp_path / "out"), "--buckets", "1000", "--dim", "8", *given]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and re.match(f"align: {said}", err), err
    assert not (tmp_path / "out").exists()


def test_a_machine_without_fasttext_is_told(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "fasttext", None)
    assert main(["vectors", "--texts", str(texts), "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "align: align.py vectors needs the fastText library: pip install fasttext-community\n"
    )
