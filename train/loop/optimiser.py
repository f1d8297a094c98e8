"""AdamW (Loshchilov and Hutter 2019) under the warmup-stable-decay schedule of ModernBERT."""

import torch
from torch import nn

from train.config import PretrainConfig


def build_optimizer(model: nn.Module, config: PretrainConfig) -> torch.optim.AdamW:
    """Matrices decay, biases and norms do not; one fused kernel on CUDA."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        betas=(config.adam_beta1, config.adam_beta2),
        eps=config.adam_epsilon,
        fused=parameters[0].device.type == "cuda",
    )


def learning_rate(step: int, config: PretrainConfig) -> float:
    """Rate of the step with this number, from 0: linear up to the peak, level, then peak * (1 - sqrt(progress)).

    The first step is above zero and the last one too: warm-up reaches the peak at its end, and the decay would reach
    zero one step after the last. `1 - sqrt` is the shape of Hägele et al. 2024 (arXiv 2405.18392).
    """
    warmup, decay = round(config.steps * config.warmup_ratio), round(config.steps * config.decay_ratio)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    left = config.steps - step
    if left > decay:
        return config.learning_rate
    return config.learning_rate * (1.0 - ((decay - left + 1) / (decay + 1)) ** 0.5)


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, object]) -> None:
    """Moments from a checkpoint; the settings stay as they were built, since a resumed run may change them."""
    settings = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, setting in zip(optimizer.param_groups, settings, strict=True):
        group.update(setting)
