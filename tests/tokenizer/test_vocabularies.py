"""Whole vocabularies of the three models: their files, what is refused, and how they grow."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from schemas.errors import UserError
from tokenizer.cleaning import Sentences
from tokenizer.fast import open_encoder
from tokenizer.growing.continued_merges import continued_merges
from tokenizer.growing.extend import extend
from tokenizer.learn import LearntVocabulary, learn_vocabulary
from tokenizer.model import RESERVED, encoder
from tokenizer.normalisation import nfkc_rules
from tokenizer.wordpiece import learn_wordpiece

transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY / "../shared"
MODELS = ("unigram", "bpe", "wordpiece")
ODD = [
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1ec\U0001f1ea 1\ufe0f\u20e3",
    "שלום \u200fabc\u200e مرحبا",
    "def f(x):\n\treturn {x: 'y'}  # §",
    "a \u00a0\u3000 b",
    "\ufeffx",
]


def learn(sample: list[str], model: str, vocab_size: int = 1500, **settings: object) -> LearntVocabulary:
    given = {"character_coverage": 1.0, "num_threads": 2, "allow_smaller": True, **settings}
    return learn_vocabulary(sample, model=model, vocab_size=vocab_size, **given)  # type: ignore[arg-type]


def write(learnt: LearntVocabulary, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in learnt.files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def learnt(sample: list[str]) -> dict[str, LearntVocabulary]:
    return {model: learn(sample, model, language_tokens=["eng_Latn", "amh_Ethi"], spare_rows=3) for model in MODELS}


@pytest.mark.parametrize("model", MODELS)
def test_auto_tokenizer_has_the_ids_and_the_rows(
    model: str, learnt: dict[str, LearntVocabulary], texts: dict[str, str], tmp_path: Path
) -> None:
    one = learnt[model]
    tokenizer = transformers.AutoTokenizer.from_pretrained(write(one, tmp_path))
    batch = [*texts.values(), *ODD]
    encoded = tokenizer(batch, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert encoded == one.encode(batch) == open_encoder(tmp_path)(batch)
    assert tokenizer.convert_ids_to_tokens(list(range(len(one.pieces)))) == one.pieces
    rows = ["<eng_Latn>", "<amh_Ethi>", *(f"<spare_{i}>" for i in range(one.told["spare_rows"]))]
    assert len(one.pieces) % 64 == 0 and 3 <= one.told["spare_rows"] < 3 + 64
    assert one.pieces[-len(rows) :] == rows and set(rows) <= set(tokenizer.all_special_tokens) | set(
        tokenizer.get_added_vocab()
    )
    ids = tokenizer("<eng_Latn> a", add_special_tokens=False)["input_ids"]
    assert ids[0] == len(one.pieces) - len(rows)
    assert one.encode(["<eng_Latn>"])[0][0] != ids[0]  # written by a stranger it is text
    roles = [tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id]
    assert [*roles, tokenizer.mask_token_id] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("model", ["unigram", "bpe"])
def test_with_bytes_nothing_is_unknown_or_lost(
    model: str, learnt: dict[str, LearntVocabulary], texts: dict[str, str]
) -> None:  # fmt: skip
    processor = SentencePieceProcessor(model_proto=learnt[model].files["spm.model"])
    for text in [*texts.values(), *ODD]:
        ids = learnt[model].encode([text])[0]
        assert processor.decode(ids) == text and 1 not in ids
        assert processor.encode(text) == ids


def test_wordpiece_is_bert_s(learnt: dict[str, LearntVocabulary], texts: dict[str, str], tmp_path: Path) -> None:
    """Against transformers' own Bert tokenizer over vocab.txt alone."""
    folder = write(learnt["wordpiece"], tmp_path)
    (folder / "tokenizer.json").unlink()
    bert = transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=False, strip_accents=False)
    batch = [*texts.values(), *ODD]
    assert bert(batch, add_special_tokens=False)["input_ids"] == learnt["wordpiece"].encode(batch)
    pieces = learnt["wordpiece"].pieces
    chinese = [pieces[i] for i in learnt["wordpiece"].encode(["今天早上河水很高"])[0]]
    assert chinese == list("今天早上河水很高")
    assert any(piece.startswith("##") and len(piece) > 4 for piece in pieces)
    assert "é" not in pieces and learnt["wordpiece"].encode(["𐎀"])[0] == [1]  # a character without a piece


def test_wordpiece_says_which_text_of_a_pair_a_token_is_of(learnt: dict[str, LearntVocabulary], tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(write(learnt["wordpiece"], tmp_path))
    first, second = (len(learnt["wordpiece"].encode([text])[0]) for text in ("the river", "carries light"))
    batch = tokenizer("the river", "carries light")
    assert batch["token_type_ids"] == [0] * (first + 2) + [1] * (second + 1)
    assert set(tokenizer("the river")["token_type_ids"]) == {0}


@pytest.mark.parametrize("model", MODELS)
def test_twice_and_in_another_process_the_same_files(
    model: str, learnt: dict[str, LearntVocabulary], sample: list[str]
) -> None:
    code = (
        "import hashlib, json, sys; from tokenizer.learn import learn_vocabulary\n"
        f"one = learn_vocabulary(json.load(sys.stdin), model={model!r}, vocab_size=1500, character_coverage=1.0, "
        "num_threads=2, allow_smaller=True, language_tokens=['eng_Latn', 'amh_Ethi'], spare_rows=3)\n"
        "print({name: hashlib.sha256(content).hexdigest() for name, content in one.files.items()})"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(REPOSITORY), "RAYON_NUM_THREADS": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(sample),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    mine = {name: hashlib.sha256(content).hexdigest() for name, content in learnt[model].files.items()}
    assert done.stdout.strip() == str(mine)


def test_nfkc_folds_forms_in_model_and_export(sample: list[str], texts: dict[str, str], tmp_path: Path) -> None:
    for model in ("unigram", "bpe"):
        one = learn(sample, model, normalization="nfkc")
        tokenizer = transformers.AutoTokenizer.from_pretrained(write(one, tmp_path / model))
        assert one.encode(["ＡＢＣ ①　ﬁ"]) == one.encode(["ABC 1 fi"])
        batch = [unicodedata.normalize("NFC", text) for text in [*texts.values(), *ODD, "ｶﾞ ㎏ ﷺ ½ e\u0301 각"]]
        encoded = tokenizer(batch, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert encoded == one.encode(batch)
    rules = dict(nfkc_rules())
    assert rules["Ａ"] == "A" and rules["ﬁ"] == "fi" and rules["e\u0301"] == "é" and "e" not in rules
    with pytest.raises(UserError, match="normalization = nfkc is of unigram and bpe"):
        learn(sample, "wordpiece", normalization="nfkc")


@pytest.mark.parametrize("model", MODELS)
def test_what_no_trainer_can_do_names_the_figure_that_works(model: str, sample: list[str]) -> None:
    with pytest.raises(UserError, match="no text to learn a vocabulary from"):
        learn([" ", "\n"], model)
    with pytest.raises(UserError, match=r"vocab_size 50000 is more than the sample holds: at most \d+") as caught:
        learn(sample, model, 50_000, allow_smaller=False)
    most = int(str(caught.value).split("at most ")[1].split(";")[0])
    assert 0 <= len(learn(sample, model, most, allow_smaller=False).pieces) - most < 64
    with pytest.raises(UserError, match=r"vocab_size 300 is too small: .* take \d+") as caught:
        learn(sample, model, 300)
    least = int(str(caught.value).split("take ")[1].split(";")[0])
    assert 0 <= len(learn(sample, model, least).pieces) - least < 64
    one = learn(["A single document of a corpus, and nothing else."], model, 400)  # as many as it holds
    assert 5 < len(one.pieces) <= 448
    with pytest.raises(UserError, match="language_tokens: 'a b' is no label"):
        learn(sample, model, language_tokens=["a b"])


@pytest.mark.parametrize("model", MODELS)
def test_controls_and_long_lines_are_mended_and_counted(model: str, sample: list[str]) -> None:
    odd = [*sample, "an\0other \x07line\x9f", "x" * 5000, "\ud800 half"]
    one = learn(odd, model)
    assert one.told["lines"] == len(odd) and one.told["lines_cut"] == 1 and one.told["controls_removed"] == 4


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_cleaning_keeps_all_but_controls(text: str) -> None:
    source = Sentences([text], 64)
    kept = "".join(source)
    dropped = [c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n\x10"]
    assert kept == "".join(c for c in text if c not in dropped).replace("\u2585", "\u2586")
    assert source.controls_removed == len(dropped)


@pytest.mark.parametrize("model", MODELS)
def test_a_vocabulary_grows_behind_its_ids(model: str, texts: dict[str, str], tmp_path: Path) -> None:
    """Amharic and Georgian for a vocabulary of four others: their texts cost less, the others' the same or so."""
    old = [texts[label] for label in ("eng_Latn", "rus_Cyrl", "tur_Latn", "zho_Hans")] * 4
    new = [texts[label] for label in ("amh_Ethi", "kat_Geor")] * 4
    base = learn(old, model, 700, spare_rows=2, language_tokens=["eng_Latn"])
    folder = write(base, tmp_path / "base")
    settings = {"num_threads": 2, "character_coverage": 1.0, "allow_smaller": True}
    grown = extend(folder, new, vocab_size=len(base.pieces) + 400, **settings)
    assert grown.pieces[: len(base.pieces)] == base.pieces
    assert len(base.pieces) + 60 < len(grown.pieces) < len(base.pieces) + 464
    assert len(grown.pieces) % 64 == 0
    assert len(set(grown.pieces)) == len(grown.pieces)
    for text in new[:2]:
        before, after = base.encode([text])[0], grown.encode([text])[0]
        if model == "wordpiece":
            assert before.count(1) > 10 and after.count(1) == 0
        else:
            assert len(after) < 0.4 * len(before)
    before, after = (sum(map(len, one.encode(old))) for one in (base, grown))
    assert after == pytest.approx(before, rel=0.02)
    tokenizer = transformers.AutoTokenizer.from_pretrained(write(grown, tmp_path / "grown"))
    batch = [*texts.values(), *ODD]
    assert tokenizer(batch, add_special_tokens=False, split_special_tokens=True)["input_ids"] == grown.encode(batch)
    assert tokenizer("<eng_Latn>", add_special_tokens=False)["input_ids"] == [base.pieces.index("<eng_Latn>")]
    if model != "wordpiece":
        processor = SentencePieceProcessor(model_proto=grown.files["spm.model"])
        assert all(processor.decode(processor.encode(text)) == text for text in batch)
    again = extend(write(grown, tmp_path / "grown"), new, vocab_size=len(grown.pieces) + 64, allow_smaller=True)
    assert again.pieces[: len(grown.pieces)] == grown.pieces


def test_what_cannot_be_extended(sample: list[str], learnt: dict[str, LearntVocabulary], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds neither spm\.model nor vocab\.txt: name a folder"):
        extend(tmp_path, sample, vocab_size=2000)
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(UserError, match="does not start with"):
        extend(tmp_path, sample, vocab_size=2000)
    (tmp_path / "spm.model").write_bytes(b"no model")
    with pytest.raises(UserError, match="not a SentencePiece model"):
        extend(tmp_path, sample, vocab_size=2000)
    for model in MODELS:
        folder = write(learnt[model], tmp_path / model)
        rows = len(learnt[model].pieces)
        with pytest.raises(UserError, match=rf"vocab_size = {rows} leaves nothing to add to the {rows} rows"):
            extend(folder, sample, vocab_size=rows)
        with pytest.raises(UserError, match=r"vocab_size 90000 is more than the sample holds: at most \d+"):
            extend(folder, ["zebra zebra crossing"] * 3, vocab_size=90_000)
        with pytest.raises(UserError, match="no text to learn"):
            extend(folder, [""], vocab_size=2000)


def test_merges_by_hand() -> None:
    """hug 10, pug 5, hugs 5: u g first (20), then h ug (15); hug s and p ug have 5 each and go by the alphabet."""
    words = ["hug"] * 10 + ["pug"] * 5 + ["hugs"] * 5
    found = continued_merges(words, lambda texts: [list(text) for text in texts], list("hugps"), 4)
    assert found == ["ug", "hug", "hugs", "pug"]
    assert continued_merges(["1212 1212"], lambda texts: [list(text) for text in texts], list("12"), 4) == []
    assert continued_merges(["дом дом", "domдом domдом"], lambda texts: [list(t) for t in texts], [], 9)[:1] == ["до"]


def test_wordpiece_alphabet_follows_the_coverage() -> None:
    texts = ["abab abab"] * 200 + ["q"]
    assert "q" not in learn_wordpiece(texts, vocab_size=300, character_coverage=0.99, allow_smaller=True)
    assert "q" in learn_wordpiece(texts, vocab_size=300, character_coverage=1.0, allow_smaller=True)


@pytest.mark.parametrize("model", ["unigram", "bpe"])
def test_every_labelled_language(model: str, tmp_path: Path) -> None:
    """Two texts of each of more than 400 labels: one set of ids, and every text back from them."""
    file = SHARED / "data/lid/train.jsonl.gz"
    if not file.exists():
        pytest.skip(f"no {file}")
    by_label: dict[str, list[str]] = {}
    with gzip.open(file, "rt", encoding="utf-8") as rows:
        for line in rows:
            row = json.loads(line)
            some = by_label.setdefault(f"{row['lang']}_{row['script']}", [])
            if len(some) < 3:
                some.append(row["text"][:600])
    one = learn([texts[0] for texts in by_label.values()], model, 6000, character_coverage=0.9995)
    tokenizer = transformers.AutoTokenizer.from_pretrained(write(one, tmp_path))
    processor = SentencePieceProcessor(model_proto=one.files["spm.model"])
    batch = [text for texts in by_label.values() for text in texts[1:]]
    assert len(by_label) > 400
    ids = encoder(one.files["spm.model"])(batch)
    assert tokenizer(batch, add_special_tokens=False, split_special_tokens=True)["input_ids"] == ids
    assert processor.decode(ids) == batch and all(1 not in of_one for of_one in ids)
    assert any(i < RESERVED for of_one in ids for i in of_one)  # bytes were put to the test
