"""The processes of a run: one, or as many as torchrun started; gloo on CPU, NCCL between GPUs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor

from schemas.errors import UserError
from train.loop.memory import keep_freed_memory

STARTING = timedelta(minutes=10)
WAITING = timedelta(hours=24)  # for processes that tokenise, validate or save while the others have nothing to do


@dataclass(frozen=True)
class Processes:
    """This process among its peers. `control` is a gloo group with patience; None in a run of one process."""

    rank: int
    world_size: int
    device: torch.device
    control: dist.ProcessGroup | None

    def sum(self, values: Tensor) -> Tensor:
        """The element-wise sum over all processes, in place."""
        if self.control is not None:
            dist.all_reduce(values)
        return values

    @contextmanager
    def together(self) -> Iterator[None]:
        """Waits for all; a UserError in one is a UserError in all, so that none is left waiting.

        Trouble with a file or a folder counts as one: it is the user's to mend.
        """
        failure: str | None = None
        try:
            yield
        except UserError as error:
            failure = str(error)
        except OSError as error:
            failure = f"cannot use {error.filename or 'a file'}: {error.strerror or error}; mend that and start again"
        failures = [failure]
        if self.control is not None:
            failures = [None] * self.world_size
            dist.all_gather_object(failures, failure, group=self.control)
        for message in failures:
            if message is not None:
                raise UserError(message)


@contextmanager
def processes(device: Literal["auto", "cpu", "cuda"]) -> Iterator[Processes]:
    """Joins the processes that torchrun started, or stands alone; leaves them at the end."""
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if kind == "cuda" and not torch.cuda.is_available():
        raise UserError("device = cuda, but torch sees no GPU here: install torch with CUDA or give --device cpu")
    place = torch.device(kind, int(os.environ.get("LOCAL_RANK", "0"))) if kind == "cuda" else torch.device("cpu")
    if kind == "cuda":
        torch.cuda.set_device(place)
    else:
        keep_freed_memory()
    if "WORLD_SIZE" not in os.environ:
        yield Processes(0, 1, place, None)
        return
    backend = "cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=STARTING)
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), place, dist.new_group(backend="gloo", timeout=WAITING))
    finally:
        dist.destroy_process_group()
