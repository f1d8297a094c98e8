"""The measurement of loss and gradients on models of each architecture, on the CPU, where float32 is the rounding."""

from pathlib import Path

import pytest
import torch

from train.config.load import Settings
from train.measure.made_up import made_up_config, made_up_data, make_input
from train.measure.parity import training_parity

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
DATA = {"global_batch_tokens": 512, "streams": 1, "micro_batch_tokens": 512, "max_seq_len": 64, "window_tokens": 4096}


@pytest.mark.parametrize("architecture", ["modernbert", "bert"])
def test_float32_is_near_float64(architecture: str, tmp_path: Path) -> None:
    shards = make_input(tmp_path, 300, 2000)
    model = SIZES | {"architecture": architecture, "language_embedding": True}
    settings: Settings = {"model": model, "data": DATA, "run": {"device": "cpu"}}
    config = made_up_config(settings, tmp_path)
    figures = training_parity(config, made_up_data(config, shards, static=False), torch.device("cpu"))
    assert figures["gradient_error"] < 1e-5 and figures["loss_error"] < 1e-5
