"""The processes of a run: one, or as many as torchrun started; gloo on CPU, NCCL between GPUs."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from schemas.errors import UserError
from train.loop.memory import keep_freed_memory

STARTING = timedelta(minutes=10)
WAITING = timedelta(hours=24)  # for processes that tokenise, validate or save while the others have nothing to do
# What gloo says, in a plain RuntimeError, of a peer that ended or that no packet reaches.
GONE = re.compile(
    r"Connection (closed|reset) by peer|Broken pipe|gloo.*(Read|Write|Connect) error|Timed out waiting", re.I
)


class PeerLost(UserError):
    """Another process of the run is gone or was never found. Each process that meets it has to say so by itself, for it
    may be the first one that is missing."""


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
            with losing_peers():
                dist.all_reduce(values)
        return values

    def sum_host(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The element-wise sum over all processes of arrays in host memory; the GPU is not waited for."""
        total = torch.from_numpy(values.copy())
        if self.control is not None:
            with losing_peers():
                dist.all_reduce(total, group=self.control)
        return total.numpy()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Waits for all; a UserError in one is a UserError in all, so that none is left waiting.

        Trouble with a file or a folder counts as one: it is the user's to mend.
        """
        failure: str | None = None
        try:
            yield
        except PeerLost:
            raise  # the others cannot be told
        except UserError as error:
            failure = str(error)
        except OSError as error:
            failure = f"cannot use {error.filename or 'a file'}: {error.strerror or error}; mend that and start again"
        failures = [failure]
        if self.control is not None:
            failures = [None] * self.world_size
            with losing_peers():
                dist.all_gather_object(failures, failure, group=self.control)
        for message in failures:
            if message is not None:
                raise UserError(message)


@contextmanager
def losing_peers() -> Iterator[None]:
    """PeerLost where a collective inside fails because another process is gone; a bug keeps its trace.

    For the backward pass of DistributedDataParallel too. NCCL does not notice on its own: the watchdog does.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or GONE.search(str(error)):
            raise PeerLost(
                "another process of the run is gone: see above for what it said; if it said nothing it was killed, as "
                "for memory; the same command goes on from the last checkpoint"
            ) from error
        raise


@contextmanager
def processes(device: Literal["auto", "cpu", "cuda"], starting: timedelta = STARTING) -> Iterator[Processes]:
    """Joins the processes that torchrun started, or stands alone; leaves them at the end.

    UserError where they do not find each other within `starting`. It is also the longest that NCCL waits.
    """
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if kind == "cuda" and not torch.cuda.is_available():
        raise UserError("device = cuda, but torch sees no GPU here: install torch with CUDA or give --device cpu")
    place = torch.device(kind, int(os.environ.get("LOCAL_RANK", "0"))) if kind == "cuda" else torch.device("cpu")
    if kind == "cuda":
        if place.index >= torch.cuda.device_count():
            raise UserError(
                f"LOCAL_RANK = {place.index}, but torch sees {torch.cuda.device_count()} GPUs here: "
                "start as many processes as there are (torchrun --nproc-per-node)"
            )
        torch.cuda.set_device(place)
    else:
        keep_freed_memory()
    if "WORLD_SIZE" not in os.environ:
        yield Processes(0, 1, place, None)
        return
    join("cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo", starting)
    try:
        control = dist.new_group(backend="gloo", timeout=WAITING)
        yield Processes(dist.get_rank(), dist.get_world_size(), place, control)
    finally:
        dist.destroy_process_group()


def join(backend: str, starting: timedelta) -> None:
    """init_process_group by the variables of the environment; UserError that names MASTER_ADDR:MASTER_PORT."""
    absent = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if absent:
        raise UserError(f"WORLD_SIZE is set but {', '.join(absent)} is not: start with torchrun, or unset WORLD_SIZE")
    rank, world = os.environ["RANK"], os.environ["WORLD_SIZE"]
    master = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    try:
        dist.init_process_group(backend, timeout=starting)
    except (RuntimeError, OSError) as error:
        text = str(error)
        if "EADDRINUSE" in text or "address already in use" in text.lower():
            raise UserError(
                f"the port of {master} is in use, perhaps by another run on this machine: give another MASTER_PORT "
                "(torchrun --master-port)"
            ) from error
        if joined := re.search(r"(\d+)/\d+ clients joined", text):
            raise UserError(
                f"only {joined[1]} of {world} processes came to {master} in {starting.total_seconds():.0f} s: start "
                "the others, or see what they said"
            ) from error
        if isinstance(error, dist.DistError | OSError):
            raise PeerLost(
                f"process {rank} of {world} does not reach {master} ({_reason(text)}): see that process 0 runs there "
                "and that MASTER_ADDR and MASTER_PORT are the same everywhere and open in the firewall"
            ) from error
        raise


def _reason(text: str) -> str:
    """The first sentence of what c10d says, without the trace in C++ behind it."""
    return " ".join(text.split("Exception raised from")[0].split())[:200].rstrip(". ")
