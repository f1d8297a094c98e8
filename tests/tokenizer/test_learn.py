import hashlib
import json
import os
import string
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import UserError
from tokenizer.cleaning import cut as _cut
from tokenizer.model import BYTE_PIECES, RESERVED, SCORE_STEP, SPECIAL_TOKENS, encoder, read_vocabulary
from tokenizer.sentencepieces import learn_sentencepiece

REPOSITORY = Path(__file__).resolve().parents[2]


def pieces_of(model_proto: bytes, text: str) -> list[str]:
    vocabulary = read_vocabulary(model_proto)
    return [vocabulary[i][0] for i in encoder(model_proto)([text])[0]]


def test_the_ids_of_special_tokens_and_bytes_are_fixed(model_proto: bytes) -> None:
    pieces = [piece for piece, _ in read_vocabulary(model_proto)]
    assert pieces[:5] == ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
    assert (pieces[5], pieces[260], RESERVED) == ("<0x00>", "<0xFF>", 261)
    assert len(pieces) == len(set(pieces)) == 850


def test_the_learned_pieces_are_words_of_every_script(model_proto: bytes) -> None:
    pieces = {piece for piece, _ in read_vocabulary(model_proto)}
    assert {
        "\u2581bridge",
        "\u2581köprü",
        "橋を",
        "\u2581아",
        "\u2581ال",
        "\u2581है",
        "ில்",
        "\u2581ማን",
        "და",
        "ый",
    } <= pieces


def test_scores_are_whole_steps_and_fall_with_the_id(model_proto: bytes) -> None:
    scores = [score for _, score in read_vocabulary(model_proto)][RESERVED:]
    assert all((score / SCORE_STEP).is_integer() for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 20


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        (" ", ["\u2581"]),
        ("2024", ["2", "0", "2", "4"]),
        (" bridge  bridge", ["\u2581bridge", "\u2581", "\u2581bridge"]),
        ("\n\t\n", ["\n", "\t", "\n"]),
        ("x\u2581y", ["x", "<0x10>", "1", "y"]),
        ("\x10", ["<0x10>", "0"]),
        ("\U0001f600", ["<0xF0>", "<0x9F>", "<0x98>", "<0x80>"]),
        ("<s>", ["<", "s", ">"]),
    ],
)
def test_golden_pieces(model_proto: bytes, text: str, pieces: list[str]) -> None:
    assert pieces_of(model_proto, text) == pieces


def test_a_run_of_spaces_is_one_piece(model_proto: bytes) -> None:
    assert "\u2581" * 7 in pieces_of(model_proto, "\n        return")


def test_no_piece_crosses_a_digit_or_a_script(model_proto: bytes) -> None:
    for piece, _ in read_vocabulary(model_proto)[RESERVED:]:
        letters = piece.lstrip("\u2581")
        assert "\u2581" not in letters
        assert len(letters) < 2 or not any(character.isdigit() for character in letters), piece
        assert not (any("a" <= c <= "z" for c in letters) and any("\u0400" <= c <= "\u04ff" for c in letters)), piece


def test_the_same_sample_gives_the_same_bytes_in_another_process(sample: list[str], model_proto: bytes) -> None:
    code = (
        "import hashlib, sys, json; from tokenizer.sentencepieces import learn_sentencepiece\n"
        "model = learn_sentencepiece(json.load(sys.stdin), vocab_size=850, character_coverage=1.0, num_threads=2)\n"
        "print(hashlib.sha256(model).hexdigest())"
    )
    digests = {hashlib.sha256(model_proto).hexdigest()}
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(sample),
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""  # the trainer's log stays away
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_the_model_holds_no_path(model_proto: bytes) -> None:
    assert b".tsv" not in model_proto
    assert tempfile.gettempdir().encode() not in model_proto


def test_a_sample_too_small_names_the_largest_vocabulary(sample: list[str]) -> None:
    with pytest.raises(UserError, match=r"^vocab_size 50000 is more than the sample holds: at most \d+;") as caught:
        learn_sentencepiece(sample, vocab_size=50_000)
    largest = int(str(caught.value).split("at most ")[1].split(";")[0])
    assert len(read_vocabulary(learn_sentencepiece(sample, vocab_size=largest))) == largest
    with pytest.raises(UserError, match="at most"):
        learn_sentencepiece(sample, vocab_size=largest + 1)
    assert len(read_vocabulary(learn_sentencepiece(sample, vocab_size=50_000, allow_smaller=True))) == largest


def test_a_vocabulary_too_small_names_the_smallest(sample: list[str]) -> None:
    with pytest.raises(UserError, match=r"^vocab_size 300 is too small: .* take \d+;") as caught:
        learn_sentencepiece(sample, vocab_size=300)
    smallest = int(str(caught.value).split("take ")[1].split(";")[0])
    assert len(read_vocabulary(learn_sentencepiece(sample, vocab_size=smallest))) == smallest
    with pytest.raises(UserError, match="too small"):
        learn_sentencepiece(sample, vocab_size=smallest - 1)


@pytest.mark.parametrize("empty", [[], [""], ["\n", " \n"]])
def test_a_sample_without_text_is_an_error(empty: list[str]) -> None:
    with pytest.raises(UserError, match="no text to learn"):
        learn_sentencepiece(empty, vocab_size=400, allow_smaller=True)


def test_required_characters_have_a_piece_whatever_the_sample_covers() -> None:
    """A few letters reach the coverage, so the trainer itself leaves out digits, capitals and the space."""
    sample = [f"{a}hello{b}" for a in "abcdef" for b in "uvwxyz"]
    model = learn_sentencepiece(sample, vocab_size=400, allow_smaller=True)
    pieces = [piece for piece, _ in read_vocabulary(model)]
    assert any("hello" in piece for piece in pieces)
    assert set(string.printable) - set("\r\x0b\x0c ") | {"\u2581"} <= set(pieces)
    assert pieces_of(model, "Z <s>\n") == ["Z", "\u2581", "<", "s", ">", "\n"]
    with pytest.raises(UserError, match="no room for"):
        learn_sentencepiece(sample, vocab_size=282)


def test_required_characters_take_the_place_of_the_lowest_pieces() -> None:
    sample = [f"{a}hello{b}world{a}" for a in string.ascii_letters for b in string.ascii_letters]
    small, large = (
        [piece for piece, _ in read_vocabulary(learn_sentencepiece(sample, vocab_size=size))] for size in (366, 400)
    )
    assert (len(small), len(large)) == (366, 400)
    assert {"0", "~", "\u2581"} <= set(small) & set(large)
    assert all(any("hello" in piece for piece in pieces) for pieces in (small, large))


@pytest.mark.parametrize(
    ("field", "value"), [("character_coverage", 0.5), ("max_sentence_bytes", 10), ("num_threads", 0), ("vocab_size", 0)]
)
def test_values_out_of_range(sample: list[str], field: str, value: float) -> None:
    with pytest.raises(UserError, match=field):
        learn_sentencepiece(sample, **{"vocab_size": 850, field: value})


def test_the_iterators_own_error_comes_through() -> None:
    def broken() -> Iterator[str]:
        yield "one sentence"
        raise OSError("the table is gone")

    with pytest.raises(OSError, match="the table is gone"):
        learn_sentencepiece(broken(), vocab_size=400)


def test_long_and_odd_sentences_are_not_dropped() -> None:
    """SentencePiece alone skips a line over its limit, one with U+2585, and one with NUL."""
    pairs = [f"{a} {{}}{comma} {b}" for a in "abcdefgh" for b in "stuvwxyz" for comma in ("", ",")]
    sample = [
        " ".join(pair.format("alpha") for pair in pairs * 9),
        *("\u2585" + pair.format("gamma") for pair in pairs),
        *(pair.format("ep\0silon") for pair in pairs),
    ]
    model = learn_sentencepiece(sample, vocab_size=450, allow_smaller=True)
    assert pieces_of(model, " alpha gamma epsilon") == ["\u2581alpha", "\u2581gamma", "\u2581epsilon"]


def test_a_space_has_a_piece_even_where_the_sample_has_none() -> None:
    model = learn_sentencepiece(["今天早上河水很高。", "今天河水高。"] * 5, vocab_size=400, allow_smaller=True)
    assert pieces_of(model, "a b\n") == ["a", "\u2581", "b", "\n"]


@given(st.text(st.sampled_from("ab \nñ中😀"), max_size=200))
@settings(max_examples=200, deadline=None)
def test_cut_loses_nothing(text: str) -> None:
    parts = list(_cut(text, 64))
    assert "".join(parts) == text
    assert all(0 < len(part.encode()) <= 64 for part in parts)


def test_cut_prefers_line_breaks_then_spaces() -> None:
    assert list(_cut("a" * 40 + "\n" + "b" * 20 + " " + "c" * 20, 64)) == ["a" * 40, "\n" + "b" * 20 + " " + "c" * 20]
    assert list(_cut("a" * 40 + " " + "b" * 40, 64)) == ["a" * 40, " " + "b" * 40]
    assert list(_cut("中" * 30, 64)) == ["中" * 21, "中" * 9]


def test_the_layout_of_another_model_is_refused(sample: list[str], tmp_path: Path) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sample),
        model_prefix=str(tmp_path / "other"),
        vocab_size=500,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with pytest.raises(UserError, match=r"tokenizer\.learn"):
        read_vocabulary((tmp_path / "other.model").read_bytes())
    with pytest.raises(UserError, match="not a SentencePiece model"):
        read_vocabulary(b"no model")


def test_constants() -> None:
    assert len(SPECIAL_TOKENS) == 5
    assert BYTE_PIECES[10] == "<0x0A>"
