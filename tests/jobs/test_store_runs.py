"""Whole runs with archives and corpus on a store that fails one request in twenty and lists late: the bytes of a run on
this disk."""

import shutil
import subprocess
from collections.abc import Callable, Iterator

import faulty
import pytest
from counted_store import CountedStore, counted_store
from programs import ARCHIVE

NAMES = ("sample-truncated.warc.gz", "sample.warc.wet.gz")
FLAGS = ["--presets", "none", "--validation-share", "0.6", "--vocab-size", "600"]

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]

Submit = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def calm(submit: Submit, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("calm")
    (folder / "archive").mkdir()  # a folder's name is part of its archives'
    for name in NAMES:
        shutil.copy(ARCHIVE / name, folder / "archive" / name)
    answer = submit("corpus", "--input", folder / "archive", "--root", folder / "root", *FLAGS, timeout=900)
    assert answer.returncode == 0, answer.stderr[-3000:]
    return faulty.result(str(folder / "root"))


@pytest.fixture
def store() -> Iterator[CountedStore]:
    with counted_store({f"archive/{name}": (ARCHIVE / name).read_bytes() for name in NAMES}) as running:
        yield running


@pytest.mark.parametrize(
    ("flags", "master"),
    [([], "local[2]"), (["--partitions", "2", "--one-task-documents", "0"], "local-cluster[2,1,1024]")],
    ids=["processes", "executors"],
)
def test_a_store_that_fails_and_lists_late(
    submit: Submit, calm: dict[str, bytes], store: CountedStore, flags: list[str], master: str
) -> None:
    store.behave(failing=0.05, late=3, seed=1)
    where = ["--input", "s3://corpus/archive", "--root", "s3://corpus/root"]
    answer = submit("corpus", *where, *FLAGS, *flags, master=master, timeout=900)
    assert answer.returncode == 0, answer.stdout[-1000:] + answer.stderr[-3000:]
    assert store.counts().failed > 10
    store.behave()
    assert faulty.difference("s3://corpus/root", calm) == ""
