"""The store that tests ask: it counts, it fails before and after it has done what it was asked, it lists late."""

import time
from collections.abc import Iterator

import fsspec
import pytest
from counted_store import CountedStore, counted_store

THERE = {"there": b"x" * 1000}


@pytest.fixture(scope="module")
def running() -> Iterator[CountedStore]:
    with counted_store(THERE) as store:
        yield store


@pytest.fixture
def store(running: CountedStore) -> CountedStore:
    running.behave()
    return running


@pytest.fixture
def files(store: CountedStore) -> fsspec.AbstractFileSystem:
    return fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)


def test_bytes_are_counted_without_heads(store: CountedStore, files: fsspec.AbstractFileSystem) -> None:
    files.pipe_file("corpus/new", b"y" * 70)
    assert files.cat_file("corpus/there", start=100, end=150) == b"x" * 50
    counts = store.counts()
    assert (counts.read, counts.written, counts.failed) == (50, 70, 0)
    assert counts.requests["PUT"] == counts.requests["GET"] == 1


def test_a_share_fails_and_a_client_that_asks_again_gets_through(
    store: CountedStore, files: fsspec.AbstractFileSystem
) -> None:
    store.behave(failing=0.2, seed=1)
    for number in range(25):
        files.pipe_file(f"corpus/many/{number}", b"%d" % number)
    assert 0 < store.counts().failed < 25
    done = [request for request in store.requests() if request.failed and request.written]
    assert done and len(done) < store.counts().failed  # some fail when it is done
    store.behave()
    assert [files.cat_file(f"corpus/many/{number}") for number in range(25)] == [b"%d" % n for n in range(25)]


def test_listings_lack_what_is_new_and_reads_do_not(store: CountedStore, files: fsspec.AbstractFileSystem) -> None:
    files.rm("corpus/many", recursive=True)
    files.rm_file("corpus/new")
    store.behave(late=1)
    files.pipe_file("corpus/late/a b&ü", b"y")
    assert files.find("corpus/late") == [] and files.cat_file("corpus/late/a b&ü") == b"y"
    assert files.ls("corpus") == ["corpus/there"] and not files.exists("corpus/late")
    with pytest.raises(FileExistsError):
        files.pipe_file("corpus/late/a b&ü", b"z", mode="create")
    time.sleep(1.1)
    assert files.find("corpus/late") == ["corpus/late/a b&ü"]
    assert files.ls("corpus") == ["corpus/late", "corpus/there"]


def test_it_refuses_as_a_store_does_whose_credentials_ran_out(
    store: CountedStore, files: fsspec.AbstractFileSystem
) -> None:
    store.behave(refuse="AccessDenied", refuse_after=1)
    assert files.cat_file("corpus/there", start=0, end=1) == b"x"
    with pytest.raises(PermissionError):
        files.cat_file("corpus/there")
