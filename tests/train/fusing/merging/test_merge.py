"""`fuse.py merge` of tiny related models against the rules applied by hand to the tensors of their files."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from related_models import TABLES, move, permute, save_family, tensors, write_lineage
from tiny_encoders import SENTENCES

from train.corpus.vocabulary import open_vocabulary
from train.encoders.opened import open_model
from train.fuse import main
from train.fusing.merging.matching import match
from train.fusing.merging.parents import open_parents
from train.fusing.merging.taken_statistics import laid_out
from train.fusing.merging.tensors import Merging
from train.fusing.statistics import Statistics, write_statistics
from train.fusion.rules import RULES
from train.likelihood.held_out_texts import HeldOutText
from train.likelihood.masked_accuracy import masked_accuracy
from train.model_folders.ancestry import digest_of_folder

FEW = ["--languages", "eng_Latn", "tha_Thai", "heb_Hebr"]
KINDS = pytest.mark.parametrize("kind", ["modernbert", "bert", "xlm-roberta"])


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """To be read alone."""
    root = tmp_path_factory.mktemp("families")
    for kind in ("modernbert", "bert", "xlm-roberta"):
        save_family(root / kind, kind, ("one", "two", "three"))
    return {kind: root / kind for kind in ("modernbert", "bert", "xlm-roberta")}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("texts")
    for language, text in SENTENCES.items():
        (root / f"{language}.txt").write_text("".join(f"{text} {n}\n" for n in range(8)), encoding="utf-8")
    return root


def merge(output: Path, *arguments: object) -> dict[str, Any]:
    assert main(["merge", *map(str, arguments), "--output", str(output), "--device", "cpu"]) == 0
    return json.loads((output / "lineage.json").read_text(encoding="utf-8"))


def parents(root: Path, *names: str) -> list[str]:
    return [part for name in names or ("one", "two") for part in ("--parent", str(root / name))]


def mean(*folders: Path) -> dict[str, torch.Tensor]:
    found = [tensors(one) for one in folders]
    return {name: torch.stack([one[name].double() for one in found]).mean(0).float() for name in found[0]}


def reserved(folder: Path) -> list[int]:
    """Rows of no token, and that of padding."""
    tokens = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    pad = tokens.get("<pad>", tokens.get("[PAD]"))
    rows = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    return sorted({pad, *(set(range(rows)) - set(tokens.values()))})


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() <= expected.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=0, msg=name)


@KINDS
def test_the_average_is_that_of_the_files(kind: str, families: dict[str, Path], tmp_path: Path) -> None:
    root = families[kind]
    told = merge(tmp_path / "merged", *parents(root, "one", "two", "three"))
    expected, lead = mean(root / "one", root / "two", root / "three"), tensors(root / "one")
    for name in TABLES[kind]:
        expected[name][reserved(root / "one")] = lead[name][reserved(root / "one")]
    if kind == "xlm-roberta":  # rows that are kept for padding
        expected["roberta.embeddings.position_embeddings.weight"][:2] = 0
    found = tensors(tmp_path / "merged")
    assert_same(found, expected)
    assert {name for name in expected if "pooler" not in name and "position_ids" not in name} == set(found)
    assert told["weights"] == digest_of_folder(tmp_path / "merged")
    assert [one["weights"] for one in told["parents"]] == [
        digest_of_folder(root / name) for name in ("one", "two", "three")
    ]
    assert told["merge"]["ancestor"] == {
        "folder": str(root / "seed"), "weights": digest_of_folder(root / "seed"), "known_by": "weights",
    }  # fmt: skip
    opened = open_model(tmp_path / "merged", device="cpu")
    (sentence,) = [HeldOutText("one", SENTENCES["eng_Latn"])]
    loss = masked_accuracy(opened, [sentence]).loss.sum()
    own = open_model(root / "one", device="cpu")
    module = own.model("AutoModelForMaskedLM")
    module.load_state_dict(expected, strict=False)
    assert masked_accuracy(own, [sentence]).loss.sum() == pytest.approx(loss, abs=1e-3)


@pytest.mark.parametrize(
    ("rule", "flags", "settings"),
    [
        ("average", ["--weights", "1", "3"], {"weights": [1, 3]}),
        ("slerp", ["--t", "0.3"], {"t": 0.3}),
        ("task-arithmetic", ["--scale", "0.7"], {"scale": 0.7}),
        ("ties", ["--density", "0.4", "--weights", "1", "2"], {"density": 0.4, "weights": [1, 2]}),
        ("dare", ["--drop", "0.3", "--then", "ties", "--seed", "4"], {"drop": 0.3, "then": "ties", "seed": 4}),
    ],
)
def test_every_rule_is_applied_tensor_by_tensor(
    rule: str, flags: list[str], settings: dict[str, Any], families: dict[str, Path], tmp_path: Path
) -> None:
    root = families["modernbert"]
    told = merge(tmp_path / "merged", *parents(root), "--rule", rule, *flags)
    one, two, seed = (tensors(root / name) for name in ("one", "two", "seed"))
    by, found, rows = RULES[rule](**settings), tensors(tmp_path / "merged"), reserved(root / "one")
    for name in found:
        values, before = [one[name].clone(), two[name].clone()], seed[name].clone()
        if name in TABLES["modernbert"]:
            for value in (*values, before):
                value[rows] = one[name][rows]
        expected = by.merge(name, values, before)
        if name in TABLES["modernbert"]:
            expected[rows] = one[name][rows]
        assert torch.equal(found[name], expected), name
    assert told["merge"]["rule"] == rule and told["merge"]["settings"] == settings


@pytest.mark.parametrize("kind", ["modernbert", "bert"])
@pytest.mark.parametrize("rule", ["average", "ties"])
def test_rows_are_matched_by_string(kind: str, rule: str, families: dict[str, Path], tmp_path: Path) -> None:
    """A parent whose tokens lie in other rows gives the same result, in the order of whichever is asked for."""
    shutil.copytree(families[kind], tmp_path / "family")
    root = tmp_path / "family"
    merge(tmp_path / "plain", *parents(root), "--rule", rule)
    place = permute(root / "two", kind)
    assert place != sorted(place)
    permute(root / "seed", kind, seed=4)
    ancestor = ["--ancestor", str(root / "seed"), "--force"] if rule == "ties" else []
    merge(tmp_path / "matched", *parents(root), "--rule", rule, *ancestor)
    plain, matched = tensors(tmp_path / "plain"), tensors(tmp_path / "matched")
    assert all(torch.equal(plain[name], matched[name]) for name in plain)
    merge(tmp_path / "turned", *parents(root), "--rule", rule, *ancestor, "--order-of", root / "two")
    turned = tensors(tmp_path / "turned")
    free = [row for row in range(len(place)) if row not in reserved(root / "one")]
    for name in plain:
        rows = [place[row] for row in free]
        if name in TABLES[kind]:
            assert torch.equal(turned[name][rows], plain[name][free]), name
        else:
            assert torch.equal(turned[name], plain[name])
    vocabulary = json.loads((tmp_path / "turned" / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    assert vocabulary == json.loads((root / "two" / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]


def test_tokens_of_one_language_come_from_its_own_branch(
    families: dict[str, Path], texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = families["bert"]
    own = ["--own", "tha_Thai=two", f"amh_Ethi={root / 'one'}", "khm_Khmr=two"]
    few = ["--languages", "tha_Thai", "amh_Ethi", "khm_Khmr"]  # of losses; tokens are counted in all
    told = merge(tmp_path / "merged", *parents(root), *own, "--texts", texts, *few)
    vocabulary = json.loads((root / "one" / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    found, one, two = (tensors(folder) for folder in (tmp_path / "merged", root / "one", root / "two"))
    both = mean(root / "one", root / "two")
    sources = {"##ก": two, "##አ": one, "អ": two, "##и": both, "##א": both, "北": both, "s": both}
    for name in TABLES["bert"]:
        for token, source in sources.items():
            row = vocabulary[token]
            torch.testing.assert_close(found[name][row], source[name][row], atol=1e-7, rtol=0, msg=token)
    rows = told["merge"]["rows"]
    assert all(rows[f"own of {language}"] > 5 for language in ("tha_Thai", "amh_Ethi", "khm_Khmr"))
    assert sum(rows.values()) == len(found[TABLES["bert"][0]])
    assert told["merge"]["own"] == {"tha_Thai": "two", "amh_Ethi": "one", "khm_Khmr": "two"}
    assert "own of tha_Thai" in capsys.readouterr().out


def test_losses_and_barrier_are_kept_with_the_result(
    families: dict[str, Path], texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = families["modernbert"]
    few = ["--languages", "tam_Taml", "jpn_Jpan", "rus_Cyrl", "arb_Arab"]
    told = merge(tmp_path / "merged", *parents(root), "--texts", texts, *few)["merge"]
    assert set(told["losses"]) == {"merged", "one", "two"}
    for name, folder in (("merged", tmp_path / "merged"), ("one", root / "one")):
        model = open_model(folder, device="cpu")
        lines = [HeldOutText(f"{SENTENCES['tam_Taml']} {n}", f"{SENTENCES['tam_Taml']} {n}") for n in range(8)]
        each = masked_accuracy(model, lines)
        assert told["losses"][name]["tam_Taml"] == pytest.approx(each.loss.sum() / each.hidden.sum(), rel=1e-5)
    assert "<svg" in (tmp_path / "merged" / "barrier.svg").read_text(encoding="utf-8")
    (pair,) = told["barrier"]["found"]
    assert pair["languages"]["tam_Taml"]["losses"][-1] == pytest.approx(told["losses"]["one"]["tam_Taml"], rel=1e-5)
    assert pair["languages"]["tam_Taml"]["losses"][5] == pytest.approx(told["losses"]["merged"]["tam_Taml"], rel=1e-3)
    shown = capsys.readouterr().out
    assert "one and two" in shown and "merged" in shown


def test_the_result_is_an_ancestor_like_any_other(families: dict[str, Path], tmp_path: Path) -> None:
    """A branch of a merged model and a parent of it share the parent; two branches of it share the merged one."""
    root = families["modernbert"]
    told = merge(tmp_path / "merged", *parents(root))
    for name in ("left", "right"):
        folder = shutil.copytree(tmp_path / "merged", tmp_path / name)
        move(folder, len(name))
        parent = {"folder": str(tmp_path / "merged"), "weights": told["weights"], "lineage": told}
        write_lineage(folder, {"parent": parent, "step": 1})
    pair = [str(tmp_path / "left"), str(tmp_path / "right")]
    again = merge(tmp_path / "again", "--parent", pair[0], "--parent", pair[1], "--rule", "task-arithmetic")
    assert again["merge"]["ancestor"]["weights"] == told["weights"]
    mixed = merge(tmp_path / "mixed", "--parent", pair[1], "--parent", root / "two", "--rule", "ties")
    assert mixed["merge"]["ancestor"]["weights"] == digest_of_folder(root / "two")


def test_a_greedy_soup_leaves_out_what_makes_it_worse(
    families: dict[str, Path], texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "family"
    shutil.copytree(families["modernbert"], root)
    move(root / "three", 5, far=1.0)
    told = merge(tmp_path / "soup", *parents(root, "three", "one", "two"), "--rule", "soup", "--texts", texts, *FEW)
    tried = {tuple(one["weights"]): one["loss"] for one in told["merge"]["tried"]}
    assert told["merge"]["settings"]["weights"][0] == 0
    alone = [tried[key] for key in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    assert alone[0] == max(alone) and "three stays out" in capsys.readouterr().out
    chosen = tuple(told["merge"]["settings"]["weights"])
    assert tried[chosen] <= min(alone)
    names = [name for name, weight in zip(("three", "one", "two"), chosen, strict=True) if weight]
    expected = mean(*(root / name for name in names))
    name = "model.layers.1.attn.Wqkv.weight"
    torch.testing.assert_close(tensors(tmp_path / "soup")[name], expected[name], atol=1e-6, rtol=0)


def test_weights_are_tuned_by_held_out_loss(families: dict[str, Path], texts: Path, tmp_path: Path) -> None:
    root = families["bert"]
    told = merge(tmp_path / "tuned", *parents(root), "--tune", "--texts", texts, *FEW)["merge"]
    tried = {tuple(one["weights"]): one["loss"] for one in told["tried"]}
    assert len(tried) == 11 and min(tried, key=lambda one: tried[one]) == tuple(told["settings"]["weights"])
    one, two = told["settings"]["weights"]
    name = "bert.encoder.layer.0.attention.self.query.weight"
    expected = one * tensors(root / "one")[name] + two * tensors(root / "two")[name]
    torch.testing.assert_close(tensors(tmp_path / "tuned")[name], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rule", ["fisher", "regmean"])
def test_rules_that_need_texts(rule: str, families: dict[str, Path], texts: Path, tmp_path: Path) -> None:
    """The result is not the mean and lies in its reach."""
    root = tmp_path / "family"
    shutil.copytree(families["modernbert"], root)
    flags = ["--rule", rule, "--texts", texts, "--statistic-tokens", "400", *FEW]
    merge(tmp_path / "merged", *parents(root), *flags)
    found, average = tensors(tmp_path / "merged"), mean(root / "one", root / "two")
    name = "model.layers.1.attn.Wqkv.weight"
    away = (found[name] - average[name]).norm() / (tensors(root / "one")[name] - average[name]).norm()
    assert 0.01 < away < 3
    if rule == "fisher":
        low, high = (
            getattr(torch, by)(tensors(root / "one")[name], tensors(root / "two")[name])
            for by in ("minimum", "maximum")
        )
        assert (found[name] >= low - 1e-6).all() and (found[name] <= high + 1e-6).all()


def test_statistics_go_with_their_tokens(families: dict[str, Path], tmp_path: Path) -> None:
    """Rows of diagonals are the result's rows, and padding is left out."""
    root = shutil.copytree(families["modernbert"], tmp_path / "family")
    place = permute(root / "two", "modernbert")
    models = open_parents([str(root / "one"), str(root / "two")])
    rows = match(models, 0, None, open_vocabulary(models[0].tokenizer))
    merging = Merging(models, None, rows, None, False)
    table, free = TABLES["modernbert"][0], [row for row in range(len(place)) if row not in reserved(root / "one")]
    diagonals = [torch.rand(448, 16, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
    for number, one in enumerate(diagonals):
        write_statistics(tmp_path / f"{number}.safetensors", "fisher", {table: one}, {})
    with Statistics([tmp_path / f"{number}.safetensors" for number in range(2)], "fisher") as statistics:
        found = laid_out(statistics, merging)(table)
        assert laid_out(statistics, merging)("decoder.bias") is None
    assert found is not None and [len(one) for one in found] == [400, 400]
    assert torch.equal(found[0][free], diagonals[0][free])
    assert torch.equal(found[1][free], diagonals[1][[place[row] for row in free]])
