"""Steps made ahead of the model, in a thread or in a process of its own."""

import pickle
import queue
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from schemas.errors import UserError
from train.corpus.tokenising import end_with_parent
from train.data.batches import Step, TrainingStream
from train.data.windows import Position

AHEAD = 3  # steps

MakeStream = Callable[..., TrainingStream]
"""A function of a module, so that a process can be told of it, which opens the stream from the arguments given."""


@contextmanager
def steps_in_thread(stream: TrainingStream, position: Position, rank: int, world_size: int) -> Iterator[Iterator[Step]]:
    """Steps from `position` on; the next one is made while this one is in use."""
    with ThreadPoolExecutor(1) as pool:

        def steps() -> Iterator[Step]:
            ahead: Future[Step] = pool.submit(stream.share, position, rank, world_size)
            while True:
                step = ahead.result()
                ahead = pool.submit(stream.share, step.following, rank, world_size)
                yield step

        yield steps()


@contextmanager
def steps_in_process(
    make: MakeStream, arguments: tuple[Any, ...], position: Position, rank: int, world_size: int
) -> Iterator[Iterator[Step]]:
    """The same from a process, which opens its own stream: the interpreter that feeds the device does nothing else."""
    context = get_context("spawn")
    made: Any = context.Queue(AHEAD)
    process = context.Process(
        target=_make_steps, args=(made, make, arguments, position, rank, world_size), daemon=False
    )
    process.start()

    def steps() -> Iterator[Step]:
        while True:
            try:
                content = made.get(timeout=1.0)
            except queue.Empty:
                if process.is_alive():
                    continue
                raise UserError(
                    f"the process that makes batches ended with status {process.exitcode}: give more memory, or "
                    "--loader thread"
                ) from None
            found = pickle.loads(content)
            if isinstance(found, UserError):
                raise found
            if isinstance(found, str):
                raise RuntimeError(f"in the process that makes batches:\n{found}")
            yield found

    try:
        yield steps()
    finally:
        process.terminate()
        process.join()


def _make_steps(
    made: Any, make: MakeStream, arguments: tuple[Any, ...], position: Position, rank: int, world_size: int
) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the trainer decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent()
    try:
        stream = make(*arguments)
        while True:
            step = stream.share(position, rank, world_size)
            made.put(pickle.dumps(step, pickle.HIGHEST_PROTOCOL))
            position = step.following
    except UserError as error:
        made.put(pickle.dumps(error))
    except BaseException:
        made.put(pickle.dumps(traceback.format_exc()))
