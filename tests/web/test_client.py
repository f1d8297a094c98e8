"""What is really connected, whoever asks for it and however it is named."""

import asyncio
import datetime
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from servers import BODY, Answer, Server, web_server

from pipeline.archive.asked.ranges import range_reader
from pipeline.archive.fetch import FetchError, fetch
from pipeline.language.model_files import local_model
from pipeline.lists import list_files
from pipeline.store import storage
from pipeline.web import client, public
from pipeline.web.public import ALLOWED
from schemas.errors import UserError

PRIVATE = "no address of the public internet: --allow-private-addresses"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """On the loopback, which nobody allows."""
    monkeypatch.delenv(ALLOWED)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with web_server() as running:
        running.answers = [Answer()]
        yield running


@pytest.fixture
def named(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A URL of the server by a name that leads to it."""
    real = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        return real("127.0.0.1" if host == "archive.example" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return f"http://archive.example:{server.server_port}/a.warc.gz"


def refused(what: Any, *arguments: Any) -> str:
    with pytest.raises((UserError, FetchError)) as caught:
        what(*arguments)
    assert PRIVATE in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "0"])
def test_no_way_of_fetching_reaches_this_machine(server: Server, host: str) -> None:
    url = f"http://{host}:{server.server_port}/a.warc.gz"
    refused(fetch, url)
    refused(range_reader(url), 0, 10)
    refused(storage.read_bytes, url)
    refused(list_files.read, url)
    refused(local_model, url)
    assert server.seen == []


def test_nor_by_a_name(server: Server, named: str) -> None:
    waits: list[float] = []
    said = refused(lambda: fetch(named, sleep=waits.append))
    assert "archive.example leads to 127.0.0.1" in said and waits == []
    for ask in (range_reader(named, sleep=waits.append), lambda *_: storage.read_bytes(named)):
        refused(ask, 0, 10)
    refused(local_model, named)
    assert server.seen == []


def test_the_operator_may_say_so(server: Server, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED, "1")
    assert fetch(named).read() == BODY
    assert len(server.seen) == 1


def test_the_connection_is_refused_whatever_was_resolved(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a name server that answers otherwise the second time, and by any other way around the resolver."""

    async def resolve(self: Any, host: str, port: int = 0, family: int = 0) -> list[Any]:
        found = {"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [found]

    monkeypatch.setattr(client._Resolver, "resolve", resolve)
    refused(lambda: fetch(f"http://archive.example:{server.server_port}/", sleep=lambda _: None))
    for method in ("connect", "connect_ex"):
        guarded = client._socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ()))
        with guarded, pytest.raises(public.RefusedAddress):
            getattr(guarded, method)(("127.0.0.1", server.server_port))
    assert server.seen == []


def test_a_name_of_several_addresses_is_its_public_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOWED)
    answers = [(socket.AF_INET, 1, 6, "", (one, 80)) for one in ("10.0.0.1", "8.8.8.8", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)

    async def ask() -> list[str]:
        return [one["host"] for one in await client._Resolver().resolve("archive.example", 80)]

    assert asyncio.run(ask()) == ["8.8.8.8"]


def test_a_redirect_goes_where_a_url_may_go(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two servers of the loopback one is let pass, as if it were public."""
    with web_server() as inner:
        inner.answers = [Answer()]
        may = client._may_connect
        monkeypatch.setattr(client, "_may_connect", lambda host, port: port == server.server_port or may(host, port))
        monkeypatch.setattr(client, "refused", lambda url: None)  # so that the socket is the one that refuses
        for status in (301, 302, 303, 307, 308):
            server.answers = [Answer(status, b"", headers=(("Location", inner.url("latest/meta-data")),))]
            refused(lambda: fetch(server.url("a"), sleep=lambda _: None))
        for location in ("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"):
            server.answers = [Answer(302, b"", headers=(("Location", location),))]
            with pytest.raises(FetchError, match="NonHttpUrlRedirect"):
                fetch(server.url("a"), retries=0)
        server.seen.clear()
        server.answers = [Answer(302, b"", headers=(("Location", server.url("again")),))]
        with pytest.raises(FetchError, match="TooManyRedirects"):
            fetch(server.url("a"), retries=0)
        assert len(server.seen) == 10
        assert inner.seen == []


def test_what_signs_in_at_one_host_goes_to_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as one, web_server() as other:
        one.answers = [Answer(302, b"", headers=(("Location", other.url("b")),))]
        other.answers = [Answer()]
        url = one.url("a").replace("http://", "http://me:pa55word@")
        assert fetch(url).read() == BODY
        assert "authorization" in one.seen[0]
        assert not {"authorization", "cookie", "proxy-authorization"} & set(other.seen[0])


def test_a_proxy_of_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is connected, wherever it is, and asked for names that this machine does not know."""
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.setenv("no_proxy", "")
    assert fetch("http://archive.example/a.warc.gz").read() == BODY
    assert server.paths == ["http://archive.example/a.warc.gz"]
    for url in ("http://169.254.169.254/latest", "http://0x7f.1/", f"http://localhost:{server.server_port}/"):
        refused(fetch, url)
    assert len(server.seen) == 1


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Of 127.0.0.1, by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    data = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (tmp_path / "k.pem").write_bytes(data)
    return tmp_path / "c.pem", tmp_path / "k.pem"


def test_no_redirect_from_https_to_http(certificate: tuple[Path, Path]) -> None:
    class Secure(Server):
        def get_request(self) -> Any:
            connection, address = ThreadingHTTPServer.get_request(self)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            return context.wrap_socket(connection, server_side=True), address

    with web_server() as plain, Secure() as secure:
        plain.answers = [Answer(body=b"plain")]
        secure.by_path = {
            "down": [Answer(302, b"", headers=(("Location", plain.url("a")),))],
            "on": [Answer(302, b"", headers=(("Location", "/end"),))],
            "end": [Answer(body=b"end")],
        }
        threading.Thread(target=secure.serve_forever, args=(0.01,), daemon=True).start()
        url = f"https://127.0.0.1:{secure.server_port}"
        program = (
            "import sys; from pipeline.web import client, public\n"
            "try: print(client.filesystem().cat_file(sys.argv[1]))\n"
            "except Exception as error: print(public.of_chain(error))"
        )
        said = [
            subprocess.run(
                [sys.executable, "-c", program, f"{url}/{path}"],
                env={**os.environ, "SSL_CERT_FILE": str(certificate[0])}, capture_output=True, text=True, check=True,
            ).stdout.strip()
            for path in ("on", "down")
        ]  # fmt: skip
        secure.shutdown()
        assert said == ["b'end'", "127.0.0.1 leads from https to http: name the new address, if you trust it"]
        assert plain.seen == []
