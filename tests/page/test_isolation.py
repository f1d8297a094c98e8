import gc
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.archive.records import ArchiveLimits, Page, Skipped
from pipeline.kernels import compiling
from pipeline.page import isolation
from pipeline.page.documents import Document, extract_page
from pipeline.page.engines import extract_text
from pipeline.page.isolation import WARM, Extracted, Failure, PageWorker
from pipeline.page.metadata import read_metadata
from schemas.extract import PAGE_REASONS

ROOT = Path(__file__).resolve().parents[2]
LIMITS = ArchiveLimits(page_seconds=1.0, page_memory_bytes=256 << 20)
TEXT = "ვებში ყოველ ენას თავისი დამწერლობა აქვს."
GOOD = f"<html lang=ka><title>სათაური</title><body><article><p>{TEXT}</p></article>".encode()
PUPPET = """
import ctypes, os, signal, sys, time
seen = 0
def extract(html, **_):
    global seen
    seen += 1
    if "DO:" not in html:
        return html
    what = html.partition("DO:")[2].split()[0]
    if what == "loop":
        while True: pass
    if what == "native-loop":
        sum(range(10**13))
    if what == "segfault":
        ctypes.string_at(0)
    if what == "abort":
        os.abort()
    if what == "exit":
        os._exit(3)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "kill-twice":
        place = html.split()[1]
        with open(place, "a") as file:
            file.write("x")
        if os.path.getsize(place) < 3:
            os.kill(os.getpid(), signal.SIGKILL)
    if what == "bomb":
        return "x" * (1 << 32)
    if what == "swell":
        hoard = []
        while True: hoard.append(bytearray(1 << 20))
    if what == "raise":
        raise RecursionError("deep")
    if what == "print":
        print("noise on stdout", flush=True); os.write(1, b"more noise")
        return "printed"
    if what == "large":
        return "z" * (20 << 20)
    if what == "sleep":
        time.sleep(100)
    if what == "count":
        return str(seen)
    if what == "stale" and seen > 2:  # the warm-up is one
        while True: pass
    if what == "stale-swell" and seen > 2:
        hoard = []
        while True: hoard.append(bytearray(1 << 20))
    if what == "environment":
        return " ".join(os.environ)
    if what == "pid":
        return str(os.getpid())
    return None
"""


@pytest.fixture(scope="module")
def shared_puppet(tmp_path_factory):
    """A worker whose engine does what the page tells it; a start costs a second, so tests share it."""
    folder = tmp_path_factory.mktemp("puppet")
    (folder / "trafilatura").mkdir()
    (folder / "trafilatura/__init__.py").write_text(PUPPET)
    (folder / "trafilatura/meta.py").write_text("def reset_caches(): pass")
    worker = PageWorker("trafilatura", replace(LIMITS, page_seconds=0.5))
    yield folder, worker
    worker.close()


@pytest.fixture
def puppet(shared_puppet, monkeypatch):
    """After whatever the tests before did to it."""
    folder, worker = shared_puppet
    monkeypatch.syspath_prepend(str(folder))
    return worker


@pytest.fixture
def fresh_puppet(puppet):
    """Its next page starts a process."""
    puppet.close()
    yield puppet
    puppet.close()


@pytest.fixture(scope="module")
def trafilatura():
    with PageWorker("trafilatura", ArchiveLimits()) as worker:
        yield worker


@pytest.fixture(scope="module")
def resiliparse():
    with PageWorker("resiliparse", LIMITS) as worker:
        yield worker


def text(worker: PageWorker, html: bytes) -> str:
    found = worker.extract(html)
    assert isinstance(found, Extracted), found
    return found.text


def test_the_same_as_in_this_process(trafilatura):
    for _ in range(3):
        assert trafilatura.extract(GOOD) == (extract_text(GOOD, engine="trafilatura"), read_metadata(GOOD))
        assert trafilatura.extract(b"<html></html>") == Failure("no_main_text")


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("loop", "timeout"),
        ("native-loop", "timeout"),
        ("segfault", "parser_crash"),
        ("abort", "parser_crash"),
        ("exit", "parser_crash"),
        ("raise", "parser_crash"),
        ("kill", "memory"),
        ("bomb", "memory"),
        ("swell", "memory"),
        ("nothing", "no_main_text"),
    ],
)
def test_what_a_page_can_do(puppet, order, reason):
    assert text(puppet, b"first") == "first"
    failure = puppet.extract(f"DO:{order} ".encode())
    assert isinstance(failure, Failure)
    assert failure.reason == reason
    assert reason in PAGE_REASONS
    assert text(puppet, b"next") == "next"


def test_child_that_sleeps_meets_the_wall_clock(puppet, monkeypatch):
    puppet.extract(b"start")
    monkeypatch.setattr(isolation, "WALL_FACTOR", 0.5)
    begin = time.monotonic()
    assert puppet.extract(b"DO:sleep ").reason == "timeout"
    assert time.monotonic() - begin < 5


def test_output_does_not_disturb_the_protocol(puppet):
    assert text(puppet, b"DO:print ") == "printed"
    assert len(text(puppet, b"DO:large ")) == 20 << 20
    assert text(puppet, b"w" * (20 << 20)) == "w" * (20 << 20)


def test_answer_that_is_too_long(puppet, monkeypatch):
    monkeypatch.setattr(isolation, "MAX_ANSWER", 1 << 20)
    assert puppet.extract(b"DO:large ").reason == "parser_crash"
    assert text(puppet, b"next") == "next"


def test_child_killed_between_pages(puppet):
    first = int(text(puppet, b"DO:pid "))
    os.kill(first, signal.SIGSEGV)
    time.sleep(0.2)
    assert int(text(puppet, b"DO:pid ")) != first


def test_child_is_replaced_after_some_pages(fresh_puppet, monkeypatch):
    monkeypatch.setattr(isolation, "RECYCLE_PAGES", 3)
    counts = [int(text(fresh_puppet, b"DO:count ")) for _ in range(7)]
    assert counts == [2, 3, 4, 2, 3, 4, 2]  # the first page a child sees is its own warm-up


def test_close_ends_the_child_and_so_does_collection(puppet):
    first = int(text(puppet, b"DO:pid "))
    puppet.close()
    assert not alive(first)
    worker = PageWorker("trafilatura", LIMITS)
    second = int(text(worker, b"DO:pid "))
    del worker
    gc.collect()
    assert not alive(second)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("what", ["stale", "stale-swell"])
def test_a_verdict_does_not_depend_on_earlier_pages(fresh_puppet, what):
    """A process that has grown slow or large over other pages is not believed."""
    assert text(fresh_puppet, b"DO:pid ")
    assert fresh_puppet.extract(f"DO:{what} ".encode()) == Failure("no_main_text")


def test_a_verdict_is_confirmed_once(fresh_puppet, monkeypatch):
    starts = []
    plain_start = isolation._start
    monkeypatch.setattr(isolation, "_start", lambda *given: starts.append(1) or plain_start(*given))
    assert fresh_puppet.extract(b"DO:swell ").reason == "memory" and len(starts) == 1  # fresh: believed at once
    assert text(fresh_puppet, b"DO:pid ")
    assert fresh_puppet.extract(b"DO:swell ").reason == "memory" and len(starts) == 3
    assert fresh_puppet.extract(b"DO:exit ").reason == "parser_crash" and len(starts) == 4  # not doubted


def test_a_process_killed_from_outside_costs_no_page(fresh_puppet, tmp_path):
    """Twice, in its first page too: that is the machine's doing."""
    assert fresh_puppet.extract(f"DO:kill-twice {tmp_path / 'count'} ".encode()) == Failure("no_main_text")
    assert (tmp_path / "count").read_text() == "xxx"


def test_a_process_killed_while_it_starts_is_started_again(fresh_puppet, monkeypatch):
    plain_start, started = isolation._start, []

    def start(*given):
        started.append(plain_start(*given))
        if len(started) < 3:
            started[-1].kill()
        return started[-1]

    monkeypatch.setattr(isolation, "_start", start)
    assert text(fresh_puppet, b"first") == "first" and len(started) == 3


def test_the_child_knows_no_secret(fresh_puppet, monkeypatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "https_proxy", "SSH_AUTH_SOCK", "SPARK_CONF_DIR"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(compiling.HERE / "__pycache__"))  # where kernels are compiled already
    seen = set(text(fresh_puppet, b"DO:environment ").split())
    assert {"PATH", "PYTHONPATH", "PYTHONHASHSEED", "NUMBA_CACHE_DIR"} <= seen
    assert all(isolation._is_passed(name) for name in seen - {"PYTHONPATH", "PYTHONHASHSEED"})
    assert not seen & {"AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "https_proxy", "SSH_AUTH_SOCK", "SPARK_CONF_DIR"}


def test_parent_that_exits_leaves_no_child():
    program = (
        "from pipeline.page.isolation import PageWorker; from pipeline.archive.limits import ArchiveLimits\n"
        "w = PageWorker('resiliparse', ArchiveLimits()); w.extract(b'<p>words'); print(w._process.pid)"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not alive(int(run.stdout))


def test_parent_has_no_thread():
    before = threading.active_count()
    with PageWorker("resiliparse", LIMITS) as worker:
        worker.extract(GOOD)
        assert threading.active_count() == before


def test_too_deep_before_the_parser_sees_it(resiliparse):
    assert resiliparse.extract(b"<div>" * 1000 + b"words") == Failure("too_deep", "1000 levels")
    assert text(resiliparse, b"<div>" * 50 + b"<p>words") == "words"


def test_million_rows_end_in_time():
    """A page of the kind on which trafilatura was reported to run for hours."""
    html = b"<html><body><table>" + b"<tr><td>cell</td></tr>" * 300_000
    with PageWorker("trafilatura", LIMITS) as worker:
        assert isinstance(worker.extract(html), Failure | Extracted)
        assert text(worker, GOOD)


def test_unknown_engine():
    with pytest.raises(ValueError, match="unknown engine 'x': choose one of"):
        PageWorker("x", LIMITS)


def test_overhead_of_a_page(resiliparse):
    resiliparse.extract(GOOD)
    begin = time.process_time()
    for _ in range(200):
        resiliparse.extract(GOOD)
    assert (time.process_time() - begin) / 200 < 0.001  # CPU seconds of the parent


def record(**changes) -> Page:
    values = {
        "record_id": "1", "record_type": "response", "url": "http://example.org/", "date": None, "offset": 7,
        "status": 200, "body": GOOD, "http_charset": None, "content_type": "text/html", "truncated": None,
        "payload_digest": "sha1:A", "is_text": False,
    }  # fmt: skip
    return Page(**{**values, **changes})


def test_extract_page(trafilatura):
    document = extract_page(record(), trafilatura)
    assert document == Document(
        "1", TEXT, "http://example.org/", None, 7, "სათაური", "ka",
        "utf-8", "detector", 0, None, "sha1:A", "",
    )  # fmt: skip
    assert extract_page(record(body=bytes(range(256)) * 50), trafilatura) == Skipped(
        "response", "charset", "http://example.org/", "1", 7
    )
    assert extract_page(record(body=b"<html></html>"), trafilatura).reason == "no_main_text"


def test_wet_text_needs_no_engine():
    worker = PageWorker("trafilatura", ArchiveLimits())
    wet = record(record_type="conversion", is_text=True, http_charset="utf-8", body="\n本文 <b> stays \n".encode())
    assert extract_page(wet, worker).text == "本文 <b> stays"
    assert worker._process is None


def test_the_first_page_calls_what_pages_seldom_call():
    """A licence's surroundings and a title's line feed have kernels of their own, to be compiled before clocks run."""
    said = read_metadata(WARM.encode())
    assert said.title == "春秋" and said.licence == "https://creativecommons.org/licenses/by/4.0/"
    assert extract_text(WARM.encode(), engine="blocks") and extract_text(WARM.encode(), engine="blocks", markdown=True)
