"""The encoder against transformers' ModernBERT, and packed sequences against the same ones one by one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from schemas.errors import UserError
from train.model.attention import build_layout
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel
from train.model_folders.huggingface import from_pretrained, save_pretrained

CPU = torch.device("cpu")
SPECIAL = {"pad": 0, "bos": 2, "eos": 3, "mask": 4}
CONFIG = EncoderConfig(
    vocab_size=203,
    hidden_size=48,
    intermediate_size=40,
    num_hidden_layers=4,
    num_attention_heads=4,
    max_position_embeddings=64,
    local_attention=10,
)


@pytest.fixture(scope="module")
def model() -> MaskedLanguageModel:
    torch.manual_seed(3)
    model = MaskedLanguageModel(CONFIG).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # away from zero biases and unit norms, which would hide a mix-up
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def sequences(*lengths: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(11)
    return [torch.randint(5, CONFIG.vocab_size, (length,), generator=generator) for length in lengths]


def logits(model: MaskedLanguageModel, parts: list[torch.Tensor]) -> torch.Tensor:
    lengths = np.array([len(part) for part in parts])
    layout = build_layout(lengths, CONFIG.local_attention, CPU, torch.float32)
    positions = torch.cat([torch.arange(len(part)) for part in parts])
    with torch.no_grad():
        return model(torch.cat(parts), positions, layout, torch.arange(int(lengths.sum())))[:, : CONFIG.vocab_size]


def test_packed_equals_one_by_one(model: MaskedLanguageModel) -> None:
    parts = sequences(1, 33, 64, 7, 2, 40, 24, 64, 5)
    alone = torch.cat([logits(model, [part]) for part in parts])
    torch.testing.assert_close(logits(model, parts), alone, atol=2e-5, rtol=0)


def test_a_sequence_does_not_see_its_neighbours(model: MaskedLanguageModel) -> None:
    first, second = sequences(20, 30)
    other = torch.flip(second, (0,))
    before, after = logits(model, [first, second]), logits(model, [first, other])
    assert torch.equal(before[:20], after[:20])
    assert not torch.equal(before[20:], after[20:])


def test_gradients_of_packed_equal_one_by_one(model: MaskedLanguageModel) -> None:
    parts = sequences(9, 31, 17)

    def gradient(groups: list[list[torch.Tensor]]) -> torch.Tensor:
        model.zero_grad()
        for group in groups:
            lengths = np.array([len(part) for part in group])
            layout = build_layout(lengths, CONFIG.local_attention, CPU, torch.float32)
            positions = torch.cat([torch.arange(len(part)) for part in group])
            ids = torch.cat(group)
            out = model(ids, positions, layout, torch.arange(len(ids)))
            torch.nn.functional.cross_entropy(out, ids, reduction="sum").backward()
        return torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])

    together, alone = gradient([parts]), gradient([[part] for part in parts])
    model.zero_grad()
    assert (together - alone).norm() <= 1e-5 * alone.norm()


def test_padding_rows_of_the_vocabulary_have_no_probability(model: MaskedLanguageModel) -> None:
    (part,) = sequences(12)
    layout = build_layout(np.array([12]), CONFIG.local_attention, CPU, torch.float32)
    out = model(part, torch.arange(12), layout, torch.arange(12))
    assert out.shape == (12, 256)
    assert torch.isinf(out[:, CONFIG.vocab_size :]).all() and torch.isfinite(out[:, : CONFIG.vocab_size]).all()


def test_export_has_the_logits_of_transformers(model: MaskedLanguageModel, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")
    save_pretrained(model, SPECIAL, tmp_path, tmp_path / "export")
    for attention in ("sdpa", "eager"):
        theirs, report = transformers.AutoModelForMaskedLM.from_pretrained(
            tmp_path / "export", attn_implementation=attention, output_loading_info=True
        )
        assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
        assert theirs.config.vocab_size == CONFIG.vocab_size
        theirs.eval()
        parts = sequences(64, 11, 1, 40)
        padded = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=SPECIAL["pad"])
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(part) for part in parts], batch_first=True)
        with torch.no_grad():
            batch = theirs(input_ids=padded, attention_mask=mask).logits[mask.bool()]
            single = theirs(input_ids=parts[0][None]).logits[0]
        ours = logits(model, parts)
        assert (ours - batch).abs().max() <= 1e-4
        assert (ours[:64] - single).abs().max() <= 1e-4


def test_export_comes_back(model: MaskedLanguageModel, tmp_path: Path) -> None:
    save_pretrained(model, SPECIAL, tmp_path, tmp_path / "export")
    again = from_pretrained(tmp_path / "export").eval()
    parts = sequences(30, 4)
    assert again.config == CONFIG
    assert torch.equal(logits(again, parts), logits(model, parts))


def test_a_folder_that_is_no_export_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no exported model"):
        from_pretrained(tmp_path)


def test_sizes_that_do_not_fit_are_named() -> None:
    with pytest.raises(UserError, match="num_attention_heads = 5"):
        EncoderConfig(vocab_size=10, hidden_size=48, num_attention_heads=5)
