"""Permits are bounded, handed out in the order of asking, and freed by whoever is lost."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from pipeline.fetching.permits import Permits, permit, permits, stop
from schemas.errors import UserError


@pytest.fixture
def two() -> Iterator[Permits]:
    with permits(2) as source:
        yield source


def ask(source: Permits, key: str | None = None) -> socket.socket:
    connection = socket.create_connection((source.host, source.port))
    connection.sendall(b"?" + (key or source.key).encode())
    return connection


def granted(connection: socket.socket, seconds: float = 0.2) -> bool:
    ready, _, _ = select.select([connection], [], [], seconds)
    return bool(ready) and connection.recv(1) == b"+"


def test_no_more_than_stated_first_come_first_served(two: Permits) -> None:
    first, second = ask(two), ask(two)
    assert granted(first, 10) and granted(second, 10)
    third = ask(two)
    assert not granted(third)
    fourth = ask(two)
    assert not granted(fourth)
    second.close()
    assert granted(third, 10) and not granted(fourth)
    fifth = ask(two)
    assert not granted(fifth, 0.1)
    fourth.close()  # one that gave up waiting gets none
    first.close()
    assert granted(fifth, 10)


def test_a_holder_that_is_killed_frees_its_permit() -> None:
    holding = (
        "import sys, time\n"
        "from pipeline.fetching.permits import Permits, permit\n"
        "with permit(Permits(sys.argv[1], int(sys.argv[2]), sys.argv[3])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    with permits(1) as source:
        lost = subprocess.Popen([sys.executable, "-c", holding, *map(str, source)], stdout=subprocess.PIPE)
        assert lost.stdout is not None and lost.stdout.readline() == b"held\n"
        waiting = ask(source)
        assert not granted(waiting)
        lost.kill()
        lost.wait()
        lost.stdout.close()
        assert granted(waiting, 10)
        waiting.close()


def test_strangers_get_none_and_cost_none(two: Permits) -> None:
    for key in ("0" * len(two.key), "GET / HTTP/1.1\r\nHost: x\r\n\r\n" + "x" * 64):
        stranger = ask(two, key)
        stranger.settimeout(10)
        with suppress(ConnectionResetError):
            assert stranger.recv(1) == b""
        stranger.close()
    silent = socket.create_connection((two.host, two.port))
    with permit(two), permit(two):
        pass
    silent.close()


@pytest.mark.parametrize("waits", [False, True])
def test_a_dead_driver_is_one_line(waits: bool) -> None:
    """Refused, or gone while somebody waits; a job that has ended takes its process with it."""
    with permits(1) as source:
        held = ask(source)
        assert granted(held, 10)
        (server,) = (int(one) for one in children() if "pipeline.fetching.permits" in command(one))
        if waits:
            pid = os.fork()
            if not pid:
                time.sleep(0.3)
                os.kill(server, signal.SIGKILL)
                os._exit(0)
        else:
            os.kill(server, signal.SIGKILL)
            os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)
        with pytest.raises(UserError, match=rf"127\.0\.0\.1:{source.port}") as caught, permit(source):
            pass
        assert "\n" not in str(caught.value)
        if waits:
            os.waitpid(pid, 0)
        held.close()
    with pytest.raises(UserError, match="does not answer"), permit(source):
        pass


def test_who_meets_what_stops_all_says_so(two: Permits) -> None:
    with permit(two), permit(two):
        waiting = ask(two)
        assert not granted(waiting)
        stop(two, "s3://crawl: the credentials have expired: renew them")
        assert waiting.recv(100).startswith(b"-s3://crawl")
        waiting.close()
        stop(two, "another")  # the first one is told
    stop(two._replace(key="0" * len(two.key)), "a stranger")
    for _ in range(3):
        with pytest.raises(UserError, match=r"^s3://crawl: the credentials have expired: renew them$"), permit(two):
            pass


def children() -> list[str]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return file.read().split()


def command(number: str) -> str:
    with open(f"/proc/{number}/cmdline") as file:
        return file.read()


def test_without_a_bound_nothing_is_asked() -> None:
    with permit(None):
        pass


def test_an_address_of_another_machine_is_one_line() -> None:
    with pytest.raises(UserError, match=r"no port at 192\.0\.2\.1"), permits(1, bind="192.0.2.1"):
        pass
