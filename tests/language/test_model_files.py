import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.language import model_files
from pipeline.language.identifier import Identifier
from pipeline.language.model_files import checksum, embedded_model, local_model, verify
from schemas.errors import UserError

MODEL = b"a model of some bytes" * 1000
PATHS = ("/models/lid.bin", "/slow/lid.bin", "/broken/lid.bin", "/owner/repo/resolve/main/folder/model%20v3.bin")


class Server(BaseHTTPRequestHandler):
    """Serves MODEL at some paths, and breaks off at /broken."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if "slow" in self.path:
            time.sleep(0.2)
        if self.path not in PATHS:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(MODEL)))
        self.end_headers()
        self.wfile.write(MODEL[:5000] if "broken" in self.path else MODEL)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Server.asked = []
    http = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join()
    http.server_close()


def cached(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "cache").rglob("*.*") if path.suffix != ".lock")


def test_a_model_by_url_comes_once(server: str, tmp_path: Path) -> None:
    path = local_model(f"{server}/models/lid.bin")
    assert path.read_bytes() == MODEL
    assert path.name.endswith("-lid.bin")
    assert local_model(f"{server}/models/lid.bin") == path
    assert Server.asked == ["/models/lid.bin"]
    assert cached(tmp_path) == [path]


def test_workers_that_start_together_load_once(server: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(local_model, [f"{server}/slow/lid.bin"] * 4))
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == MODEL
    assert Server.asked == ["/slow/lid.bin"]


def test_without_locks_each_loads(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(model_files.fcntl, "flock", refuse)
    assert local_model(f"{server}/models/lid.bin").read_bytes() == MODEL


def test_a_model_of_the_hub(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "HUB", server)
    assert local_model("hf://owner/repo/folder/model v3.bin").read_bytes() == MODEL
    assert Server.asked == ["/owner/repo/resolve/main/folder/model%20v3.bin"]


def test_a_broken_download_is_never_used(server: str, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(UserError, match=r"^model http://\S+/broken/lid\.bin: not downloaded: [^\n]*$"):
            local_model(f"{server}/broken/lid.bin")
    assert cached(tmp_path) == []
    assert len(Server.asked) == 2


def test_what_is_not_there(server: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not downloaded: HTTP 404, no such file[^\n]*$"):
        local_model(f"{server}/absent.bin")
    with pytest.raises(UserError, match=r"write hf://OWNER/REPO/FILE$"):
        local_model("hf://owner/repo")
    with pytest.raises(UserError, match=r"no language model at .*absent\.bin"):
        local_model(str(tmp_path / "absent.bin"))
    with pytest.raises(UserError, match=r"no language model at "):
        local_model(str(tmp_path))


def test_local_files(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(MODEL)
    assert local_model(str(file)) == local_model(f"file://{file}") == file
    assert local_model() == embedded_model()
    assert embedded_model().is_file()


def test_checksum(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(MODEL)
    assert checksum(file) == hashlib.sha256(MODEL).hexdigest()
    file.write_bytes(b"another")
    assert checksum(file) == hashlib.sha256(b"another").hexdigest()


def test_another_model_than_the_drivers(server: str, tmp_path: Path) -> None:
    path = local_model(f"{server}/models/lid.bin")
    verify(path, hashlib.sha256(MODEL).hexdigest())
    path.write_bytes(b"another")
    with pytest.raises(
        ValueError, match=r"lid\.bin is another one than the driver's; clear the cache folder \S+models$"
    ):
        Identifier(f"{server}/models/lid.bin", checksum=hashlib.sha256(MODEL).hexdigest())
    file = tmp_path / "model.bin"
    file.write_bytes(b"another")
    with pytest.raises(UserError, match=r"model\.bin is another one than the driver's; put the same on each machine$"):
        Identifier(file, checksum="0" * 64)
    assert Identifier(checksum=checksum(embedded_model())).path == embedded_model()
