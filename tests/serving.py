"""Where apps of the page are asked: by starlette's client, or as a server in a thread, at a port of its own."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from train.served.app import make_app
from train.served.guard import HostNames
from train.served.heads import Served
from train.served.listening import listening_socket
from train.served.turns import Turns
from train.served.vectors import ServedVectors

ADDRESS = "http://127.0.0.1:8000"  # of starlette's client


@contextmanager
def running(
    models: Sequence[Served], vectors: ServedVectors | None = None, turns: Turns | None = None
) -> Iterator[str]:
    """Its address, without a slash at the end."""
    with listening_socket("127.0.0.1", 0) as socket:
        port = socket.getsockname()[1]
        app = make_app(models, HostNames("127.0.0.1", port), vectors, turns)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
        thread.start()
        end = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive() and time.monotonic() < end
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(20)
