"""Arithmetic of a training step, for the share of the device's peak that it reaches (MFU; Chowdhery et al. 2022)."""

import numpy as np
from numpy.typing import NDArray

from train.model.encoder import EncoderConfig

# Dense bfloat16 peak in FLOP/s by the name that the driver gives, from the makers' data sheets.
PEAK_FLOPS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "GH200": 989e12,
    "A100": 312e12,
    "B200": 2250e12,
    "L40S": 362e12,
}


def peak_flops(device_name: str) -> float | None:
    """Peak of a device, None where it is not known; a name is looked for as a part of the device's name."""
    return next((peak for name, peak in PEAK_FLOPS.items() if name in device_name), None)


def training_flops(config: EncoderConfig, lengths: NDArray[np.int64], targets: int) -> float:
    """FLOPs of forward and backward over sequences of these lengths with so many guessed tokens.

    Two for each multiply-add, three passes' worth (backward is two); attention over the pairs that really attend:
    n * n in a global layer, those at most half a window apart in a local one. Logits at guessed tokens alone.
    """
    hidden, inner, half = config.hidden_size, config.intermediate_size, config.local_attention // 2
    n = lengths.astype(np.float64)
    near = np.where(n <= half + 1, n * n, n * (2 * half + 1) - half * (half + 1.0))
    matrices = config.num_hidden_layers * (4 * hidden * hidden + 3 * hidden * inner)
    local_layers = sum(config.is_local(layer) for layer in range(config.num_hidden_layers))
    pairs = (config.num_hidden_layers - local_layers) * (n * n).sum() + local_layers * near.sum()
    head = hidden * hidden + hidden * config.padded_vocab_size
    return float(6 * matrices * n.sum() + 12 * hidden * pairs + 6 * head * targets)
