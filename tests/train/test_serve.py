"""The program: an address is printed and answers there, to nobody else unless told, and what is wrong is one line."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import transformers
import uvicorn
from answering import save

from train.serve import main

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(transformers.BertForMaskedLM, tmp_path_factory.mktemp("models") / "masked")


def asked(address: str, path: str, question: Any, host: str | None = None) -> tuple[int, Any]:
    headers = {"content-type": "application/json"} | ({"host": host} if host else {})
    request = urllib.request.Request(address + path, json.dumps(question).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_it_serves_until_ctrl_c(masked: Path) -> None:
    command = [sys.executable, "train/serve.py", "--model", str(masked), "--port", "0", "--device", "cpu"]
    running = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stdout and running.stdout.readline() == "serve    masked: fill-mask, embed\n"
        line = running.stdout.readline()
        found = re.fullmatch(r"serve    (http://127\.0\.0\.1:\d+)/  \(Ctrl-C ends it\)\n", line)
        assert found, line
        status, answers = asked(found[1], "/fill-mask", {"texts": ["the [MASK] is high"]})
        assert status == 200 and len(answers["answers"][0]["masks"][0]) == 5
        status, answers = asked(found[1], "/fill-mask", {"texts": ["the [MASK] is high"]}, "evil.example")
        assert status == 421 and "evil.example" in answers["error"]
        with socket.create_connection(("127.0.0.1", int(found[1].rpartition(":")[2])), 10) as slow:
            slow.sendall(
                b"POST /tag HTTP/1.1\r\nhost: " + found[1][7:].encode() + b"\r\ncontent-length: 9999999\r\n\r\n{"
            )
            assert slow.recv(100).startswith(b"HTTP/1.1 413")  # before the rest is sent
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
        assert (running.returncode, out, err) == (0, "", "")
    finally:
        running.kill()
        running.wait()


@pytest.fixture
def printed(masked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What is printed, and the address that is listened at, without a server's life behind it."""
    bound: list[Any] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: bound.extend(s.getsockname() for s in sockets))

    def run(*words: str) -> tuple[str, Any]:
        assert main(["--model", f"tiny={masked}", "--port", "0", "--device", "cpu", *words]) == 0
        return capsys.readouterr().out, bound.pop()

    return run


def test_it_is_bound_to_this_machine_unless_told(printed: Any) -> None:
    out, address = printed()
    assert address[0] == "127.0.0.1" and out.count("\n") == 2 and "tiny: fill-mask, embed" in out
    out, address = printed("--host", "0.0.0.0")
    assert address[0] == "0.0.0.0"
    said = "whoever reaches this machine over the network can ask, without a password and unencrypted"
    assert out.splitlines()[0] == f"serve    --host 0.0.0.0: {said}"
    out, address = printed("--host", "localhost")
    assert address[0] in ("127.0.0.1", "::1") and "network" not in out


def test_what_is_wrong_is_one_line(masked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for words, said in (
            ([], "the following arguments are required: --model; see serve --help"),
            (["--model", "gone"], "--model gone is no folder: point to the export of a run"),
            (
                ["--model", str(masked), "--port", port],
                rf"--host 127.0.0.1 --port {port} cannot be listened at \(.*\): ",
            ),
            (["--model", str(masked), "--port", "70000"], "--port 70000: name one from 1 to 65535"),
            (["--model", str(masked), "--host", "no such"], "--host no such is no address of this machine"),
            (["--model", str(masked), "--prot", "1"], "unknown argument --prot: did you mean --port"),
            (["--model", f"a={masked}", "--model", f"a={masked}"], "--model: two models are called a"),
            (["--model", str(masked), "--vectors", str(tmp_path / "v.parquet")], "--vectors .*v.parquet is not there"),
        ):
            free = [] if "--port" in words else ["--port", "0"]
            assert main([*words, *free]) == 2
            out, err = capsys.readouterr()
            assert out == "" and err.count("\n") == 1 and re.match(f"serve: {said}", err), err


@pytest.mark.parametrize("package", ["fastapi", "uvicorn"])
def test_a_machine_without_the_framework_is_told(
    package: str, masked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == package else find(name, *rest))
    assert main(["--model", str(masked)]) == 2
    assert capsys.readouterr().err == f"serve: {package} is not installed: pip install 'wanyu[serve]'\n"


def test_help_and_wrong_flags_load_nothing_large() -> None:
    program = "import train.serve, sys; train.serve.main(['--x']); print(*{n.split('.')[0] for n in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "train" in loaded and not {"torch", "transformers", "fastapi", "pydantic", "uvicorn"} & set(loaded)
