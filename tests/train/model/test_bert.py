"""BERT's segments and pair head against transformers' BertModel and BertForPreTraining."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from schemas.errors import UserError
from train.model.attention import build_layout
from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel, PairHead
from train.model_folders.huggingface import load_encoder, save_pretrained, write_checkpoint_config

SPECIAL = {"pad": 0, "bos": 2, "eos": 3, "mask": 4}
VOCAB = 203
SIZES: dict[str, Any] = {"vocab_size": VOCAB, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
SIZES |= {"intermediate_size": 40, "max_position_embeddings": 64}
CONFIG = BertConfig(**SIZES)
LENGTHS, FIRST = (64, 11, 2, 40), (30, 5, 2, 1)  # of a pair's first text; the third sequence is no pair


def randomised(module: Any) -> Any:
    """Away from zero biases and unit norms, which would hide a mix-up."""
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module.eval()


def texts() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(11)
    return [torch.randint(5, VOCAB, (length,), generator=generator) for length in LENGTHS]


def segments() -> list[torch.Tensor]:
    return [(torch.arange(length) >= first).long() for length, first in zip(LENGTHS, FIRST, strict=True)]


def packed(model: MaskedLanguageModel, segments: torch.Tensor | None) -> torch.Tensor:
    layout = build_layout(np.array(LENGTHS), 10, torch.device("cpu"), torch.float32)
    positions = torch.cat([torch.arange(length) for length in LENGTHS])
    hidden: torch.Tensor = model.model(torch.cat(texts()), positions, layout, segments=segments)
    return hidden


def padded() -> dict[str, torch.Tensor]:
    """The same for transformers."""
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        "input_ids": pad(texts(), batch_first=True),
        "token_type_ids": pad(segments(), batch_first=True),
        "attention_mask": pad([torch.ones_like(one) for one in texts()], batch_first=True),
    }


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")


@torch.no_grad()
def test_segments_are_token_types_of_transformers(transformers: Any, tmp_path: Path) -> None:
    theirs = randomised(transformers.BertModel(transformers.BertConfig(**SIZES)))
    theirs.save_pretrained(tmp_path)
    model, batch = load_encoder(tmp_path).language_model, padded()
    mask = batch["attention_mask"].bool()
    hidden = packed(model, torch.cat(segments()))
    torch.testing.assert_close(hidden, theirs(**batch).last_hidden_state[mask], atol=1e-5, rtol=0)
    del batch["token_type_ids"]
    torch.testing.assert_close(packed(model, None), theirs(**batch).last_hidden_state[mask], atol=1e-5, rtol=0)
    assert torch.equal(packed(model, None), packed(model, torch.zeros(sum(LENGTHS), dtype=torch.long)))


@torch.no_grad()
def test_an_export_with_a_pair_head_is_bert_for_pre_training(transformers: Any, tmp_path: Path) -> None:
    model, pairs = randomised(MaskedLanguageModel(CONFIG)), randomised(PairHead(CONFIG))
    save_pretrained(model, SPECIAL, tmp_path, tmp_path / "export", pair_head=pairs)
    theirs, report = transformers.BertForPreTraining.from_pretrained(tmp_path / "export", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    assert theirs.config.architectures == ["BertForPreTraining"]
    found, mask = theirs.eval()(**padded()), padded()["attention_mask"].bool()
    hidden = packed(model, torch.cat(segments()))
    spare = torch.nn.functional.linear(model.head(hidden), model.model.token_embeddings[:VOCAB], model.decoder.bias)
    torch.testing.assert_close(spare, found.prediction_logits[mask], atol=1e-4, rtol=0)
    starts = torch.tensor([0, *np.cumsum(LENGTHS)[:-1]])
    torch.testing.assert_close(pairs(hidden[starts]), found.seq_relationship_logits, atol=1e-4, rtol=0)


def test_the_pair_head_comes_back(tmp_path: Path) -> None:
    model, pairs = MaskedLanguageModel(CONFIG), randomised(PairHead(CONFIG))
    save_pretrained(model, SPECIAL, tmp_path, tmp_path / "export", pair_head=pairs)
    again = load_encoder(tmp_path / "export")
    assert again.has_head and again.pair_head is not None
    assert all(torch.equal(value, again.pair_head.state_dict()[name]) for name, value in pairs.state_dict().items())
    assert all(one.requires_grad for one in again.pair_head.parameters())
    save_pretrained(model, SPECIAL, tmp_path, tmp_path / "words")
    assert load_encoder(tmp_path / "words").pair_head is None


def test_the_pair_head_of_transformers_is_taken(transformers: Any, tmp_path: Path) -> None:
    for kind, has_head in (("ForPreTraining", True), ("ForNextSentencePrediction", False)):
        theirs = randomised(getattr(transformers, f"Bert{kind}")(transformers.BertConfig(**SIZES)))
        theirs.save_pretrained(tmp_path / kind)
        loaded = load_encoder(tmp_path / kind)
        assert loaded.has_head == has_head and loaded.pair_head is not None
        with torch.no_grad():
            hidden = packed(loaded.language_model, torch.cat(segments()))[:1]
            expected = theirs(**padded())
        expected = expected.seq_relationship_logits if has_head else expected.logits
        torch.testing.assert_close(loaded.pair_head(hidden), expected[:1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("config", [CONFIG, EncoderConfig(**SIZES)])
def test_a_checkpoint_gives_the_head_of_its_first_pair_objective(
    config: BertConfig | EncoderConfig, tmp_path: Path
) -> None:
    model, nsp, sop = MaskedLanguageModel(config), randomised(PairHead(config)), PairHead(config)
    for kept, expected in (({"sop": sop}, sop), ({"sop": sop, "nsp": nsp}, nsp)):
        tensors = model.state_dict() | {
            f"modules_of.{name}.{key}": value for name, head in kept.items() for key, value in head.state_dict().items()
        }
        save_file(tensors, tmp_path / "model.safetensors")
        write_checkpoint_config(tmp_path, config, SPECIAL)
        loaded = load_encoder(tmp_path)
        assert loaded.has_head and loaded.pair_head is not None
        for name, value in expected.state_dict().items():
            assert torch.equal(loaded.pair_head.state_dict()[name], value)


def test_other_layouts_have_no_place_for_it(tmp_path: Path) -> None:
    for kind in ("modernbert", "xlm-roberta"):
        config = EncoderConfig(**SIZES) if kind == "modernbert" else BertConfig(**SIZES, kind="xlm-roberta")
        model, pairs = MaskedLanguageModel(config), PairHead(config)
        save_pretrained(model, SPECIAL, tmp_path, tmp_path / kind, pair_head=pairs)
        assert not [key for key in load_file(tmp_path / kind / "model.safetensors") if "pool" in key or "seq" in key]


def test_a_pair_head_of_another_shape_is_named(tmp_path: Path) -> None:
    save_pretrained(MaskedLanguageModel(CONFIG), SPECIAL, tmp_path, tmp_path / "export", pair_head=PairHead(CONFIG))
    path = tmp_path / "export" / "model.safetensors"
    save_file(load_file(path) | {"cls.seq_relationship.weight": torch.zeros(3, 48)}, path)
    with pytest.raises(UserError, match=r"seq_relationship\.weight has the shape \[3, 48\]"):
        load_encoder(tmp_path / "export")


def test_gradients_reach_the_rows_of_the_segments_there_are() -> None:
    model = randomised(MaskedLanguageModel(CONFIG))
    table = model.model.embeddings.token_type_embeddings.weight

    def gradient(segments: torch.Tensor | None) -> torch.Tensor:
        model.zero_grad()
        packed(model, segments).square().sum().backward()
        assert table.grad is not None
        return table.grad.clone()

    every, none = torch.cat(segments()), torch.zeros(sum(LENGTHS), dtype=torch.long)
    both, first, without = gradient(every), gradient(none), gradient(None)
    assert (both.abs().sum(1) > 0).all()
    assert not first[1].any() and not without[1].any()
    torch.testing.assert_close(first, without, rtol=1e-5, atol=1e-5)


def test_one_kind_of_segment_is_what_xlm_roberta_knows() -> None:
    config = BertConfig(**SIZES, type_vocab_size=1, kind="xlm-roberta")
    model = randomised(MaskedLanguageModel(config))
    assert torch.equal(packed(model, torch.cat(segments())), packed(model, None))


def test_shapes_of_bert_base_are_those_of_bert_base_uncased() -> None:
    """109,482,240 parameters of BertModel, of them 590,592 in the pooler, which the pair head has."""
    with torch.device("meta"):
        config = BertConfig(vocab_size=30522)
        model, pairs = MaskedLanguageModel(config), PairHead(config)
    shapes = {name: tuple(value.shape) for name, value in model.model.state_dict().items()}
    assert shapes["embeddings.token_type_embeddings.weight"] == (2, 768)
    assert shapes["embeddings.position_embeddings.weight"] == (512, 768)
    assert shapes["encoder.layer.11.intermediate.dense.weight"] == (3072, 768)
    assert "embeddings.language_embeddings.weight" not in shapes
    rows = (config.padded_vocab_size - config.vocab_size) * 768
    own = sum(value.numel() for value in model.model.parameters()) - rows
    assert own + sum(value.numel() for value in pairs.pooler.parameters()) == 109_482_240
    assert {name: tuple(value.shape) for name, value in pairs.state_dict().items()} == {
        "pooler.dense.weight": (768, 768),
        "pooler.dense.bias": (768,),
        "seq_relationship.weight": (2, 768),
        "seq_relationship.bias": (2,),
    }
