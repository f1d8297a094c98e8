"""What a user can get wrong with shards, tokenizer and settings is named in one line, and odd rows are no error."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.mixture.allotment import Phase
from schemas.errors import UserError
from train.corpus.blocks import blocks_of
from train.corpus.mixture import read_mixture
from train.corpus.shards import open_shards
from train.corpus.token_cache import TokenBlock, TokenCache
from train.corpus.tokenising import Tokens
from train.corpus.vocabulary import open_vocabulary


def put(path: Path, **columns: list[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def test_shards_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        open_shards(tmp_path / "nowhere")
    with pytest.raises(UserError, match="holds no data/"):
        open_shards(tmp_path)
    put(tmp_path / "data" / "eng_Latn" / "train-00000-of-00001.parquet", id=["a"], content=["b"])
    with pytest.raises(UserError, match="has no column text, only id, content"):
        open_shards(tmp_path)
    put(tmp_path / "data" / "eng_Latn" / "train-00000-of-00001.parquet", id=["a"], text=[1])
    with pytest.raises(UserError, match="has int64 in column text"):
        open_shards(tmp_path)
    (tmp_path / "data" / "eng_Latn" / "train-00000-of-00001.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match="is no parquet file"):
        open_shards(tmp_path)


def test_a_stray_file_is_named(tmp_path: Path) -> None:
    put(tmp_path / "data" / "eng_Latn" / "part-0.parquet", id=["a"], text=["b"])
    with pytest.raises(UserError, match=r"neither train-\*"):
        open_shards(tmp_path)


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        ({"languages": {"eng_Latn": {"epochs": -1}}}, "eng_Latn epochs = -1.0"),
        ({"languages": {"deu_Latn": {"epochs": 1}}}, "does not name eng_Latn"),
        ({"languages": {"eng_Latn": {"epochs": 1}, "deu_Latn": {"epochs": 1, "documents": 3}}}, "names deu_Latn"),
        ({"languages": {"eng_Latn": {"epochs": 0}}}, "every language epochs = 0"),
        ({"languages": {"eng_Latn": {}}}, "is no mixture"),
        ([], "is no mixture"),
    ],
)
def test_bad_mixtures_are_named(tmp_path: Path, mixture: object, message: str) -> None:
    path = tmp_path / "mixture.json"
    path.write_text(json.dumps(mixture), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_mixture(path, ("eng_Latn",))


def second_format(**changes: object) -> dict[str, object]:
    entry = {"documents": 1, "weighted": 10.0, "max_epochs": 4, "epochs": 1.0}
    phase = {"fraction": 1.0, "method": "temperature", "temperature": 3.33, "shares": {"eng_Latn": 1.0}}
    return {"format": 2, "languages": {"eng_Latn": entry}, "schedule": [phase]} | changes


ENTRY = second_format()["languages"]["eng_Latn"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 3}, r"is of format 3, and this trainer reads \(1, 2\)"),
        ({"schedule": []}, "no schedule of phases with a fraction above 0"),
        ({"schedule": [{"fraction": 1, "method": "natural", "shares": {"eng_Latn": -1}}]}, "eng_Latn a share = -1.0"),
        ({"schedule": [{"fraction": 1, "method": "natural"}]}, "is no mixture of languages: KeyError"),
        ({"languages": {"eng_Latn": ENTRY | {"weighted": 0}}}, "gives eng_Latn a share but weighted = 0"),
        ({"languages": {"eng_Latn": ENTRY | {"max_epochs": float("inf")}}}, "eng_Latn max_epochs = inf"),
        ({"languages": {"eng_Latn": ENTRY, "deu_Latn": ENTRY}}, "names deu_Latn, which has no training file"),
        ({"languages": {"deu_Latn": ENTRY}}, "does not name eng_Latn"),
    ],
)
def test_bad_mixtures_of_the_second_format_are_named(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:  # fmt: skip
    path = tmp_path / "mixture.json"
    path.write_text(json.dumps(second_format(**changes)), encoding="utf-8")
    with pytest.raises(UserError, match=message) as error:
        read_mixture(path, ("eng_Latn",))
    assert "\n" not in str(error.value)


def test_a_mixture_of_the_second_format(tmp_path: Path) -> None:
    """A language whose documents were all removed is left out of the shares."""
    phase = {"fraction": 3, "method": "temperature", "temperature": 2.0, "shares": {"eng_Latn": 0.7, "deu_Latn": 0.3}}
    other = {"fraction": 1, "method": "natural", "shares": {"eng_Latn": 1.0}}
    languages = {"eng_Latn": ENTRY, "deu_Latn": ENTRY | {"documents": 0}}
    path = tmp_path / "mixture.json"
    path.write_text(json.dumps(second_format(languages=languages, schedule=[phase, other])), encoding="utf-8")
    mixture = read_mixture(path, ("eng_Latn",))
    assert mixture.epochs is None and mixture.max_epochs == {"eng_Latn": 4} and mixture.weighted == {"eng_Latn": 10}
    assert mixture.methods == ("temperature 2", "natural")
    assert mixture.phases == (Phase(0.75, {"eng_Latn": 0.7}), Phase(0.25, {"eng_Latn": 1.0}))


def test_without_a_mixture_each_document_is_shown_once(tmp_path: Path) -> None:
    mixture = read_mixture(tmp_path / "mixture.json", ("eng_Latn", "zho_Hans"))
    assert mixture.epochs == {"eng_Latn": 1.0, "zho_Hans": 1.0} and mixture.max_epochs is None


def test_tokenizers_that_are_none(tmp_path: Path, corpus) -> None:
    with pytest.raises(UserError, match=r"holds no tokenizer\.json"):
        open_vocabulary(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="is no tokenizer") as error:
        open_vocabulary(tmp_path)
    assert "\n" not in str(error.value)
    shutil.copyfile(corpus.tokenizer / "tokenizer.json", tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text('{"mask_token": {"content": "[MASK]"}}', encoding="utf-8")
    with pytest.raises(UserError, match=r"has no token \[MASK\] to use as mask"):
        open_vocabulary(tmp_path)


def test_special_ids_need_no_tokenizer_config(tmp_path: Path, corpus) -> None:
    shutil.copyfile(corpus.tokenizer / "tokenizer.json", tmp_path / "tokenizer.json")
    vocabulary = open_vocabulary(tmp_path)
    assert vocabulary.special_ids == {"pad": 0, "bos": 2, "eos": 3, "mask": 4}
    assert vocabulary.special.nonzero()[0].tolist() == [0, 1, 2, 3, 4]
    assert vocabulary.size == 200 and len(vocabulary.ordinary) == 195


def test_special_tokens_in_a_text_are_text(corpus) -> None:
    vocabulary = open_vocabulary(corpus.tokenizer)
    ids = vocabulary.encode(["a <mask> b </s> <pad>"])[0]
    assert not {vocabulary.special_ids[role] for role in ("mask", "eos", "pad", "bos")} & set(ids)


def test_the_model_file_gives_the_same_ids_faster(tmp_path: Path, corpus) -> None:
    from tokenizer.learn import learn_vocabulary

    sentence = "the river carries light över stones пока люди собирают хлеб и говорят 河水带着光流过石头 人们收集"
    words = sentence.split()
    texts = [" ".join(words[start::step]) + "\n" for step in range(1, 9) for start in range(step)]
    learnt = learn_vocabulary(texts, model="unigram", vocab_size=420, allow_smaller=True, num_threads=1)
    for name, content in learnt.files.items():
        (tmp_path / name).write_bytes(content)
    fast = open_vocabulary(tmp_path)
    (tmp_path / "spm.model").rename(tmp_path / "model")
    slow = open_vocabulary(tmp_path)
    assert fast.encode.__module__ == "tokenizer.model" and slow.encode.__module__ == "train.corpus.vocabulary"
    odd = ["", " ", "a <mask>  b\t</s>", "\u2581\x10", "👩‍👩‍👧 ﷽ \x00"]
    assert fast.encode([*texts, *odd]) == slow.encode([*texts, *odd])
    # Another model's file, or none at all, is not believed.
    for stranger in (b"no model", (tmp_path / "model").read_bytes()):
        shutil.copytree(corpus.tokenizer, tmp_path / "other", dirs_exist_ok=True)
        (tmp_path / "other" / "spm.model").write_bytes(stranger)
        assert open_vocabulary(tmp_path / "other").encode.__module__ == "train.corpus.vocabulary"


def blocks(root: Path, tokenizer: Path) -> list[TokenBlock]:
    """All of the English training split."""
    cache = TokenCache(root / "cache", open_vocabulary(tokenizer))
    there = blocks_of(open_shards(root).files, "eng_Latn", "train")
    tokens = Tokens(cache, tokenizer, 0)
    return [tokens(there.block(number)) for number in range(len(there))]


def test_odd_rows_are_no_error(tmp_path: Path, corpus) -> None:
    file = tmp_path / "data" / "eng_Latn" / "train-00000-of-00002.parquet"
    put(file, id=["a", "b", "c"], text=["bread", None, ""])
    empty = pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.string())})
    pq.write_table(empty, file.with_name("train-00001-of-00002.parquet"))
    found = blocks(tmp_path, corpus.tokenizer)
    assert sum(map(len, (block.tokens for block in found))) == 3
    assert found[0].tokens[0] > 0 and found[0].tokens[1:].tolist() == [0, 0]
    assert found[0].characters == 5


def test_weights_are_the_shard_s_and_1_where_it_has_none(tmp_path: Path, corpus) -> None:
    file = tmp_path / "data" / "eng_Latn" / "train-00000-of-00002.parquet"
    put(file, id=["a", "b"], text=["bread", "rain"], weight=[0.25, 2.0])
    put(file.with_name("train-00001-of-00002.parquet"), id=["c"], text=["light"])
    assert [block.weight.tolist() for block in blocks(tmp_path, corpus.tokenizer)] == [[0.25, 2.0], [1.0]]


@pytest.mark.parametrize("weight", [-1.0, float("nan"), None])
def test_a_weight_that_is_none_is_named(tmp_path: Path, corpus, weight: float | None) -> None:
    file = tmp_path / "data" / "eng_Latn" / "train.parquet"
    put(file, id=["a", "b"], text=["x", "y"], weight=[1.0, weight])
    with pytest.raises(
        UserError, match=r"train\.parquet has a row of weight (-1\.0|nan), which is no number from 0 up"
    ):
        blocks(tmp_path, corpus.tokenizer)
    put(file, id=["a", "b"], text=["x", "y"], weight=["1", "2"])
    with pytest.raises(UserError, match="has string in column weight"):
        open_shards(tmp_path)


def test_a_null_id_is_named(tmp_path: Path, corpus) -> None:
    put(tmp_path / "data" / "eng_Latn" / "train.parquet", id=["a", None], text=["x", "y"])
    with pytest.raises(UserError, match="row without id"):
        blocks(tmp_path, corpus.tokenizer)


def test_a_changed_shard_is_not_taken_for_the_old_one(tmp_path: Path, corpus) -> None:
    file = tmp_path / "data" / "eng_Latn" / "train.parquet"
    identities, ids = set(), []
    for text in ("bread and rain", "stones of light"):
        put(file, id=["a"], text=[text])
        identities.add(open_shards(tmp_path).identity())
        ids.append(blocks(tmp_path, corpus.tokenizer)[0].ids.tolist())
    assert len(identities) == 2 and ids[0] != ids[1]


def test_a_wordpiece_vocabulary_has_its_roles(tmp_path: Path) -> None:
    from tokenizer.learn import learn_vocabulary

    texts = ["the river carries light over stones", "the stones carry the river"] * 20
    learnt = learn_vocabulary(texts, model="wordpiece", vocab_size=128, allow_smaller=True)
    for name, content in learnt.files.items():
        (tmp_path / name).write_bytes(content)
    vocabulary = open_vocabulary(tmp_path)
    assert vocabulary.special_ids == {"pad": 0, "bos": 2, "eos": 3, "mask": 4}
    assert vocabulary.size == len(learnt.pieces) and vocabulary.size % 64 == 0
    spare = [number for number, piece in enumerate(learnt.pieces) if piece.startswith("<spare_")]
    assert spare and not set(spare) & set(vocabulary.ordinary.tolist())
    assert vocabulary.encode(["the [MASK] river"])[0].count(4) == 0
