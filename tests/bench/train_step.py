"""Forward and backward of the masked-language model as it was and as it is, on CPU.

    PYTHONPATH=. python tests/bench/train_step.py [--rounds 5] [--tokens 8192] [--longest 1024 256]

Each has a process of its own, since what is freed by the one would be used by the other. Their steps alternate, on the
same batches, with one thread each, and what is printed is the median over the rounds.
"""

import argparse
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, linear, scaled_dot_product_attention

from train.loop.memory import keep_freed_memory
from train.model.attention import build_layout
from train.model.cross_entropy import masked_cross_entropy
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel

VOCABULARY, LOCAL = 8000, 128
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Batch:
    """Packed sequences, as tensors."""

    lengths: NDArray[np.int64]
    ids: Tensor
    positions: Tensor
    targets: Tensor
    labels: Tensor


def draw_batch(seed: int, tokens: int, longest: int) -> Batch:
    """Lognormal lengths of mean 200 before the cut at `longest`; 30 % of the tokens are to be guessed."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(np.log(200) - 0.32, 0.8, tokens), 3, longest).astype(np.int64)
    lengths = lengths[: np.searchsorted(np.cumsum(lengths), tokens, side="right")]
    total = int(lengths.sum())
    ids = torch.from_numpy(rng.integers(5, VOCABULARY, total))
    targets = torch.from_numpy(np.sort(rng.choice(total, int(0.3 * total), replace=False)))
    positions = torch.cat([torch.arange(length) for length in lengths.tolist()])
    return Batch(lengths, ids, positions, targets, ids[targets])


def step_after(model: MaskedLanguageModel, batch: Batch) -> float:
    layout = build_layout(batch.lengths, LOCAL, CPU, torch.float32)
    hidden = model.head(model.model(batch.ids, batch.positions, layout, batch.targets))
    weight = model.model.embeddings.tok_embeddings.weight
    loss = masked_cross_entropy(hidden, weight, model.decoder.bias, batch.labels)[0] / len(batch.labels)
    loss.backward()
    return loss.item()


def step_before(model: MaskedLanguageModel, batch: Batch) -> float:
    layout = rows_of(batch.lengths)
    encoder = model.model
    hidden = encoder.embeddings.norm(encoder.embeddings.tok_embeddings(batch.ids))
    rotary = (encoder.rotary_global[:, batch.positions], encoder.rotary_local[:, batch.positions])
    for block in encoder.layers:
        hidden = hidden + attend(block.attn, block.attn_norm(hidden), rotary[block.attn.local], layout)
        value, gate = block.mlp.Wi(block.mlp_norm(hidden)).chunk(2, dim=-1)
        hidden = hidden + block.mlp.Wo(gelu(value) * gate)
    hidden = model.head(encoder.final_norm(hidden).index_select(0, batch.targets))
    logits = linear(hidden, encoder.embeddings.tok_embeddings.weight, model.decoder.bias)
    losses = cross_entropy(logits.float(), batch.labels, reduction="none")
    with torch.no_grad():
        correct = logits.gather(1, batch.labels[:, None])[:, 0] >= logits.amax(1)
    assert len(correct) == len(losses)
    loss = losses.sum() / len(batch.labels)
    loss.backward()
    return loss.item()


def rows_of(lengths: NDArray[np.int64]) -> tuple[int, Tensor, Tensor, tuple[Tensor, ...]]:
    """(width, slots, places, masks): whole sequences side by side in rows as wide as the longest one."""
    bounds, width = np.concatenate(([0], np.cumsum(lengths))), int(lengths.max())
    row, column, used = np.zeros(len(lengths), np.int64), np.zeros(len(lengths), np.int64), 0
    for number, length in enumerate(lengths.tolist()):
        new = used + length > width
        row[number] = (row[number - 1] if number else 0) + new
        column[number] = 0 if new else used
        used = column[number] + length
    rows = int(row.max()) + 1
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    places = row[sequence] * width + column[sequence] + np.arange(bounds[-1]) - np.repeat(bounds[:-1], lengths)
    slots, owner = np.zeros(rows * width, np.int64), np.full(rows * width, -1, np.int64)
    slots[places], owner[places] = np.arange(len(places)), sequence
    owners, index = torch.from_numpy(owner.reshape(rows, width)), torch.arange(width)
    apart = owners[:, :, None] != owners[:, None, :]
    far = (index[:, None] - index[None, :]).abs() > LOCAL // 2
    masks = tuple(
        torch.zeros(rows, 1, width, width).masked_fill_(hidden[:, None], float("-inf"))
        for hidden in (apart, apart | far)
    )
    return width, torch.from_numpy(slots), torch.from_numpy(places), masks


def attend(
    attention: Any, hidden: Tensor, rotary: Tensor, layout: tuple[int, Tensor, Tensor, tuple[Tensor, ...]]
) -> Tensor:
    width, slots, places, masks = layout
    qkv = attention.Wqkv(hidden)
    heads, head_dim = attention.heads, qkv.shape[1] // 3 // attention.heads
    query_key, value = qkv.view(-1, 3, heads, head_dim).split((2, 1), dim=1)
    cosine, sine = rotary.view(2, len(qkv), 1, 1, head_dim // 2)
    low, high = query_key.float().chunk(2, dim=-1)
    query, key = torch.cat((low * cosine - high * sine, high * cosine + low * sine), dim=-1).unbind(1)
    q, k, v = (
        x.index_select(0, slots).view(-1, width, heads, head_dim).transpose(1, 2)
        for x in (query, key, value.squeeze(1))
    )
    result = scaled_dot_product_attention(q, k, v, attn_mask=masks[1 if attention.local else 0])
    return attention.Wo(result.transpose(1, 2).reshape(-1, heads, head_dim).index_select(0, places).flatten(1))


def work(connection: Connection, after: bool, keep: bool, longest: int, tokens: int) -> None:
    """Answers a batch's seed with (seconds, loss, norm of the gradient)."""
    torch.set_num_threads(1)
    if keep:
        keep_freed_memory()
    torch.manual_seed(0)
    model = MaskedLanguageModel(EncoderConfig(vocab_size=VOCABULARY, max_position_embeddings=longest))
    while (seed := connection.recv()) is not None:
        batch = draw_batch(seed, tokens, longest)
        model.zero_grad()
        began = time.perf_counter()
        loss = (step_after if after else step_before)(model, batch)
        seconds = time.perf_counter() - began
        norm = nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None]).item()
        connection.send((seconds, int(batch.lengths.sum()), loss, norm))


def compare(longest: int, tokens: int, rounds: int) -> None:
    context = get_context("spawn")
    kinds = {"before": (False, False), "before, memory kept": (False, True), "after": (True, True)}
    workers = {}
    for name, (after, keep) in kinds.items():
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, after, keep, longest, tokens))
        process.start()
        workers[name] = process, ours
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(rounds + 1):
        answers = {}
        for name, (_, connection) in workers.items():
            connection.send(number)
            seconds, count, *answers[name] = connection.recv()
            rates[name] += [count / seconds] if number else []  # the first step warms up
        for name in kinds:
            np.testing.assert_allclose(answers[name], answers["before"], rtol=1e-4)
    for process, connection in workers.values():
        connection.send(None)
        process.join()
    print(f"sequences of at most {longest} tokens, {tokens} a batch")
    for name, values in rates.items():
        ratio = np.median(np.array(values) / rates["before"])
        print(f"  {name:20} {np.median(values):8,.0f} tokens/s  {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--longest", type=int, nargs="+", default=[1024, 256])
    arguments = parser.parse_args()
    for longest in arguments.longest:
        compare(longest, arguments.tokens, arguments.rounds)


if __name__ == "__main__":
    main()
