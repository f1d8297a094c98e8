"""One call of a model at a time, in a thread, with a line of callers that is not endless."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

WAITING = 8
SECONDS = 60.0
Answer = TypeVar("Answer")


class Busy(Exception):
    """The line is full."""


class TooSlow(Exception):
    """There was no answer in time."""


class Turns:
    """waiting: calls at most that have no answer yet, the running one among them. seconds: from the question to its
    answer, the line included.

    A call that is waited for no longer is taken out of the line; a running one cannot be stopped, and keeps its place
    until it ends.
    """

    def __init__(self, waiting: int = WAITING, seconds: float = SECONDS) -> None:
        self.waiting, self.seconds, self.pending = waiting, seconds, 0
        self._thread = ThreadPoolExecutor(1, "model")

    async def run(self, call: Callable[[], Answer]) -> Answer:
        """What the call returns or raises. Busy, TooSlow. From one event loop alone."""
        if self.pending >= self.waiting:
            raise Busy
        self.pending += 1
        loop = asyncio.get_running_loop()
        future = self._thread.submit(call)
        future.add_done_callback(lambda done: _in_loop(loop, self._left))
        try:
            async with asyncio.timeout(self.seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if future.done() and not future.cancelled():  # raised by the call itself
                raise
            raise TooSlow from None

    def _left(self) -> None:
        self.pending -= 1

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the server has ended
        loop.call_soon_threadsafe(call)
