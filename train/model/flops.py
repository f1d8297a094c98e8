"""Arithmetic of a training step, for the share of the device's peak that it reaches (MFU; Chowdhery et al. 2022)."""

import re

import numpy as np
from numpy.typing import NDArray

from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig

# Dense bfloat16 peak in FLOP/s, sums in float32, by a part of the name that the driver gives: from NVIDIA's sheets,
# whose larger figures are those with sparsity; GB200 and GB300 as a seventy-second of their rack.
PEAK_FLOPS = {
    "A100": 312e12,
    "A10G": 70e12,
    "L4": 121e12,
    "L40S": 362e12,
    "RTX 4090": 165e12,
    "H100": 989e12,  # SXM, which the driver calls "H100 80GB HBM3"
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H200": 989e12,
    "H200 NVL": 835e12,
    "GH200": 989e12,
    "B200": 2250e12,
    "GB200": 2500e12,
    "B300": 2250e12,
    "GB300": 2500e12,
}


def peak_flops(device_name: str) -> float | None:
    """Peak of a device, None where it is not known; the longest name wins whose words are in the device's name."""
    found = [name for name in PEAK_FLOPS if re.search(rf"\b{name}\b", device_name)]
    return PEAK_FLOPS[max(found, key=len)] if found else None


def training_flops(config: EncoderConfig | BertConfig, lengths: NDArray[np.int64], targets: int) -> float:
    """FLOPs of forward and backward over sequences of these lengths with so many guessed tokens.

    Two for each multiply-add, three passes' worth (backward is two); attention over the pairs that really attend:
    n * n in a global layer, those at most half a window apart in a local one. Logits at guessed tokens alone.
    """
    hidden, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    n = lengths.astype(np.float64)
    matrices = layers * (4 * hidden * hidden + config.feed_forward_matrices * hidden * inner)
    pairs = layers * (n * n).sum()
    if isinstance(config, EncoderConfig):
        half = config.local_attention // 2
        near = np.where(n <= half + 1, n * n, n * (2 * half + 1) - half * (half + 1.0))
        pairs -= sum(config.is_local(layer) for layer in range(layers)) * (n * n - near).sum()
    head = hidden * hidden + hidden * config.padded_vocab_size
    return float(6 * matrices * n.sum() + 12 * hidden * pairs + 6 * head * targets)
