"""FLOPs and devices' peaks against figures worked out by hand."""

import numpy as np
import pytest

from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model.flops import peak_flops, training_flops
from train.model.heads import MaskedLanguageModel


def test_flops_by_counting() -> None:
    """Two layers, the second local, window 4 (two on either side); sequences of 5 and 2 tokens; three guesses."""
    encoder = EncoderConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        global_attn_every_n_layers=2,
        local_attention=4,
    )
    pairs = sum(n * n + sum(abs(i - j) <= 2 for i in range(n) for j in range(n)) for n in (5, 2))
    layer = 16 * 48 + 16 * 16 + 16 * 48 + 24 * 16
    forward = 2 * 2 * layer * 7 + 2 * 2 * 16 * pairs + 2 * 3 * (16 * 16 + 16 * 64)
    assert training_flops(encoder, np.array([5, 2]), 3) == 3 * forward


def test_parameters_are_what_the_flops_count() -> None:
    encoder = EncoderConfig(vocab_size=64, hidden_size=16, intermediate_size=24, num_hidden_layers=3,
                            num_attention_heads=2)  # fmt: skip
    sizes = {name: p.numel() for name, p in MaskedLanguageModel(encoder).named_parameters() if p.ndim == 2}
    body = sum(size for name, size in sizes.items() if ".layers." in name)
    assert training_flops(encoder, np.array([1]), 0) == 6 * body + 12 * 16 * 3
    assert sizes["model.embeddings.tok_embeddings.weight"] == 64 * 16


def test_flops_of_bert_by_counting() -> None:
    """Each layer global, two matrices in the feed-forward block; sequences of 5 and 2 tokens; three guesses."""
    encoder = BertConfig(
        vocab_size=60, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2
    )
    layer = 4 * 16 * 16 + 2 * 16 * 24
    forward = 2 * 3 * layer * 7 + 3 * 2 * 2 * 16 * (25 + 4) + 2 * 3 * (16 * 16 + 16 * 64)
    assert training_flops(encoder, np.array([5, 2]), 3) == 3 * forward
    sizes = {name: p.numel() for name, p in MaskedLanguageModel(encoder).named_parameters() if p.ndim == 2}
    assert sum(size for name, size in sizes.items() if ".layer." in name) == 3 * layer


@pytest.mark.parametrize(
    ("device", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H100 NVL", 835e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA H200 NVL", 835e12),
        ("NVIDIA GH200 480GB", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA B200", 2250e12),
        ("NVIDIA GB200", 2500e12),
        ("NVIDIA B300 SXM6 AC", 2250e12),
        ("NVIDIA GB300", 2500e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA L40", None),
        ("NVIDIA A10G", 70e12),
        ("NVIDIA A10", None),
        ("NVIDIA GeForce RTX 4090", 165e12),
        ("Some new thing", None),
    ],
)
def test_peaks_are_found_by_the_drivers_names(device: str, peak: float | None) -> None:
    """A name that holds another one, GB200 and B200, H100 PCIe and H100, L40 and L4, is not taken for it."""
    assert peak_flops(device) == peak
