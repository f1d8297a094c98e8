"""Any tokenizer as functions over texts, held against transformers, tokenizers and SentencePiece themselves."""

import io
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from schemas.errors import UserError
from tokenizer.loading import Loaded, load
from tokenizer.model import BYTE_PIECES, MASK_ID, UNK_ID, encoder

WORDPIECE = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "bridge",
    "bri",
    "##dge",
    "##s",
    "橋",
    "を",
    "s",
    ",",
    "<",
]
TEXTS = ["The bridges, the Bridge", "橋を the", "<s> [MASK] zzz", "", "  ", "İstanbul Édge\x00s"]


@pytest.fixture
def wordpiece(tmp_path: Path) -> Path:
    (tmp_path / "vocab.txt").write_text("\n".join(WORDPIECE) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory: pytest.TempPathFactory, sample: list[str]) -> Path:
    """As GPT-2 has it, with a post-processor, truncation and padding that must not count."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<|endoftext|>", "<pad>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(sample, trainer)
    tokenizer.add_special_tokens(["<late>"])
    tokenizer.add_tokens([AddedToken("   ", normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing("<|endoftext|> $A", None, [("<|endoftext|>", 0)])
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding()
    folder = tmp_path_factory.mktemp("byte_level")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_a_word_list_is_read_as_transformers_reads_it(wordpiece: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")
    reference = transformers.BertTokenizerFast(str(wordpiece / "vocab.txt"))
    loaded = load(wordpiece)
    texts = [text for text in TEXTS if "[MASK]" not in text]
    assert loaded.encode(texts) == reference(texts, add_special_tokens=False)["input_ids"]
    assert loaded.pieces == WORDPIECE
    assert (loaded.name, loaded.unknown, loaded.special) == (wordpiece.name, 1, {0, 2, 3, 4})
    assert loaded.bytes_ == frozenset()


def test_golden_word_list(wordpiece: Path) -> None:
    loaded = load(wordpiece / "vocab.txt")
    the, bridge, s, comma, unknown = 5, 6, 9, 13, 1
    assert loaded.encode(["The bridges, zzz"]) == [[the, bridge, s, comma, unknown]]
    assert loaded.starts(["The bridges, zzz"]) == [[0, 4, 10, 11, 13]]
    assert loaded.encode(["[MASK]"]) == [[unknown, unknown, unknown]]
    assert loaded.name == f"{wordpiece.name}/vocab.txt"


@pytest.mark.parametrize(
    ("config", "first"),
    [(None, UNK_ID), ({"do_lower_case": True}, WORDPIECE.index("the")), ({"do_lower_case": False}, UNK_ID)],
)
def test_case_is_kept_where_the_list_has_capitals_or_its_configuration_says_so(
    wordpiece: Path, config: dict[str, bool] | None, first: int
) -> None:
    (wordpiece / "vocab.txt").write_text("\n".join([*WORDPIECE, "Bridge"]), encoding="utf-8")
    if config is not None:
        (wordpiece / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert load(wordpiece).encode(["THE"]) == [[first]]


def test_byte_level_ids_are_the_library_s(byte_level: Path, sample: list[str]) -> None:
    reference = Tokenizer.from_file(str(byte_level / "tokenizer.json"))
    reference.no_truncation()
    reference.no_padding()
    reference.encode_special_tokens = True
    loaded = load(byte_level)
    texts = [*sample, "a   b <late>", "\U0001f98a <|endoftext|>", ""]
    assert loaded.encode(texts) == [row.ids for row in reference.encode_batch(texts, add_special_tokens=False)]
    assert loaded.special == {0, 1, reference.token_to_id("<late>")}
    assert loaded.unknown is None
    assert loaded.special.isdisjoint(i for row in loaded.encode(texts) for i in row)


def test_byte_level_pieces_are_shown_as_text_and_parts_of_characters_are_bytes(byte_level: Path) -> None:
    loaded = load(byte_level)
    (ids,) = loaded.encode([" \U0001f98aa"])
    assert [loaded.pieces[i] for i in ids[-4:]] == ["\\x9f", "\\xa6", "\\x8a", "a"]
    assert [i in loaded.bytes_ for i in ids[-4:]] == [True, True, True, False]
    single = {loaded.pieces.index(chr(byte)) for byte in range(128)}
    assert single.isdisjoint(loaded.bytes_)
    assert any(piece.startswith(" ") and len(piece) > 2 for piece in loaded.pieces)
    assert loaded.starts(["a \U0001f98a"])[0][-1] == 2


def test_a_unigram_model_cannot_be_made_to_say_a_special_token(tmp_path: Path) -> None:
    """The library finds any piece of a Unigram vocabulary in a text, XLM-R's <s> too, which costs nothing there."""
    letters = [(letter, -2.0) for letter in "<s>/abc▁"]
    tokenizer = Tokenizer(models.Unigram([("<s>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *letters], unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(["<s>", "</s>", "<unk>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    loaded = load(tmp_path)
    (ids,) = loaded.encode(["<s>abc</s>é"])
    assert "".join(loaded.pieces[i] for i in ids) == "▁<s>abc</s><unk>"
    assert len(ids) == 12
    assert (loaded.special, loaded.unknown) == ({0, 1}, 2)


def test_our_folder_is_read_by_the_model_file_and_without_it_gives_the_same(
    folder: Path, tmp_path: Path, sample: list[str], model_proto: bytes
) -> None:
    shutil.copy(folder / "tokenizer.json", tmp_path)
    fast, exact = load(folder), load(tmp_path)
    texts = [*sample, "<s> <mask> \U0001f98a ▁ <0x41>"]
    assert fast.encode(texts) == exact.encode(texts) == encoder(model_proto)(texts)
    assert fast.starts(texts) == exact.starts(texts)
    assert "sentencepiece" in fast.encode.__qualname__ and "sentencepiece" not in exact.encode.__qualname__
    assert (fast.pieces, fast.special, fast.bytes_, fast.unknown) == (
        exact.pieces,
        exact.special,
        exact.bytes_,
        exact.unknown,
    )
    assert {fast.pieces[i] for i in fast.bytes_} == set(BYTE_PIECES)
    assert MASK_ID in fast.special and fast.unknown == UNK_ID


def test_a_model_file_that_cuts_in_another_way_does_not_stand_for_the_folder(folder: Path, tmp_path: Path) -> None:
    written = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    written["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, written["normalizer"]]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(written), encoding="utf-8")
    shutil.copy(folder / "spm.model", tmp_path)
    loaded = load(tmp_path)
    assert loaded.encode(["THE"]) == loaded.encode(["the"])
    (tmp_path / "spm.model").write_bytes(b"broken")
    assert load(tmp_path).encode(["THE"]) == loaded.encode(["the"])


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_a_stranger_s_sentencepiece_model(kind: str, sample: list[str], tmp_path: Path) -> None:
    out = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(sample), model_writer=out, vocab_size=500, model_type=kind, minloglevel=2,
        character_coverage=1.0, hard_vocab_limit=False,
    )  # fmt: skip
    file = tmp_path / "sentencepiece.bpe.model"
    file.write_bytes(out.getvalue())
    reference = SentencePieceProcessor(model_proto=out.getvalue())
    for loaded in (load(file), load(tmp_path)):
        assert loaded.encode(sample) == reference.encode(sample)
        assert (loaded.unknown, loaded.special, loaded.bytes_) == (0, {1, 2}, frozenset())
    assert load(file).encode(["<s>\U0001f98a"])[0].count(1) == 0
    # NFKC and the space put before a text: offsets are those of the text as it was given.
    assert load(file).starts(["the the"])[0][0] == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.sampled_from("ab THE橋の é\U0001f98a\u0301<s>[]\x00\n▁"), max_size=20), max_size=5))
def test_tokens_begin_inside_their_text_and_no_text_makes_a_special_token(
    loaded_ones: list[Loaded], texts: list[str]
) -> None:
    for loaded in loaded_ones:
        ids, starts = loaded.encode(texts), loaded.starts(texts)
        assert len(ids) == len(starts) == len(texts)
        for row, begins, text in zip(ids, starts, texts, strict=True):
            assert loaded.special.isdisjoint(row)
            assert len(begins) <= len(row)
            assert begins == sorted(begins)
            assert all(0 <= begin < len(text) for begin in begins)


@pytest.fixture(scope="module")
def loaded_ones(folder: Path, byte_level: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Loaded]:
    listed = tmp_path_factory.mktemp("list")
    (listed / "vocab.txt").write_text("\n".join(WORDPIECE), encoding="utf-8")
    return [load(folder), load(folder / "tokenizer.json"), load(byte_level), load(listed)]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("tokenizer.json", b"{", "not JSON"),
        ("tokenizer.json", b"[]", "not a JSON object"),
        ("tokenizer.json", b"{}", "not the tokenizer.json"),
        ("tokenizer.json", b'{"model": {"type": "No", "vocab": {}}}', "cannot read it"),
        ("tokenizer.json", b'{"model": {"vocab": {"a": "b"}}}', "tokenizer"),
        ("vocab.txt", b"a\nb\n", r"no line \[UNK\]"),
        ("vocab.txt", b"\xff\xfe", "not UTF-8"),
        ("spm.model", b"", "SentencePiece"),
        ("spm.model", b"nothing of the kind", "not a SentencePiece model"),
        ("words.csv", b"", "not a tokenizer"),
    ],
)
def test_what_is_no_tokenizer_is_one_line_with_the_way_out(
    name: str, content: bytes, says: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(UserError, match=says) as told:
        load(file)
    assert str(file) in str(told.value) and "\n" not in str(told.value)
    assert "name a" in str(told.value) or "fetch" in str(told.value)


def test_no_path_and_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such tokenizer; name a folder .*hf download"):
        load(tmp_path / "xlm-roberta-base")
    with pytest.raises(UserError, match="no tokenizer in this folder"):
        load(tmp_path)


def test_a_normalizer_may_be_the_byte_level(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.BPE({"Ã": 0, "©": 1, "a": 2}, []))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.ByteLevel()])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    loaded = load(tmp_path)
    assert loaded.encode(["éa"]) == [[0, 1, 2]]
    assert loaded.bytes_ == {0, 1}
