"""The contrastive loss over 1, 2 and 4 processes (gloo, CPU); `python several_processes.py FOLDER`.

FOLDER/WORLD.safetensors has, of so many processes, the sum of their losses, the gradient of the matrix that makes the
vectors, as DistributedDataParallel leaves it when each process multiplies its loss with their number, losses and hits.
"""

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.parallel import DistributedDataParallel

from train.objectives.contrastive import device_group, info_nce

PAIRS, WIDTH, TEMPERATURE = 8, 6, 0.1


def inputs() -> tuple[Tensor, Tensor]:
    """[2, PAIRS, WIDTH], what vectors are made from, and the weights of the losses, [2, PAIRS]."""
    generator = torch.Generator().manual_seed(5)
    drawn = torch.randn(2, PAIRS, WIDTH, generator=generator)
    drawn[1] += drawn[0]
    return drawn, torch.rand(2, PAIRS, generator=generator)


def matrix() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(WIDTH, WIDTH)


def result(rank: int, world: int) -> dict[str, Tensor]:
    given, weight = (value[:, rank::world] for value in inputs())
    model = matrix()
    module = DistributedDataParallel(model) if world > 1 else model
    vectors = normalize(module(given.flatten(0, 1)), dim=1)
    losses, hits = info_nce(vectors, TEMPERATURE, device_group())
    loss = (losses * weight.flatten()).sum()
    (loss * world).backward()
    places = torch.arange(2 * PAIRS).view(2, PAIRS)[:, rank::world].flatten()
    whole = torch.zeros(2, 2 * PAIRS)
    whole[0, places], whole[1, places] = losses.detach(), hits.float()
    total = loss.detach().clone()
    if world > 1:
        dist.all_reduce(whole)
        dist.all_reduce(total)
    assert model.weight.grad is not None
    return {"total": total, "gradient": model.weight.grad, "losses": whole[0], "hits": whole[1]}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    children = []
    for world in (2, 4):
        for rank in range(world):
            child = os.fork()
            if child:
                children.append(child)
                continue
            dist.init_process_group("gloo", init_method=f"file://{folder}/meeting{world}", rank=rank, world_size=world)
            found = result(rank, world)
            if rank == 0:
                save_file(found, folder / f"{world}.safetensors")
            dist.destroy_process_group()
            os._exit(0)
    save_file(result(0, 1), folder / "1.safetensors")
    assert not any(os.waitpid(child, 0)[1] for child in children)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
