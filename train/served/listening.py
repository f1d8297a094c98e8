"""An address to be asked at, and the server's life there."""

import ipaddress
import socket
from collections.abc import Sequence

import uvicorn

from schemas.errors import UserError
from train.served.app import make_app
from train.served.guard import HostNames
from train.served.heads import Served
from train.served.vectors import ServedVectors

CONNECTIONS = 64
IDLE_SECONDS = 10


def listening_socket(host: str, port: int) -> socket.socket:
    """UserError where there is no such address here, or something listens there already."""
    if not 0 <= port < 1 << 16:
        raise UserError(f"--port {port}: name one from 1 to 65535, or 0 for any that is free")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise UserError(f"--host {host} is no address of this machine ({error}): leave it out, or name one") from None
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(address)
    except OSError as error:
        found.close()
        raise UserError(
            f"--host {host} --port {port} cannot be listened at ({error.strerror}): name another port, as --port 0 for "
            "any that is free"
        ) from None
    return found


def listen(at: socket.socket, host: str, models: Sequence[Served], vectors: ServedVectors | None) -> None:
    """Until Ctrl-C or SIGTERM. Whoever reads the address can ask at once."""
    address, port = at.getsockname()[:2]
    app = make_app(models, HostNames(host, port), vectors)
    settings = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=IDLE_SECONDS,
    )
    at.listen(CONNECTIONS)
    if not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        said = "whoever reaches this machine over the network can ask, without a password and unencrypted"
        print(f"serve    --host {host}: {said}")
    for one in models:
        print(f"serve    {one.name}: {', '.join(one.kinds)}")
    shown = f"[{host}]" if ":" in host else host
    print(f"serve    http://{shown}:{port}/  (Ctrl-C ends it)", flush=True)
    uvicorn.Server(settings).run(sockets=[at])
