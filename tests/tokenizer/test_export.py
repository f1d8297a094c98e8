import gzip
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer

from schemas.errors import UserError
from tokenizer.export import sentencepiece_files
from tokenizer.model import RESERVED, encoder, read_vocabulary, with_pieces
from tokenizer.sentencepieces import learn_sentencepiece

transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")

SHARED = Path(__file__).resolve().parents[2] / "../shared"
FILES = ["spm.model", "tokenizer.json", "tokenizer_config.json"]

# Runs, ties, spaces of every kind, the escapes, tokens written out, joiners, jamo, marks without a base, unassigned.
ODD = [
    *("  ", "\n\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\x85", "\x10", "\x100", "\u2581", "\x101", "\u2585"),
    *("<s>", "</s>", "<mask>", "<unk>", "<pad>", "<0x41>", "<0xE2>", "\u2047", "\ufffd", "\ufeff", "\U0010ffff"),
    *(
        "👩‍👩‍👧‍👦",
        "🇬🇪",
        "1️⃣",
        "\u1112\u1161\u11ab",
        "\u0e33",
        "\u0301",
        "ﷺ",
        "é",
        "𐍈",
        "----",
        "====",
        "。。。",
        "hehehe",
    ),
]
anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
odd = st.lists(st.one_of(st.sampled_from(ODD), anything), max_size=12).map("".join)
runs = st.lists(st.tuples(st.sampled_from("a -=\n。のห\u2581😀0"), st.integers(1, 30)), max_size=8).map(
    lambda pairs: "".join(character * times for character, times in pairs)
)


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def model_proto(request: pytest.FixtureRequest, sample: list[str]) -> bytes:
    model = learn_sentencepiece(sample, vocab_size=850, kind=request.param, character_coverage=1.0, num_threads=2)
    return with_pieces(model, rows=["<eng_Latn>", "<spare_0>"])


@pytest.fixture(scope="module")
def folder(model_proto: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(sentencepiece_files(model_proto), tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def processor(model_proto: bytes) -> SentencePieceProcessor:
    return SentencePieceProcessor(model_proto=model_proto)


@pytest.fixture(scope="module")
def hugging_face(folder: Path) -> "transformers.PreTrainedTokenizerFast":
    return transformers.AutoTokenizer.from_pretrained(folder)


def write(files: dict[str, bytes], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def assert_same(text: str, processor: SentencePieceProcessor, hugging_face) -> None:
    ids = processor.encode(text)
    assert processor.decode(ids) == text
    encoded = hugging_face(text, split_special_tokens=True)["input_ids"]
    assert encoded == [2, *ids, 3]
    assert hugging_face.decode(encoded, skip_special_tokens=True) == text
    assert hugging_face.decode(ids) == text


@given(text=st.one_of(anything, odd, runs))
@example(text="")
@example(text=" a")
@example(text="a ")
@settings(max_examples=400, deadline=None)
def test_any_text_has_the_ids_of_sentencepiece_and_comes_back(processor, hugging_face, text: str) -> None:
    assert_same(text, processor, hugging_face)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_pieces_in_any_order(processor, hugging_face, model_proto: bytes, data: st.DataObject) -> None:
    """Close calls and ties: strings of the vocabulary's own pieces."""
    pieces = [piece.replace("\u2581", " ") for piece, _ in read_vocabulary(model_proto)[RESERVED:]]
    assert_same("".join(data.draw(st.lists(st.sampled_from(pieces), max_size=30))), processor, hugging_face)


def test_every_language_and_every_odd_string(processor, hugging_face, texts: dict[str, str]) -> None:
    for text in [
        *texts.values(),
        "\n".join(texts.values()),
        *ODD,
        "".join(ODD),
        *(c * n for c in "-a の" for n in range(1, 99)),
    ]:
        assert_same(text, processor, hugging_face)
        assert_same(unicodedata.normalize("NFD", text), processor, hugging_face)


def test_every_assigned_block_of_unicode(processor, hugging_face) -> None:
    step = 61
    for start in [*range(1, 0xD800, step), *range(0xE000, 0x30000, step * 7), 0xE0000, 0x10FFC0]:
        assert_same(
            "".join(map(chr, range(start, min(start + step, 0xD800) if start < 0xD800 else start + step))),
            processor,
            hugging_face,
        )


def test_the_encoder_is_the_same_function(model_proto: bytes, processor, texts: dict[str, str]) -> None:
    batch = [*texts.values(), *ODD, ""]
    assert encoder(model_proto)(batch) == [processor.encode(text) for text in batch]


def test_special_tokens(hugging_face, processor) -> None:
    assert hugging_face.convert_tokens_to_ids(["<pad>", "<unk>", "<s>", "</s>", "<mask>"]) == [0, 1, 2, 3, 4]
    assert (hugging_face.pad_token_id, hugging_face.unk_token_id, hugging_face.mask_token_id) == (0, 1, 4)
    assert (hugging_face.bos_token_id, hugging_face.eos_token_id) == (2, 3)
    assert (hugging_face.cls_token_id, hugging_face.sep_token_id) == (2, 3)
    assert len(hugging_face) == processor.vocab_size()


def test_the_mask_takes_the_space_before_it(hugging_face, processor) -> None:
    assert hugging_face("the <mask> bridge")["input_ids"] == [
        2,
        *processor.encode("the"),
        4,
        *processor.encode(" bridge"),
        3,
    ]
    assert hugging_face("古い<mask>を")["input_ids"] == [2, *processor.encode("古い"), 4, *processor.encode("を"), 3]


def test_a_pair(hugging_face, processor) -> None:
    pair = hugging_face("the", "橋", return_token_type_ids=True)
    a, b = processor.encode("the"), processor.encode("橋")
    assert pair["input_ids"] == [2, *a, 3, *b, 3]
    assert pair["token_type_ids"] == [0] * (len(a) + 2) + [1] * (len(b) + 1)


def test_padding_and_truncation(hugging_face) -> None:
    batch = hugging_face(["the bridge", "the"], padding=True)
    assert set(batch) == {"input_ids", "attention_mask"}
    assert batch["input_ids"][1][-1] == 0
    assert batch["attention_mask"][1][-1] == 0
    assert hugging_face.model_max_length == 8192
    long = hugging_face("the " * 9000, truncation=True)["input_ids"]
    assert (len(long), long[0], long[-1]) == (8192, 2, 3)


def test_words_are_cut_before_spaces_and_offsets_are_those_of_the_text(hugging_face) -> None:
    text = "The river, the old bridge"
    encoded = hugging_face(text, return_offsets_mapping=True, add_special_tokens=False)
    words: dict[int, str] = {}
    for word, (start, end) in zip(encoded.word_ids(), encoded["offset_mapping"], strict=True):
        words[word] = words.get(word, "") + text[start:end]
    assert list(words.values()) == ["The", " river,", " the", " old", " bridge"]


@pytest.mark.parametrize("model_type", ["modernbert", "xlm-roberta", "bert"])
def test_a_models_config_beside_it_changes_nothing(
    folder: Path, tmp_path: Path, texts: dict[str, str], hugging_face, model_type: str
) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    beside = transformers.AutoTokenizer.from_pretrained(tmp_path)
    batch = [*texts.values(), *ODD]
    assert beside(batch)["input_ids"] == hugging_face(batch)["input_ids"]


def test_saving_again_keeps_the_ids(hugging_face, tmp_path: Path, texts: dict[str, str]) -> None:
    hugging_face.save_pretrained(tmp_path)
    again = transformers.AutoTokenizer.from_pretrained(tmp_path)
    batch = [*texts.values(), *ODD]
    assert again(batch)["input_ids"] == hugging_face(batch)["input_ids"]


def test_the_same_model_gives_the_same_files(model_proto: bytes, folder: Path) -> None:
    again = sentencepiece_files(model_proto)
    assert sorted(again) == FILES
    for name in FILES:
        assert again[name] == (folder / name).read_bytes()
    assert (folder / "spm.model").read_bytes() == model_proto


def test_the_tokenizers_library_alone_reads_it(folder: Path, processor, texts: dict[str, str]) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for text in texts.values():
        assert tokenizer.encode(text).ids == [2, *processor.encode(text), 3]


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(UserError, match="not a SentencePiece model"):
        sentencepiece_files(b"no model")


def test_real_news_in_eighteen_languages(processor, hugging_face) -> None:
    parallel = sorted((SHARED / "data/parallel").glob("*.txt.gz"))
    if not parallel:
        pytest.skip(f"no {SHARED / 'data/parallel'}")
    for path in parallel:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = file.read().split("\n")
        document = "\n".join(lines[:300])
        batch = [*lines[:100], document]
        ids = processor.encode(batch)
        assert hugging_face(batch, split_special_tokens=True, add_special_tokens=False)["input_ids"] == ids, path.name
        assert processor.decode(ids) == batch
