"""Models of several vocabularies as models of one: each keeps what it knew, as transformers and the trainer see it."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from tiny_encoders import SENTENCES, save_encoder
from tokenizers import decoders
from training_runs import log, pretrain

from train.encoders.opened import open_model
from train.fuse import main
from train.likelihood.held_out_texts import HeldOutText
from train.likelihood.masked_accuracy import masked_accuracy
from train.model_folders.huggingface import load_encoder

KINDS = {"bytes": "modernbert", "words": "bert", "spaces": "xlm-roberta"}
TEXTS = list(SENTENCES.values())


def texts(folder: Path, times: int = 20) -> Path:
    folder.mkdir()
    for language, sentence in SENTENCES.items():
        (folder / f"{language}.txt").write_text("\n".join(f"{sentence} {n}" for n in range(times)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def parents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("parents")
    return {name: save_encoder(kind, root / name, seed) for seed, (name, kind) in enumerate(KINDS.items())}


def made(parents: dict[str, Path], output: Path, *more: object) -> dict[str, Any]:
    named = [word for name, path in parents.items() for word in ("--parent", f"{name}={path}")]
    assert main(["vocabulary", *named, "--output", str(output), *map(str, more)]) == 0
    return json.loads((output / "vocabulary.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=["bytes", "words", "spaces"])
def union(
    request: pytest.FixtureRequest, parents: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Path], Path]:
    """(the parents, that one first; the union by pieces)."""
    ordered = {request.param: parents[request.param], **parents}
    output = tmp_path_factory.mktemp("union") / "out"
    made(ordered, output, "--new-rows", "pieces")
    return ordered, output


def opened(folder: Path) -> tuple[Any, Any]:
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder)
    return model.eval(), transformers.AutoTokenizer.from_pretrained(folder)


def meaning(token: str, kind: str) -> str:
    """What a token of these fixtures says, by each convention's own decoder; nothing of parts of characters."""
    if kind == "modernbert":
        text = decoders.ByteLevel().decode([token])
        return "" if "\ufffd" in text else text
    if kind == "xlm-roberta":
        return token.replace("\u2581", " ")
    sign = token.removeprefix("##")
    alone = unicodedata.category(sign[0])[0] == "P" or "一" <= sign[0] <= "龥"  # a word of its own in BERT
    if token.startswith("##"):
        return "" if alone else sign
    return token if alone else f" {token}"


def bias(model: Any) -> torch.Tensor:
    ends = ("decoder.bias", "lm_head.bias", "predictions.bias")
    return next(value for key, value in model.named_parameters() if key.endswith(ends))


def test_rows_are_found_by_string(union: tuple[dict[str, Path], Path]) -> None:
    ordered, output = union
    first = KINDS[next(iter(ordered))]
    _, tokenizer = opened(output / next(iter(ordered)))
    of_union: dict[str, int] = {}
    for token, number in sorted(tokenizer.get_vocab().items(), key=lambda item: -item[1]):
        if token not in tokenizer.all_special_tokens:
            of_union[meaning(token, first)] = number
    for name, folder in ordered.items():
        old, own = opened(folder)
        new, _ = opened(output / name)
        tables = [model.get_input_embeddings().weight for model in (old, new)]
        biases = [bias(model) for model in (old, new)]
        met, missed = 0, []
        for token, number in own.get_vocab().items():
            if token in own.all_special_tokens or not meaning(token, KINDS[name]):
                continue
            there = of_union.get(meaning(token, KINDS[name]))
            if there is None:
                missed.append(token)
                continue
            met += 1
            assert torch.equal(tables[0][number], tables[1][there]) and torch.equal(biases[0][number], biases[1][there])
        assert met > 100
        assert first == "bert" or set(missed) <= {"\u0110"}  # U+0010, the escape of our own vocabularies
        for role in ("pad_token_id", "cls_token_id", "sep_token_id", "mask_token_id"):
            assert torch.equal(tables[0][getattr(own, role)], tables[1][getattr(tokenizer, role)])


def test_a_parent_s_own_tokens_have_their_logits(union: tuple[dict[str, Path], Path]) -> None:
    """A text whose pieces are the same ones is read as it was, and the old tokens are as likely among themselves."""
    ordered, output = union
    for name, folder in ordered.items():
        old, own = opened(folder)
        new, tokenizer = opened(output / name)
        tables = [model.get_input_embeddings().weight for model in (old, new)]
        same = {number: there for number, there in rows_alike(*tables).items()}
        ids = [number for number in own(TEXTS[0])["input_ids"] if number in same][:20]
        assert len(ids) > 5
        kept = sorted(same)
        answers = [
            model(torch.tensor([row])).logits[0][:, columns]
            for model, row, columns in (
                (old, ids, kept),
                (new, [same[one] for one in ids], [same[one] for one in kept]),
            )
        ]
        assert torch.allclose(*answers, atol=1e-4)
        assert len(tokenizer) == len(tables[1])


def rows_alike(old: torch.Tensor, new: torch.Tensor) -> dict[int, int]:
    places = {row.numpy().tobytes(): number for number, row in reversed(list(enumerate(new.detach())))}
    found = {number: places.get(row.numpy().tobytes()) for number, row in enumerate(old.detach())}
    return {number: there for number, there in found.items() if there is not None}


def test_all_of_one_union_have_the_same_tokens_and_say_where_they_come_from(
    union: tuple[dict[str, Path], Path],
) -> None:
    ordered, output = union
    told = json.loads((output / "vocabulary.json").read_text(encoding="utf-8"))
    content = (output / "tokenizer" / "tokenizer.json").read_bytes()
    for name, folder in ordered.items():
        assert (output / name / "tokenizer.json").read_bytes() == content
        lineage = json.loads((output / name / "lineage.json").read_text(encoding="utf-8"))
        assert lineage["parent"]["folder"] == str(folder) and len(lineage["parent"]["weights"]) == 32
        assert lineage["vocabulary"]["rows"] == told["rows"][name]
        assert sum(told["rows"][name].values()) == told["tokens"] == load_encoder(output / name).config.vocab_size
        model = open_model(output / name, device="cpu")
        asked = masked_accuracy(model, [HeldOutText("a", TEXTS[0]), HeldOutText("b", TEXTS[8])])
        assert (asked.loss > 0).all()


@pytest.mark.parametrize("kind", ["focus", "sampled"])
def test_other_ways_to_new_rows(parents: dict[str, Path], tmp_path: Path, kind: str) -> None:
    if kind == "focus":
        pytest.importorskip("fasttext", reason="no fasttext-community")
    two = {name: parents[name] for name in ("bytes", "spaces")}
    more = ("--texts", texts(tmp_path / "texts")) if kind == "focus" else ()
    told = made(two, tmp_path / "out", "--new-rows", kind, *more)
    assert all(told["rows"][name][kind] > 30 for name in two)
    again = made(two, tmp_path / "again", "--new-rows", kind, *more)
    assert again == told
    for name in two:
        weights = [load_file(tmp_path / one / name / "model.safetensors") for one in ("out", "again")]
        assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
        old, now = (
            opened(path)[0].get_input_embeddings().weight.detach() for path in (parents[name], tmp_path / "out" / name)
        )
        new = now[len(old) :] if name == "bytes" else now
        assert torch.isfinite(new).all() and 0.05 < float(new.std()) < 2 * float(old.std())


def test_a_model_of_a_union_trains_on(union: tuple[dict[str, Path], Path], corpus: Any, tmp_path: Path) -> None:
    ordered, output = union
    name = next(iter(ordered))
    settings = {"tokenizer": output / "tokenizer", "init": output / name, "steps": 2, "max_seq_len": 32}
    flags = corpus.flags(tmp_path / "run", **settings)
    sizes = (
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "global_attn_every_n_layers",
        "local_attention",
    )
    kept = [flags[n : n + 2] for n in range(0, len(flags), 2) if flags[n][2:] not in sizes]
    pretrain([word for pair in kept for word in pair])
    lines = log(tmp_path / "run")
    assert len(lines) == 2 and all(0 < line["loss"] < 20 for line in lines)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["vocabulary", *map(str, arguments)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def test_what_cannot_be_done_is_one_line(
    parents: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    both = ["--parent", parents["bytes"], "--parent", parents["words"], "--output", out]
    pieces = [*both, "--new-rows", "pieces"]
    assert "learns from text: name --shards or --texts" in refused(capsys, *both)
    assert "--steps: name what to train on" in refused(capsys, *pieces, "--steps", 2)
    assert "it takes two models or more" in refused(capsys, *both[:2], *pieces[4:])
    assert "cannot be called tokenizer here" in refused(capsys, *pieces, "--parent", f"tokenizer={parents['spaces']}")
    assert "--train x is none of the parents" in refused(capsys, *pieces, "--train", "x")
    few = texts(tmp_path / "few", 1)
    assert "no token 1000 times" in refused(capsys, *both, "--texts", few, "--least", 1000)
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in parents["words"].iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    content = json.loads((broken / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"]["continuing_subword_prefix"] = "@@"
    (broken / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    assert f"--parent {broken}: a tokenizer of the kind WordPiece" in refused(capsys, *pieces, "--parent", broken)
    assert not out.exists() and not list(tmp_path.glob(".*.part"))

    def full(*arguments: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("train.vocabularies.united.save_pretrained", full)
        assert "No space left on device" in refused(capsys, *pieces)
    assert not out.exists() and not list(tmp_path.glob(".*.part"))
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert "holds something else" in refused(capsys, *pieces)
    (out / "mine.txt").unlink()
    made({name: parents[name] for name in ("bytes", "words")}, out, "--new-rows", "pieces")
    assert "was made with other new_rows" in refused(capsys, *both, "--new-rows", "sampled")
    assert main(["vocabulary", *map(str, pieces)]) == 0 and "is made already" in capsys.readouterr().out


def test_without_fasttext_it_is_one_line(
    parents: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fasttext", None)
    both = [
        "--parent",
        parents["bytes"],
        "--parent",
        parents["words"],
        "--texts",
        tmp_path,
        "--output",
        tmp_path / "out",
    ]
    assert "fastText, which is not installed" in refused(capsys, *both)
    assert not (tmp_path / "out").exists()


def test_vocabularies_without_a_common_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (save_encoder("bert", tmp_path / name) for name in ("one", "other"))
    for path in (other / "tokenizer.json", other / "vocab.txt"):
        content = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            written = json.loads(content)
            vocab = written["model"]["vocab"]
            written["model"]["vocab"] = {t if t[0] == "[" else f"##ንጉሥ{n}": n for t, n in vocab.items()}
            path.write_text(json.dumps(written), encoding="utf-8")
    line = refused(capsys, "--parent", one, "--parent", other, "--new-rows", "pieces", "--output", tmp_path / "out")
    assert "have no token in common" in line and not (tmp_path / "out").exists()


@pytest.mark.faults
def test_one_command_does_it_whole_and_goes_on(parents: dict[str, Path], corpus: Any, tmp_path: Path) -> None:
    """Union, rows and steps; the same command goes on where the steps ended, and leaves the models as they are."""
    recipe = tmp_path / "recipe.toml"
    data = {"max_seq_len": 32, "global_batch_tokens": 512, "streams": 4, "micro_batch_tokens": 256, "eval_tokens": 300}
    lines = ["[data]", *(f"{key} = {value}" for key, value in data.items()), "window_tokens = 4096"]
    lines += ["[run]", "log_every = 1", "eval_every = 2", "save_every = 2", 'device = "cpu"', "tensorboard = false"]
    recipe.write_text("\n".join(lines), encoding="utf-8")
    two = {name: parents[name] for name in ("bytes", "spaces")}
    more = ("--new-rows", "sampled", "--train-shards", corpus.shards, "--config", recipe)
    output = tmp_path / "out"
    made(two, output, *more, "--steps", 2, "--train", "spaces")
    trained = output / "trained" / "spaces"
    assert not (output / "trained" / "bytes").exists()
    weights = (output / "spaces" / "model.safetensors").read_bytes()
    made(two, output, *more, "--steps", 4, "--train", "spaces")
    assert [line["step"] for line in log(trained)] == [1, 2, 3, 4]
    assert (output / "spaces" / "model.safetensors").read_bytes() == weights
    lineage = json.loads((trained / "export" / "lineage.json").read_text(encoding="utf-8"))
    assert lineage["parent"]["lineage"]["vocabulary"]["new_rows"] == "sampled"
