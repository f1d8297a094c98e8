import io
import random
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from scores.articles import ARTICLES

from pipeline.kernels.arrow_text import from_strings, utf8
from pipeline.scores.ngrams.cc_net_text import CodePoints, normalise
from pipeline.scores.ngrams.piece_trie import piece_trie
from pipeline.scores.ngrams.sentence_pieces import SentencePieces
from schemas.errors import UserError

ODD = {
    "nothing": "",
    "spaces alone": " \u3000\n\t \u00a0",
    "controls": "one\x00two\x1fthree\x85four\r\nfive",
    "final sigma": "ΟΔΥΣΣΕΥΣ ΚΑΙ Σ Ὀδυσσεύς ΣΑΣ. ΤΗΣ",
    "jamo": unicodedata.normalize("NFD", ARTICLES["kor"]) + " \u1112\u1161\u11ab 하\u11ab",
    "decomposed": unicodedata.normalize("NFD", " ".join(ARTICLES.values())),
    "vowels in two parts": "க\u0bc6\u0bbe க\u0bcb ক\u09c7\u09be ೊ\u0cc2",
    "compatibility": "ﷺ ﬁn Ａ１２ ㌔ ½ ① ﾊﾟ ㍿ ²",
    "the space's sign": "a\u2581b \u2581 \u2581\u2581c\u2581",
    "line separators": "\u2028one\u2028two\u2029\u3000three\u3000",
    "unknown": "𓀀𓀁 x𓀀y 🤖🤖 \U0010ffff \ufdd0",
    "marks before others": "\u0301a\u0302\u0301 \u302e\u302f \U0001d165\U0001d16d",
    "long": "自由" * 6000 + " " + "x" * 5000,
    "capitals": "İSTANBUL Iı ẞ Ǆ ŉ",
    "numbers": "٣٤٥ १२३ 12,345.67 ௧௨",
    "punctuation": "，。、„”“«»１」「《》´∶：？！（）；–—．～’…━〈〉【】％►",
}  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learn(tmp_path_factory.mktemp("pieces") / "x.sp.model")


def learn(path: Path, **options: object) -> Path:
    """A vocabulary of parts of the articles in any order."""
    draw = random.Random(1)
    words = [article.split() for article in ARTICLES.values()]
    lines = [normalise(" ".join(draw.sample(some, len(some) // 2 + 1))) for _ in range(12) for some in words]
    proto = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=proto, hard_vocab_limit=False, minloglevel=2, num_threads=1,
        **{"vocab_size": 900, "character_coverage": 0.999, **options},
    )  # fmt: skip
    path.write_bytes(proto.getvalue())
    return path


def ids(path: Path, texts: list[str]) -> list[list[int]]:
    """Of each text after cc_net's normalisation, by our kernel."""
    pieces = SentencePieces(path)
    byte_ids = np.array(sorted(pieces.byte_pieces), np.int32)
    words = (np.zeros(0, np.uint64), np.zeros(0, np.int32))
    cutter = pieces.cutter(CodePoints(pieces.charsmap), pieces.numbers, byte_ids, words)
    found, offsets = cutter.cut(utf8(from_strings(texts)), np.arange(len(texts)))
    again, same = cutter.cut(utf8(from_strings(texts)), np.arange(len(texts)))
    assert found.tolist() == again.tolist() and offsets.tolist() == same.tolist()
    return [found[a:b].tolist() for a, b in pairwise(offsets)]


def assert_same(path: Path, texts: list[str]) -> None:
    """Ours are the library's; where they differ, two ways are equally good but for float32's rounding."""
    library = sentencepiece.SentencePieceProcessor(model_file=str(path))
    for text, ours in zip(texts, ids(path, texts), strict=True):
        theirs = library.encode(normalise(text))
        if ours != theirs:
            one, other = (sum(map(library.get_score, some)) for some in (ours, theirs))
            assert library.decode(ours) == library.decode(theirs) and len(text) > 1000
            assert one == pytest.approx(other, rel=1e-5)


def test_pieces_are_the_library_s_in_all_scripts(path: Path) -> None:
    assert SentencePieces(path).by_word
    articles = list(ARTICLES.values())
    assert_same(path, [*articles, " ".join(articles), "\n".join(articles * 3)])
    words = [word for article in articles for word in article.split()]
    assert ids(path, words) == sentencepiece.SentencePieceProcessor(model_file=str(path)).encode(
        [normalise(word) for word in words]
    )


@pytest.mark.parametrize("what", ODD)
def test_odd_texts_too(what: str, path: Path) -> None:
    assert_same(path, [ODD[what], f"All {ODD[what]}人人", ODD[what] * 2])


def test_any_characters_beside_one_another(tmp_path: Path) -> None:
    path = learn(tmp_path / "x.sp.model", byte_fallback=True, vocab_size=1100)  # so that what is unknown is seen too
    draw = random.Random(2)
    common = [
        chr(c)
        for c in (
            *range(32, 0x250),
            *range(0x300, 0x370),
            *range(0x5D0, 0x5F0),
            *range(0x900, 0xE80),
            *range(0x3041, 0x30FF),
        )
    ]
    common += [chr(c) for c in (*range(0x1100, 0x1200), *range(0xFF61, 0xFFA0))]
    rare = [chr(draw.choice([*range(0x1, 0xD7FF), *range(0xE000, 0x2FFFF)])) for _ in range(1000)]
    texts = ["".join(draw.choice(common if draw.random() < 0.8 else rare) for _ in range(30)) for _ in range(250)]
    library = sentencepiece.SentencePieceProcessor(model_file=str(path))
    assert ids(path, texts) == [library.encode(normalise(text)) for text in texts]


OTHERS = {
    "bytes for what is unknown": {"byte_fallback": True, "vocab_size": 1100},
    "no normalisation of its own": {"normalization_rule_name": "identity"},
    "pieces over spaces": {"split_by_whitespace": False},
    "no space before": {"add_dummy_prefix": False},
    "spaces as they are": {"remove_extra_whitespaces": False},
    "spaces behind words": {"treat_whitespace_as_suffix": True},
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_ways_to_learn_a_model(what: str, tmp_path: Path) -> None:
    other = learn(tmp_path / "x.sp.model", **OTHERS[what])
    assert_same(other, [*ARTICLES.values(), "\n".join(ARTICLES.values()), *ODD.values()])


def test_cc_net_s_normalisation_by_hand() -> None:
    # Thai, Devanagari and Hebrew lose marks of category Mn; lines are joined; the full-width one is a digit first.
    assert normalise(" Été\nà Paris…１") == "etea paris...0"
    assert normalise("สิทธิ हिन्दी שָׁלוֹם") == "สทธ हिनदी שלום"
    assert normalise("「你好」，（世界）！") == '"你好",(世界)!'
    assert normalise("ΟΔΟΣ") == "οδος"


def test_a_trie_finds_each_piece_and_no_other() -> None:
    draw = random.Random(3)
    pieces = sorted({"".join(draw.choices("ab一二가c\U0001f600", k=draw.randint(1, 7))) for _ in range(3000)})
    draw.shuffle(pieces)
    trie = piece_trie(pieces)

    def find(text: str) -> int:
        slot = 0
        for character in text:
            label = int(trie.labels[ord(character)])
            child = int(trie.nodes[slot, 1]) + label
            if label == 0 or trie.nodes[slot, 1] < 0 or trie.nodes[child, 0] != slot:
                return -1
            slot = child
        return int(trie.nodes[slot, 2])

    assert [find(piece) for piece in pieces] == list(range(len(pieces)))
    known = set(pieces)
    others = {"".join(draw.choices("ab一二가c\U0001f600z", k=draw.randint(1, 8))) for _ in range(3000)} - known
    assert all(find(other) == -1 for other in others)


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("is a BPE model", {"model_type": "bpe"}),
        ("is a word model", {"model_type": "word"}),
        ("pieces of its user's own", {"user_defined_symbols": ["<sep>"]}),
    ],
)
def test_models_of_another_kind_are_told_in_a_line(what: str, options: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=what) as told:
        SentencePieces(learn(tmp_path / "x.sp.model", **options))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("content", [b"", b"once upon a time", b"\x0a\xff\xff\xff\xff", b"\0" * 100])
def test_a_file_that_is_no_tokenizer_is_told_in_a_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.sp.model").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.sp\.model") as told:
        SentencePieces(tmp_path / "x.sp.model")
    assert "\n" not in str(told.value)


def test_nulls_and_slices_are_texts_too(path: Path) -> None:
    texts = pa.array(["All human", None, "人人生而", "beings"])
    pieces = SentencePieces(path)
    cutter = pieces.cutter(
        CodePoints(pieces.charsmap),
        pieces.numbers,
        np.zeros(0, np.int32),
        (np.zeros(0, np.uint64), np.zeros(0, np.int32)),
    )
    found, offsets = cutter.cut(utf8(texts.slice(1, 2)), np.array([1, 0]))
    library = sentencepiece.SentencePieceProcessor(model_file=str(path))
    assert found.tolist() == library.encode("人人生而") and offsets.tolist() == [0, len(found), len(found)]
