"""One of two processes that train a model sharded by FSDP2 (gloo, CPU); `python two_processes.py RANK FOLDER`.

Each trains it alone on the whole batch too. FOLDER/NAME.safetensors, of rank 0, has for each optimiser what the ways
to the same end come to, as `WAY/parameters/NAME`, `WAY/state/NAME` and so on:
alone: six steps without FSDP; sharded: six with; scattered and gathered: three without, then three with, and back.
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.functional import cross_entropy, gelu, linear

from train.optim.build import NAMES, build_optimizer
from train.optim.ema import ExponentialMovingAverage
from train.optim.gradients import clip_gradients
from train.optim.sharding import local, part_of

STEPS, POISONED = 6, 4
VOCABULARY, WIDTH = 11, 5  # odd, so that the parts of the two processes differ in size


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.Wqkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.Wi = nn.Linear(WIDTH, 2 * 7, bias=False)
        self.Wo = nn.Linear(7, WIDTH, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        query, key, value = self.Wqkv(self.norm(hidden)).chunk(3, dim=-1)
        value, gate = self.Wi(hidden + (query * key).tanh() * value).chunk(2, dim=-1)
        return hidden + self.Wo(gelu(value) * gate)


class Model(nn.Module):
    """Tied embeddings, fused matrices, biases and a parameter of one element, which one of two processes lacks."""

    def __init__(self) -> None:
        super().__init__()
        self.tok_embeddings = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(2))
        self.temperature = nn.Parameter(torch.ones(1))

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.tok_embeddings(tokens)
        for layer in self.layers:
            hidden = layer(hidden)
        return linear(hidden, self.tok_embeddings.weight) * self.temperature


class Run:
    """A model with its optimiser and average; trains on this process's share of each batch."""

    def __init__(self, name: str, sharded: bool) -> None:
        torch.manual_seed(1)
        self.model, self.sharded = Model(), sharded
        if sharded:
            for layer in self.model.layers:
                fully_shard(layer)
            fully_shard(self.model)
        self.optimizer = build_optimizer(self.model, name, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.1)
        self.average = ExponentialMovingAverage(self.model, 0.9)
        self.norms: list[Tensor] = []

    def train(self, steps: range) -> None:
        for step in steps:
            inputs, targets = self.batch(step)
            self.optimizer.set_learning_rate(1e-2 / (step + 1))
            cross_entropy(self.model(inputs), targets).backward()
            if step == POISONED and (dist.get_rank() == 1 or not self.sharded):
                gradient = self.model.get_parameter("layers.1.Wo.weight").grad
                assert gradient is not None
                local(gradient)[-1, 0] = float("nan")
            norm, found_inf = clip_gradients(self.optimizer.parameters, 0.5)
            self.optimizer.step(found_inf)
            self.average.update(found_inf)
            self.optimizer.zero_grad()
            self.norms.append(torch.stack((norm, found_inf)))

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        drawn = torch.randint(VOCABULARY, (2, 16), generator=torch.Generator().manual_seed(step))
        half = slice(8 * dist.get_rank(), 8 * dist.get_rank() + 8) if self.sharded else slice(None)
        return drawn[0, half], drawn[1, half]

    @torch.no_grad()
    def logits(self) -> Tensor:
        return self.model(torch.arange(VOCABULARY))

    @torch.no_grad()
    def take(self, parameters: dict[str, Tensor], state: dict[str, Tensor], average: dict[str, Tensor]) -> None:
        for name, parameter in self.model.named_parameters():
            local(parameter).copy_(part_of(parameters[name], parameter))
        self.optimizer.load_state_tensors(state)
        self.average.load_state_tensors(average)

    def give(self) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        parameters = {name: p.full_tensor() if isinstance(p, DTensor) else p for name, p in
                      self.model.named_parameters()}  # fmt: skip
        parts = (parameters, self.optimizer.state_tensors("cpu"), self.average.state_tensors("cpu"))
        return tuple({name: tensor.detach().clone() for name, tensor in part.items()} for part in parts)  # type: ignore

    def result(self) -> dict[str, Tensor]:
        kinds = zip(("parameters", "state", "average"), self.give(), strict=True)
        found = {f"{kind}/{name}": tensor for kind, part in kinds for name, tensor in part.items()}
        # Without a backward pass after it FSDP2's root stays gathered: neither swap may be missed for that.
        with self.average.swap():
            found["logits/averaged"] = self.logits()
        found["logits/own"] = self.logits()
        return found | {"norms": torch.stack(self.norms)}


def ways(name: str) -> dict[str, Tensor]:
    alone, sharded, gathered, scattered = (Run(name, kind) for kind in (False, True, False, True))
    for run in (alone, sharded):
        run.train(range(STEPS // 2))
    scattered.take(*alone.give())
    gathered.take(*sharded.give())
    runs = {"alone": alone, "sharded": sharded, "gathered": gathered, "scattered": scattered}
    for run in runs.values():
        run.train(range(STEPS // 2, STEPS))
    return {f"{way}/{key}": value for way, run in runs.items() for key, value in run.result().items()}


def main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    for name in NAMES:
        found = ways(name)
        if rank == 0:
            save_file({key: value.contiguous() for key, value in found.items()}, folder / f"{name}.safetensors")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
