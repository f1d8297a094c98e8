import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.kernels import compiling
from pipeline.kernels.compiling import cache_folder, digest

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_first_place_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    found = cache_folder([tmp_path / "a file", tmp_path / "made", tmp_path / "never"], "digest")
    assert found is not None and found.is_relative_to(tmp_path / "made") and found.name == "digest"
    assert cache_folder([tmp_path / "made"], "digest") == found
    assert not (tmp_path / "never").exists()
    assert cache_folder([tmp_path / "a file"], "digest") is None


@pytest.mark.parametrize("trap", ["open", "link"])
def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path: Path, trap: str) -> None:
    place = tmp_path / f"wanyu-kernels-{os.getuid()}"
    if trap == "open":
        place.mkdir()
        place.chmod(0o777)
    else:
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "elsewhere")
    assert cache_folder([tmp_path], "digest") is None


def test_the_digest_is_of_the_modules_with_kernels_and_of_what_they_import(tmp_path: Path) -> None:
    package = tmp_path / "package"
    for room in ("first", "second/inner"):
        (package / room).mkdir(parents=True)
    (package / "first/a.py").write_text("A = 1\n")
    (package / "first/b.py").write_text("B = 1\n")
    (package / "second/inner/c.py").write_text("from package.first.a import A\n")
    before = digest(package)
    assert digest(package) == before
    (package / "first/b.py").write_text("B = 2\n")
    assert digest(package) == before  # no kernel in it
    (package / "first/b.py").write_text("from package.second.inner import (\n    c,\n)\n@kernel\n")
    found = digest(package)
    assert found != before
    (package / "first/a.py").write_text("A = 2\n")  # b takes it from c, two rooms away
    assert digest(package) != found


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A kernel that calls one of another room, with this module beside them."""
    package = tmp_path / "pipeline"
    for room in (package / "kernels", package / "caller", package / "called"):
        room.mkdir(parents=True)
    for place in (package, *package.iterdir()):
        (place / "__init__.py").touch()
    (package / "kernels/compiling.py").write_text((REPOSITORY / "pipeline/kernels/compiling.py").read_text())
    (package / "caller/calls.py").write_text(
        "from pipeline.kernels.compiling import kernel\nfrom pipeline.called.factor import called\n\n\n"
        "@kernel\ndef caller(x):\n    return called(x)\n"
    )
    return package


def started(package: Path, code: str) -> "subprocess.Popen[str]":
    environment = {"PYTHONPATH": str(package.parent), "PATH": os.environ["PATH"], "HOME": str(package.parent)}
    # Python itself takes a file of the same size and second for the one that it has compiled.
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        cwd=package.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_change_in_one_file_reaches_the_kernels_of_another(package: Path) -> None:
    """numba's own cache answers with what it compiled before, since the caller's file has not changed."""
    answers = []
    for factor in (2, 3):
        (package / "called/factor.py").write_text(
            f"from pipeline.kernels.compiling import kernel\n\n\n@kernel\ndef called(x):\n    return {factor} * x\n"
        )
        process = started(package, "from pipeline.caller.calls import caller; print(caller(7))")
        said, errors = process.communicate(timeout=200)
        answers.append(said.strip())
    assert answers == ["14", "21"], errors


COUNTED = """
import sys
from numba.core.event import install_recorder
from pipeline.caller.calls import caller
print(flush=True)
sys.stdin.readline()
with install_recorder("numba:compile") as seen:
    assert caller(7) == 14
print(sum(event.is_start for _, event in seen.buffer))
"""


def test_of_processes_that_want_a_kernel_one_compiles(package: Path) -> None:
    (package / "called/factor.py").write_text(
        "from pipeline.kernels.compiling import kernel\n\n\n@kernel\ndef called(x):\n    return 2 * x\n"
    )
    running = [started(package, COUNTED) for _ in range(2)]
    for process in running:
        assert process.stdout and process.stdout.readline() == "\n"
    said = [process.communicate("go\n", timeout=200) for process in running]
    assert sorted(int(count) for count, _ in said) == [0, 2], said


def test_a_turn_is_waited_for_and_ends_with_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "turn"
    program = f"import fcntl; file = open({str(file)!r}, 'w'); fcntl.lockf(file, fcntl.LOCK_EX); print(); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline()
        monkeypatch.setattr(compiling, "PATIENCE", 0.1)
        impatient = compiling.Turn(file)
        assert impatient.take()  # compiles though another does
        impatient.give()
        monkeypatch.setattr(compiling, "PATIENCE", 60)
        threading.Timer(0.3, other.kill).start()
        turn = compiling.Turn(file)
        assert turn.take()
    assert not turn.take()  # it has it already
    turn.give()
    assert not turn.take()  # nobody to be waited for
    turn.give()
    assert not compiling.Turn(tmp_path / "none" / "turn").take()  # where there can be no such file
