"""Two vocabularies become one by what their tokens stand for; hand-worked, and on texts of fourteen scripts."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_encoders import SENTENCES, save_tokenizer
from tokenizers import Tokenizer

from schemas.errors import UserError
from tokenizer.fast import PROBES, encoder_of
from tokenizer.growing.forms import Form, form_of, shared, spelled, vocabulary
from tokenizer.growing.union import Union, unite
from tokenizer.learn import learn_vocabulary
from train.corpus.vocabulary import open_vocabulary

TEXTS = list(SENTENCES.values())
OURS = ("unigram", "byte-pair", "our wordpiece")
KINDS = (*OURS, "bert", "xlm-roberta", "modernbert")
LOSSLESS = ("unigram", "byte-pair", "modernbert")  # whatever the text


def text(value: str | bytes) -> Form:
    return Form("text", value.encode() if isinstance(value, str) else value)


@pytest.mark.parametrize(
    ("convention", "piece", "form"),
    [
        ("unigram", "\u2581the", text(" the")),
        ("bytes", "\u0120the", text(" the")),
        ("wordpiece", "the", text(" the")),
        ("unigram", "ing", text("ing")),
        ("bytes", "ing", text("ing")),
        ("wordpiece", "##ing", text("ing")),
        ("wordpiece", ".", text(".")),
        ("wordpiece", "##.", text(".")),
        ("wordpiece", "北", text("北")),
        ("unigram", "北京", text("北京")),
        ("bytes", "åĮĹ", text("北")),
        ("bytes", "åĮ", text(b"\xe5\x8c")),
        ("unigram", "<0xE5>", text(b"\xe5")),
        ("bytes", "å", text(b"\xe5")),
        ("unigram", "<0x41>", Form("byte", b"A")),
        ("bpe", "A", text("A")),
        ("bpe", "\u2581กรุง", text(" กรุง")),
        ("wordpiece", "กรุง", text(" กรุง")),
        ("wordpiece", "##القاهرة", text("القاهرة")),
        ("bpe", "\u2581\u2581", text("  ")),
        ("bytes", "Ċ", text("\n")),
    ],
)
def test_what_a_token_stands_for(convention: Any, piece: str, form: Form) -> None:
    found = form_of(piece, convention)
    assert found == form
    if form.kind == "text" and piece != "##.":
        assert spelled(form, convention, True) == piece


@pytest.mark.parametrize(
    ("convention", "form"),
    [
        ("unigram", text("of the")),  # a space behind a word
        ("unigram", text(b"\xe5\x8c")),
        ("wordpiece", text("北京")),  # BERT cuts it
        ("wordpiece", text(" .")),
        ("wordpiece", text(" ")),
        ("wordpiece", text("\n")),
        ("wordpiece", text(b"\xe5")),
        ("bytes", text("a b")),
        ("unigram", text("a\u2581b")),
        ("unigram", text("<0x41>")),
        ("bpe", Form("special", b"mask")),
    ],
)
def test_what_a_vocabulary_has_no_place_for(convention: Any, form: Form) -> None:
    assert spelled(form, convention, True) is None


def tokenizer(folder: Path, kind: str, texts: list[str] = TEXTS, size: int = 700) -> Path:
    """Of any kind; ours learn from these texts."""
    if kind not in OURS:
        save_tokenizer(kind, folder)
        return folder
    models: dict[str, Any] = {"unigram": "unigram", "byte-pair": "bpe", "our wordpiece": "wordpiece"}
    learnt = learn_vocabulary(texts * 2, model=models[kind], vocab_size=size, num_threads=1, allow_smaller=True)
    folder.mkdir(parents=True)
    for name, content in learnt.files.items():
        (folder / name).write_bytes(content)
    return folder


def read(folder: Path) -> Any:
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    roles = {number: role for role, number in open_vocabulary(folder).special_ids.items()}
    return vocabulary(content, roles, folder.name)


def united(first: Path, *others: Path) -> Union:
    files = {path.name: path.read_bytes() for path in first.iterdir()}
    return unite(files, read(first), [read(one) for one in others], first.name)


def write(folder: Path, found: Union) -> Path:
    folder.mkdir()
    for name, content in found.files.items():
        (folder / name).write_bytes(content)
    return folder


def hand_made(folder: Path, kind: str, pieces: list[str], special: dict[str, str]) -> Path:
    """special: name -> role's key in tokenizer_config.json."""
    tokens = [*special, *pieces]
    if kind == "WordPiece":
        model: dict[str, Any] = {
            "type": kind,
            "unk_token": tokens[0],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {t: n for n, t in enumerate(tokens)},
        }
        rest: dict[str, Any] = {"pre_tokenizer": {"type": "BertPreTokenizer"}}
    else:
        model = {
            "type": "Unigram",
            "unk_id": 0,
            "vocab": [[t, -float(n)] for n, t in enumerate(tokens)],
            "byte_fallback": True,
        }
        rest = {
            "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "split": True}
        }
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    added = [{"id": n, "content": t, **flags, "special": True} for n, t in enumerate(special)]
    folder.mkdir()
    content = {"version": "1.0", "added_tokens": added, "model": model, **rest}
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    names = {role: name for name, role in special.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps(names), encoding="utf-8")
    return folder


def test_a_union_worked_by_hand(tmp_path: Path) -> None:
    keys = ("unk_token", "pad_token", "bos_token", "eos_token", "mask_token")
    roles = dict(zip(("<u>", "<p>", "<b>", "<e>", "<m>"), keys, strict=True))
    one = hand_made(tmp_path / "one", "Unigram", ["\u2581the", "the", "北", "กรุง", "<0xE5>", "<0x41>", "."], roles)
    named = dict(zip(("[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", "[eng]"),
                     ("unk_token", "pad_token", "cls_token", "sep_token", "mask_token", "x"), strict=True))  # fmt: skip
    pieces = ["the", "##the", "北", "##北", "กรุง", "##กรุง", "القاهرة", ".", "京"]
    other = hand_made(tmp_path / "other", "WordPiece", pieces, named)
    found = united(one, other)
    # " the", "the", 北, "กรุง" and "." are there; the Thai word behind a space and the two others are not.
    new = ["\u2581กรุง", "\u2581", "القاهرة", "京"]
    content = json.loads(found.files["tokenizer.json"])
    listed = [piece for piece, _ in content["model"]["vocab"]]
    old = [*roles, "\u2581the", "the", "北", "กรุง", "<0xE5>", "<0x41>", "."]
    assert listed[: len(old)] == old
    words = [piece for piece in listed[len(old) :] if len(piece) > 1]
    assert words == ["\u2581กรุง", "\u2581القاهرة", "[eng]"]
    assert "京" in listed and not {"##the", "[MASK]", "##北"} & set(listed)
    singles = {piece for piece in listed if len(piece) == 1}
    assert singles >= set("".join(new).replace("\u2581", "")) | {"\u2581"}  # each character of a new piece
    assert found.first == len(old) and len(found.forms) == len(listed)
    assert found.forms[listed.index("\u2581กรุง")] == text(" กรุง")
    assert found.forms[listed.index("<m>")] == Form("special", b"mask")
    assert found.left_out == [0]
    both = Tokenizer.from_str(found.files["tokenizer.json"].decode())
    assert both.encode("the the กรุง京", add_special_tokens=False).tokens == ["the", "\u2581the", "\u2581กรุง", "京"]
    assert both.token_to_id("[eng]") == len(listed) - 1


@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", KINDS)
def test_any_two_kinds(tmp_path: Path, first: str, second: str) -> None:
    """Ids stay, the others' tokens get theirs once, and texts in all scripts come back where a parent gives them."""
    one = tokenizer(tmp_path / "one", first, [SENTENCES[name] for name in ("eng_Latn", "cmn_Hani", "arb_Arab")], 600)
    other = tokenizer(tmp_path / "other", second)
    before, behind = read(one), read(other)
    found = united(one, other)
    folder = write(tmp_path / "both", found)
    opened = read(folder)
    assert opened.tokens[: len(before.tokens)] == before.tokens
    assert len(opened.tokens) == len(found.forms) == len(set(opened.tokens))
    assert found.added == len(found.forms) - found.first
    placed = {form for form in behind.forms if form and spelled(form, before.convention, before.has_bytes)}
    assert {form for form in placed if form not in found.forms} == set() or found.left_out[0]
    new = [form for form in found.forms[found.first :] if form and form.kind == "text"]
    assert len(new) == len(set(new)) and not set(new) & set(before.forms)
    if first != second and found.left_out == [0]:
        assert {form for form in behind.ids if form.kind == "text"} <= set(found.forms)
    encode = open_vocabulary(folder).encode
    slow = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for sentence, ids in zip(TEXTS, encode(TEXTS), strict=True):
        if first in LOSSLESS:
            assert slow.decode(ids) == sentence
        if second in LOSSLESS and first != "xlm-roberta" and first not in ("bert", "our wordpiece"):
            assert open_vocabulary(folder).special[ids].sum() == 0
    own = read(one)
    assert own.ids == {form: number for form, number in opened.ids.items() if number < len(own.forms)}


@pytest.mark.parametrize("kind", ["unigram", "byte-pair"])
def test_the_model_file_and_tokenizer_json_agree(tmp_path: Path, kind: str) -> None:
    one = tokenizer(tmp_path / "one", kind, [SENTENCES["eng_Latn"]], 450)
    found = united(one, tokenizer(tmp_path / "other", "modernbert"), tokenizer(tmp_path / "third", "our wordpiece"))
    fast = encoder_of(found.files)
    exact = Tokenizer.from_str(found.files["tokenizer.json"].decode())
    exact.encode_special_tokens = True
    for sentence in [*TEXTS, *PROBES]:
        assert fast([sentence])[0] == exact.encode(sentence, add_special_tokens=False).ids


@pytest.mark.parametrize("kind", ["modernbert", "byte-pair"])
def test_bpe_comes_to_whole_words_of_another_kind(tmp_path: Path, kind: str) -> None:
    """Words of WordPiece have no merges of their own: the bridges lead to them."""
    one = tokenizer(tmp_path / "one", kind, ["abc"], 450)
    roles = dict(zip(("[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"),
                     ("unk_token", "pad_token", "cls_token", "sep_token", "mask_token"), strict=True))  # fmt: skip
    other = hand_made(tmp_path / "other", "WordPiece", ["zebra", "ንጉሥ", "##ზღვა"], roles)
    found = united(one, other)
    assert found.bridges > 0
    encode = encoder_of(found.files)
    for word in (" zebra", " ንጉሥ", "ზღვა"):
        (ids,) = encode([f"{word}"])
        assert [found.forms[number] for number in ids] == [text(word)]


def test_kinds_that_are_not_supported_are_one_line(tmp_path: Path) -> None:
    for model in ({"type": "WordLevel", "vocab": {"a": 0}}, {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": {}}):
        with pytest.raises(UserError, match=r"parent: a tokenizer of the kind .* supported are Unigram"):
            vocabulary({"model": model}, {}, "parent")
    one = tokenizer(tmp_path / "one", "bert")
    first = read(one)
    first.tokens[7] = None
    with pytest.raises(UserError, match="id 7 has no token"):
        unite({}, first, [], "parent")


def test_what_two_share(tmp_path: Path) -> None:
    one = read(tokenizer(tmp_path / "one", "unigram", [SENTENCES["eng_Latn"]], 450))
    roles = dict(zip(("[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"),
                     ("unk_token", "pad_token", "cls_token", "sep_token", "mask_token"), strict=True))  # fmt: skip
    other = read(hand_made(tmp_path / "other", "WordPiece", ["ንጉሥ", "北京"], roles))
    assert shared([one, one]) > 20
    assert shared([one, other]) == 0
