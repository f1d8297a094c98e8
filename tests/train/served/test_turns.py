"""One at a time, not too many, not too long."""

import asyncio
import threading
import time

import pytest

from train.served.turns import Busy, TooSlow, Turns


def test_one_at_a_time_in_order() -> None:
    turns, order, inside = Turns(10, 10), list[int](), list[int]()

    def call(number: int) -> int:
        inside.append(1)
        assert len(inside) == 1
        time.sleep(0.002)
        order.append(number)
        inside.pop()
        return number

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(turns.run(lambda n=n: call(n)) for n in range(8)))  # type: ignore[misc]

    assert asyncio.run(all_of_them()) == order == list(range(8))
    turns.close()


def test_what_is_raised_comes_through_and_leaves_the_line() -> None:
    turns = Turns(1, 10)

    def call() -> None:
        raise TimeoutError("its own")

    async def twice() -> None:
        for _ in range(2):
            with pytest.raises(TimeoutError, match="its own"):
                await turns.run(call)
            await asyncio.sleep(0.01)

    asyncio.run(twice())
    assert turns.pending == 0
    turns.close()


def test_a_full_line_and_calls_that_take_too_long() -> None:
    turns, go, ran = Turns(2, 0.1), threading.Event(), list[str]()

    async def ask() -> None:
        stuck = asyncio.create_task(turns.run(go.wait))
        behind = asyncio.create_task(turns.run(lambda: ran.append("behind")))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await turns.run(lambda: ran.append("third"))
        for task in (stuck, behind):
            with pytest.raises(TooSlow):
                await task
        await asyncio.sleep(0.01)
        assert turns.pending == 1  # the one that runs keeps its place, the other has left
        go.set()
        while turns.pending:
            await asyncio.sleep(0.005)
        assert await turns.run(lambda: "again") == "again"

    asyncio.run(asyncio.wait_for(ask(), 20))
    assert ran == []
    turns.close()
