"""Whether the device computes what the CPU does: attention, and the loss with all gradients, on a small model."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from train.config.load import Settings
from train.config.tables import PretrainConfig
from train.data.batches import PackedBatch
from train.data.pieces import concatenate
from train.data.windows import Position
from train.joint.build import build_objectives, build_weighting
from train.joint.joint_model import JointModel
from train.loop.device_batches import DeviceBatches
from train.loop.distributed import Processes
from train.loop.parallel import Parallel
from train.loop.setup import Data
from train.loop.start import compute_dtype, encoder_config
from train.measure.kernels import Figures
from train.model.attention import build_layout, packed_attention
from train.model.heads import MaskedLanguageModel
from train.model.rotary import rotary_table

CPU = torch.device("cpu")
EXACT = torch.float64
LENGTHS = (1, 700, 64, 65, 7, 2, 129, 3, 1024, 128, 1, 300)
HEADS, HEAD_DIM, LOCAL = 4, 64, 128
SHARPER = 3.0  # times the weights of the start, with which all keys would be attended alike
SMALL: Settings = {
    "model": {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 384},
    "data": {"global_batch_tokens": 2048, "streams": 1, "micro_batch_tokens": 2048, "window_tokens": 65_536},
}


def attention_parity(device: torch.device, dtype: torch.dtype) -> Figures:
    """Relative errors of global and local attention on the device, next to float64 on the CPU of the same inputs; of a
    GPU `rounding` too, those of the CPU in the same dtype: an error that is no larger is no bug."""
    generator = torch.Generator().manual_seed(0)
    lengths = np.array(LENGTHS)
    given = torch.randn(2, lengths.sum(), 3 * HEADS * HEAD_DIM, generator=generator).to(dtype)
    positions = np.concatenate([np.arange(length) for length in LENGTHS])
    rotary = rotary_table(10_000.0, max(LENGTHS), HEAD_DIM)[:, positions]

    def attended(where: torch.device, kind: torch.dtype, local: bool) -> list[Tensor]:
        layout = build_layout(lengths, LOCAL, where, kind)
        leaf = given[0].to(where, kind).requires_grad_()
        # A copy, since attention may overwrite what it is given.
        result = packed_attention(leaf * 1, HEADS, rotary.to(where), layout, local)
        (gradient,) = torch.autograd.grad(result, leaf, given[1, :, : HEADS * HEAD_DIM].to(where, kind))
        return [result.detach(), gradient]

    figures: Figures = {}
    for name, local in (("global", False), ("local", True)):
        exact = attended(CPU, EXACT, local)
        for key, where in ways(device):
            found = attended(where, dtype, local)
            for what, value, right in zip(("result", "gradient"), found, exact, strict=True):
                figures[f"{name}_{what}_{key}"] = relative(value, right)
    return figures


def training_parity(config: PretrainConfig, data: Data, device: torch.device) -> Figures:
    """Relative errors of loss and gradients, compiled and padded as in training, next to float64 on the CPU; `rounding`
    as above. worst: the parameters whose gradients are furthest off."""
    dtype = compute_dtype(config, device)
    stream = data.open_stream()
    bins, blocks, _ = stream.step(Position())
    pieces, room = concatenate(bins), len(bins) * stream.bin_tokens
    packed = stream.collate(pieces, blocks, 0)
    # Padding is laid out on CUDA alone.
    batches = {"cpu": packed, "cuda": stream.collate(pieces, blocks, 0, room)}
    exact_loss, exact = _losses(config, data, Processes(0, 1, CPU, None), EXACT, packed)
    figures: Figures = {"tokens": int(packed.lengths.sum()), "loss": exact_loss, "dtype": str(dtype)}
    for key, where in ways(device):
        loss, gradients = _losses(config, data, Processes(0, 1, where, None), dtype, batches[where.type])
        figures[f"loss_{key}"] = abs(loss - exact_loss) / abs(exact_loss)
        figures[f"gradient_{key}"] = relative(_flat(gradients), _flat(exact))
        worst = sorted(((relative(value, exact[name]), name) for name, value in gradients.items()), reverse=True)
        figures[f"worst_{key}"] = [{"relative": number, "parameter": name} for number, name in worst[:3]]
    return figures


def ways(device: torch.device) -> list[tuple[str, torch.device]]:
    """What an error is called, and where it arises."""
    return [("error", device), *([] if device.type == "cpu" else [("rounding", CPU)])]


def relative(found: Tensor, exact: Tensor) -> float:
    """Euclidean norm of the difference by that of the exact one."""
    right = exact.to(CPU, EXACT)
    return float((found.to(CPU, EXACT) - right).norm() / right.norm())


def _losses(
    config: PretrainConfig, data: Data, processes: Processes, dtype: torch.dtype, batch: PackedBatch
) -> tuple[float, dict[str, Tensor]]:
    """(loss, gradients by parameter) of the same weights at each call."""
    torch.manual_seed(0)
    objectives = build_objectives(config, data.vocabulary, data.languages)
    model = MaskedLanguageModel(encoder_config(config, data.vocabulary.size, data.languages), dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(SHARPER)
    joint = JointModel(model, objectives).to(processes.device)
    place = DeviceBatches(processes.device, dtype, config.model.local_attention, config.data.max_seq_len)
    units = {name: labels.units for name, labels in batch.labels.items()}
    weights = build_weighting(config, objectives, data.languages).weights(units, 0, config.run.steps)
    loss, _ = Parallel(joint, config, processes).forward(place(batch), place.weights(weights), last=True)
    loss.backward()
    gradients = {name: one.grad for name, one in joint.named_parameters() if one.grad is not None}
    return float(loss.detach()), gradients


def _flat(tensors: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([tensor.flatten().to(CPU, EXACT) for tensor in tensors.values()])
