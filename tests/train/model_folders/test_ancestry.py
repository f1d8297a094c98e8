"""Weights have one identity in every layout, and lineages say what models have in common."""

from pathlib import Path
from typing import Any

import pytest
import torch
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from tiny_encoders import save_encoder

from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel
from train.model_folders import ancestry
from train.model_folders.ancestry import (
    Ancestor,
    ancestors,
    beginning,
    common_ancestor,
    digest_of,
    digest_of_folder,
    of_model,
    weights_digest,
)
from train.model_folders.huggingface import load_encoder, save_pretrained, write_checkpoint_config
from train.model_folders.stored_weights import StoredWeights
from train.model_folders.weight_files import to_theirs

SPECIAL = {"pad": 1, "bos": 2, "eos": 3, "mask": 4}
SIZES: dict[str, Any] = {"vocab_size": 70, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 24, "max_position_embeddings": 32}
SHAPES = {
    "modernbert": EncoderConfig(**SIZES),
    "bert": BertConfig(**SIZES),
    "xlm-roberta": BertConfig(**SIZES, kind="xlm-roberta", type_vocab_size=1),
    "with languages": EncoderConfig(**SIZES, languages=("eng_Latn", "tha_Thai")),
    "bert with languages": BertConfig(**SIZES, languages=("eng_Latn", "tha_Thai")),
}


def model_of(config: EncoderConfig | BertConfig, seed: int = 0) -> MaskedLanguageModel:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = MaskedLanguageModel(config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape))
    return model


def save_checkpoint(model: MaskedLanguageModel, folder: Path) -> Path:
    folder.mkdir()
    write_checkpoint_config(folder, model.config, SPECIAL)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("name", SHAPES)
def test_a_checkpoint_is_its_export(name: str, tmp_path: Path) -> None:
    """In memory, as files, in our layout and in that of transformers; not where one number differs."""
    model = model_of(SHAPES[name])
    checkpoint = save_checkpoint(model, tmp_path / "checkpoint")
    save_pretrained(model, SPECIAL, tmp_path, tmp_path / "export")
    found = {digest_of_folder(checkpoint), digest_of_folder(tmp_path / "export")}
    found |= {digest_of(load_encoder(checkpoint)), digest_of(load_encoder(tmp_path / "export"))}
    assert len(found) == 1
    with torch.no_grad():
        model.model.token_embeddings[69, 3] += 1e-6
    assert digest_of(load_encoder(save_checkpoint(model, tmp_path / "other"))) not in found


def test_the_digest_is_of_sorted_names_shapes_and_bytes(tmp_path: Path) -> None:
    model = model_of(SHAPES["modernbert"])
    expected = xxhash.xxh3_128()
    for name, value in sorted(model.state_dict().items()):
        value = value[:70] if "tok_embeddings" in name else value
        expected.update(f"{name} {list(value.shape)}\n".encode())
        expected.update(value.numpy().tobytes())
    assert digest_of_folder(save_checkpoint(model, tmp_path / "one")) == expected.hexdigest()


def test_padding_rows_and_languages_do_not_count(tmp_path: Path) -> None:
    model = model_of(SHAPES["with languages"])
    before = digest_of_folder(save_checkpoint(model, tmp_path / "before"))
    with torch.no_grad():
        model.model.token_embeddings[70:] += 1
        assert model.model.embeddings.language_embeddings is not None
        model.model.embeddings.language_embeddings.weight[1:] += 1
    assert digest_of_folder(save_checkpoint(model, tmp_path / "after")) == before


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_parts_do_not_count_and_each_is_looked_at(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Parts of 7 numbers: the same digest, and a number that is not finite is seen in the last of them too."""
    model = model_of(SHAPES[name])
    folder = save_checkpoint(model, tmp_path / "one")
    whole = digest_of_folder(folder)
    monkeypatch.setattr(ancestry, "PART", 7)
    assert digest_of_folder(folder) == whole
    tensors = dict(model.state_dict())
    spoilt = "head.dense.weight"
    tensors[spoilt] = tensors[spoilt].clone()
    tensors[spoilt].view(-1)[-1] = float("-inf")
    seen: dict[str, bool] = {}
    weights_digest(model.config, tensors, tensors.__getitem__, lambda name, value, finite: seen.update({name: finite}))
    assert [*seen] == sorted(tensors) and [name for name, finite in seen.items() if not finite] == [spoilt]


@pytest.mark.parametrize("kind", ["modernbert", "bert", "xlm-roberta"])
def test_stored_tensors_are_those_that_are_loaded(kind: str, tmp_path: Path) -> None:
    folder = save_encoder(kind, tmp_path / kind)
    loaded = load_encoder(folder)
    expected = loaded.language_model.state_dict()
    with StoredWeights(folder) as stored:
        assert stored.has_head and not stored.missing and stored.config == loaded.config
        for name, value in expected.items():
            wanted = value[: loaded.config.vocab_size] if name == stored.embeddings else value
            assert torch.equal(stored.tensor(name), wanted) and stored.shapes[name] == tuple(wanted.shape), name
    assert digest_of_folder(folder) == digest_of(loaded)
    (folder / "model.safetensors").unlink()
    save = {name: value.clone() for name, value in loaded.head.state_dict().items()} if loaded.head else {}
    torch.save(
        to_theirs(save | {stored.embeddings: save[stored.embeddings][: loaded.config.vocab_size]}, kind),
        folder / "pytorch_model.bin",
    )
    if kind != "xlm-roberta":  # whose positions have rows for padding
        assert digest_of_folder(folder) == digest_of(loaded)


def lineage(config: str, step: int, parent: dict[str, Any] | None = None, seed: int = 1) -> dict[str, Any]:
    return {"config_digest": config, "step": step, "parent": parent, "config": {"run": {"seed": seed}}}


def parent(folder: str, weights: str | None, told: dict[str, Any] | None) -> dict[str, Any]:
    return {"folder": folder, "lineage": told} | ({"weights": weights} if weights else {})


def common(*models: tuple[str, str, dict[str, Any] | None]) -> tuple[str, str] | None:
    found = common_ancestor([(of_model(folder, weights, told), told) for folder, weights, told in models])
    return (found.ancestor.folder, found.known_by) if found else None


def test_the_nearest_ancestor_that_all_share() -> None:
    root = lineage("root", 9)
    middle = lineage("middle", 5, parent("root", "R", root))
    left = lineage("left", 2, parent("middle", "M", middle))
    right = lineage("right", 2, parent("moved/middle", "M", middle))
    far = lineage("far", 2, parent("root", "R", root))
    assert [one.weights for one in ancestors(left)] == ["M", "R"]
    assert [one.distance for one in ancestors(left)] == [1, 2]
    assert common(("a", "A", left), ("b", "B", right)) in [("middle", "weights"), ("moved/middle", "weights")]
    assert common(("a", "A", left), ("b", "B", right), ("c", "C", far)) == ("root", "weights")
    assert common(("a", "A", left), ("middle", "M", middle)) == ("middle", "weights")  # a parent is the ancestor
    other = lineage("other", 9, None, seed=2)
    assert common(("a", "A", left), ("o", "O", other)) is None
    assert common(("a", "A", left), ("n", "N", None)) is None
    assert beginning(left) == "from scratch with seed 1" and beginning(other) == "from scratch with seed 2"
    theirs = lineage("x", 1, parent("bert-base", "T", None))
    assert beginning(theirs) == "from bert-base, which does not say where it comes from"


def test_two_steps_of_one_run_are_related() -> None:
    early, late = lineage("run", 3), lineage("run", 9)
    assert common(("early", "E", early), ("late", "L", late)) == ("early", "run")


def test_lineages_without_digests_go_by_run_and_step_or_by_folder() -> None:
    root = lineage("root", 9)
    old, new = lineage("old", 2, parent("root", None, root)), lineage("new", 2, parent("moved", "R", root))
    assert common(("o", "O", old), ("n", "N", new)) in [("root", "run"), ("moved", "run")]
    earlier = lineage("early", 2, parent("root", None, lineage("root", 4)))
    assert common(("o", "O", old), ("e", "E", earlier)) == ("root", "run")
    bare = [lineage(name, 2, parent("theirs", None, None)) for name in ("a", "b")]
    assert common(("a", "A", bare[0]), ("b", "B", bare[1])) == ("theirs", "folder")
    differs = [lineage(name, 2, parent("theirs", name, None)) for name in ("a", "b")]
    assert common(("a", "A", differs[0]), ("b", "B", differs[1])) is None


def test_a_merged_model_comes_from_all_its_parents() -> None:
    root = lineage("root", 9)
    pair = [parent(name, name.upper(), lineage(name, 2, parent("root", "R", root))) for name in ("a", "b")]
    merged = {"parents": pair}
    assert [one.weights for one in ancestors(merged)] == ["A", "B", "R", "R"]
    assert common(("m", "M", merged), ("b", "B", pair[1]["lineage"])) == ("b", "weights")
    after = lineage("after", 1, parent("m", "M", merged))
    assert common(("x", "X", after), ("m", "M", merged)) == ("m", "weights")


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_what_is_found_is_in_every_line(left: list[int], right: list[int]) -> None:
    """Over lines of ancestors: it is shared, and no nearer one is."""

    def line(name: str, weights: list[int]) -> dict[str, Any] | None:
        told: dict[str, Any] | None = None
        for one in weights:
            told = {"parent": {"folder": f"{name}{one}", "weights": str(one), "lineage": told}}
        return told

    lines = [line("l", left), line("r", right)]
    found = common_ancestor([(Ancestor("L", None, ""), lines[0]), (Ancestor("R", None, ""), lines[1])])
    shared = set(left) & set(right)
    assert (found is None) == (not shared)
    if found is not None:

        def near(weights: list[int], one: int) -> int:
            return [*reversed(weights)].index(one)

        best = min(near(left, one) + near(right, one) for one in shared)
        one = int(found.ancestor.weights or -1)
        assert near(left, one) + near(right, one) == best
