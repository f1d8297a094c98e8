import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_change_in_one_file_reaches_the_kernels_of_another(tmp_path: Path) -> None:
    """numba's own cache answers with what it compiled before, since the caller's file has not changed."""
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
    answers = []
    for factor in (2, 3):
        (package / "called/factor.py").write_text(
            f"from pipeline.kernels.compiling import kernel\n\n\n@kernel\ndef called(x):\n    return {factor} * x\n"
        )
        code = "from pipeline.caller.calls import caller; print(caller(7))"
        environment = {"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        # Python itself takes a file of the same size and second for the one that it has compiled.
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200
        )
        answers.append(done.stdout.strip())
    assert answers == ["14", "21"], done.stderr
