"""Where sentences end in tokens: against the tokenizers' own account of what each token stands for."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from tokenizer.learn import learn_vocabulary
from tokenizer.sentences import sentence_ends
from train.corpus.blocks import Block, blocks_of
from train.corpus.sentence_ends import SentenceCache
from train.corpus.shards import open_shards
from train.corpus.token_cache import TokenBlock, TokenCache
from train.corpus.tokenising import Tokens
from train.corpus.vocabulary import open_vocabulary

TEXTS = [
    'About 3.14. "Why?" she asked.  (Because.)\n\n \nDone',
    "One sentence without an end",
    "今天天气很好。我们去公园吧！你说：“好的。”然后呢？\n第二段",
    "「行く。」と言った。本当！？３．１４です。はい",
    "안녕하세요. 반갑습니다! 끝",
    "ภาษาไทยไม่มีจุด เว้นวรรคใช่ประโยค\nบรรทัดใหม่ มี 5 คน",
    "នេះជាប្រយោគ។ ថ្មី\nបន្ទាត់",
    "هذه جملة. هل هذا سؤال؟ نعم! النهاية",
    'זה משפט. "למה?" שאל',
    "यह पहला वाक्य है। यह दूसरा है॥ तीसरा? अंत",
    "இது ஒரு வாக்கியம். ஏன்? முடிவு",
    "ይህ ዓረፍተ ነገር ነው። ሁለተኛው ነው፧ ሦስተኛ",
    "ეს წინადადებაა. რატომ? დასასრული",
    "Это предложение. «Почему?» Конец…  Да",
    "Bu bir cümle. Neden? İşte",
    "",
    " \n ",
    None,
]


def metaspace(folder: Path) -> None:
    """A dummy space before each text: its parts have other ids than the whole has."""
    _train(folder, pre_tokenizers.Metaspace())


def byte_level(folder: Path) -> None:
    _train(folder, pre_tokenizers.ByteLevel(add_prefix_space=False))


def across(folder: Path) -> None:
    """Tokens that reach over the ends of sentences."""
    _train(folder, None, 600)


def _train(folder: Path, pre_tokenizer: object, vocab_size: int = 500) -> None:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFKC()
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer  # type: ignore[assignment]
    special = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([text for text in TEXTS if text] * 3, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))


def unigram(folder: Path) -> None:
    _learn(folder, "unigram", 640)


def wordpiece(folder: Path) -> None:
    _learn(folder, "wordpiece", 512)


def _learn(folder: Path, model: str, size: int) -> None:
    texts = [text for text in TEXTS if text] * 9
    learnt = learn_vocabulary(texts, model=model, vocab_size=size, allow_smaller=True)  # type: ignore[arg-type]
    for name, content in learnt.files.items():
        (folder / name).write_bytes(content)


KINDS = {one.__name__: one for one in (metaspace, byte_level, across, unigram, wordpiece)}


def shard(root: Path) -> Block:
    """The block of all texts."""
    path = root / "data" / "mul_Zyyy" / "train.parquet"
    path.parent.mkdir(parents=True)
    ids = [str(number) for number in range(len(TEXTS))]
    pq.write_table(pa.table({"id": ids, "text": pa.array(TEXTS, pa.string())}), path)
    return blocks_of(open_shards(root).files, "mul_Zyyy", "train").block(0)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    (tmp_path / "vocab").mkdir()
    KINDS[request.param](tmp_path / "vocab")
    return str(request.param)


def own_ends(block: TokenBlock, row: int) -> list[int]:
    """Of a document, from its first token."""
    assert block.sentence_ends is not None
    begin = int(block.begins[row])
    return [end - begin for end in block.sentence_ends.tolist() if begin < end < begin + int(block.tokens[row])]


def test_ends_are_those_of_the_characters(tmp_path: Path, kind: str) -> None:
    """For each end: the tokens before it stand for characters before it alone, those behind it for the others; and no
    such end is missing."""
    block = shard(tmp_path / "sample")
    cache = TokenCache(tmp_path / "tokens", open_vocabulary(tmp_path / "vocab"))
    found = Tokens(cache, tmp_path / "vocab", 0, sentences=True)(block)
    plain = Tokens(cache, tmp_path / "vocab", 0)(block)
    assert plain.sentence_ends is None and plain.ids.tolist() == found.ids.tolist()
    tokenizer = Tokenizer.from_file(str(tmp_path / "vocab" / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    count = 0
    for row, text in enumerate(TEXTS):
        offsets = tokenizer.encode(text or "", add_special_tokens=False).offsets
        assert len(offsets) == found.tokens[row]
        ends = {
            place
            for end in sentence_ends(text or "")
            for place in range(1, len(offsets))
            if max(stop for _, stop in offsets[:place]) <= end <= min(start for start, _ in offsets[place:])
        }
        mine = own_ends(found, row)
        assert mine == sorted(set(mine))
        # A token without a character of its own, as a space that is not written, may stand on either side.
        assert len(mine) <= len(sentence_ends(text or ""))
        assert set(mine) <= ends if kind != "unigram" else len(ends) >= len(mine)
        count += len(mine)
    wanted = sum(max(0, len(sentence_ends(text or "")) - 1) for text in TEXTS)
    assert wanted == 38
    assert {"unigram": wanted, "wordpiece": wanted, "byte_level": wanted}.get(kind, 0) <= count <= wanted
    if kind == "across":
        assert 0 < count < wanted


def test_ids_that_no_account_is_given_of_have_no_inner_end(tmp_path: Path) -> None:
    """Where neither the parts nor tokenizer.json give the document's ids, the document is one sentence."""
    (tmp_path / "vocab").mkdir()
    unigram(tmp_path / "vocab")
    cache = SentenceCache(TokenCache(tmp_path / "tokens", open_vocabulary(tmp_path / "vocab")))
    text = "One. Two. Three"
    ids = np.array(cache.tokens.vocabulary.encode([text])[0])
    assert len(cache._ends([text], [ids])[0]) == 2
    assert cache._ends([text], [ids[::-1]]) == [[]]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "of another block"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    (tmp_path / "vocab").mkdir()
    metaspace(tmp_path / "vocab")
    block, said = shard(tmp_path / "sample"), list[str]()
    cache = TokenCache(tmp_path / "tokens", open_vocabulary(tmp_path / "vocab"), said.append)
    expected = Tokens(cache, tmp_path / "vocab", 0, sentences=True)(block)
    ends = SentenceCache(cache)
    content = bytearray(ends.path(block).read_bytes())
    if damage == "of another block":
        ends.write(block, [[]] * len(TEXTS), 7)
    else:
        content[40] ^= 4
        ends.path(block).write_bytes({"cut": content[:-9], "flipped": content, "empty": b""}[damage])
    again = Tokens(cache, tmp_path / "vocab", 0, sentences=True)(block)
    assert again.sentence_ends is not None and expected.sentence_ends is not None
    assert again.sentence_ends.tolist() == expected.sentence_ends.tolist()
    assert len(said) == 1 and "is damaged: its sentences are looked for again" in said[0]
    cache.path(block).unlink()
    ends.path(block).unlink()
    Tokens(cache, tmp_path / "vocab", 0, sentences=True)(block)
    assert not list(tmp_path.rglob("*.part")) and not list(tmp_path.rglob("*.claim"))


def test_processes_make_both_files_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the ids have been there before."""
    import train.corpus.tokenising as tokenising

    monkeypatch.setattr(tokenising, "MANY", 1)
    (tmp_path / "vocab").mkdir()
    metaspace(tmp_path / "vocab")
    block = shard(tmp_path / "sample")
    cache = TokenCache(tmp_path / "tokens", open_vocabulary(tmp_path / "vocab"))
    cache.make(block)
    tokens = Tokens(cache, tmp_path / "vocab", 1, sentences=True)
    tokens.ahead([block])
    try:
        assert tokens._coming
        assert tokens(block).sentence_ends is not None
    finally:
        tokens.close()


def test_a_row_group_of_no_rows(tmp_path: Path) -> None:
    (tmp_path / "vocab").mkdir()
    metaspace(tmp_path / "vocab")
    path = tmp_path / "sample" / "data" / "mul_Zyyy" / "train.parquet"
    path.parent.mkdir(parents=True)
    empty = pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.string())})
    with pq.ParquetWriter(path, empty.schema) as out:
        out.write_table(empty)
        out.write_table(pa.table({"id": ["a"], "text": ["One. Two."]}))
    blocks = blocks_of(open_shards(tmp_path / "sample").files, "mul_Zyyy", "train")
    tokens = Tokens(TokenCache(tmp_path / "tokens", open_vocabulary(tmp_path / "vocab")), tmp_path / "vocab", 0, True)
    ends = [tokens(blocks.block(number)).sentence_ends for number in range(len(blocks))]
    assert [len(one) for one in ends if one is not None][-1] == 1
    assert json.dumps([len(one) for one in ends if one is not None]) in ("[1]", "[0, 1]")
