"""The same tables where the processor is another: one without AVX and FMA, as far as this one can be made to be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from programs import ARCHIVE, job_environment, submit_command

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]

# What compiles for the machine (numba) or chooses by it: NumPy's loops, OpenBLAS, Arrow, the C library.
PLAIN = {
    "NUMBA_CPU_NAME": "generic",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Nehalem",
    "ARROW_USER_SIMD_LEVEL": "NONE",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F,-AVX512VL,-AVX512DQ,-AVX512BW",
}
STAGES = ("extract", "clean", "dedup", "sample")


def test_a_plain_processor_writes_the_same_tables(tmp_path: Path) -> None:
    roots = {}
    for name, processor in (("own", {}), ("plain", PLAIN)):
        roots[name] = root = tmp_path / name
        kernels = {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")} if processor else {}
        flags = ["--input", ARCHIVE, "--root", root, "--presets", "none", "--vocab-size", "3000"]
        command = submit_command("corpus", *flags, master="local[1]")  # by one process: it compiles all kernels anew
        answer = subprocess.run(
            command, env={**job_environment(), **processor, **kernels}, cwd="/", capture_output=True, text=True,
            timeout=700,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr[-3000:]
    own, plain = (
        {
            str(file.relative_to(root)): file.read_bytes()
            for stage in STAGES
            for file in (root / stage).rglob("*.parquet")
        }
        for root in roots.values()
    )
    assert {name.partition("/")[0] for name in own} == set(STAGES)
    assert own.keys() == plain.keys()
    assert [name for name in own if own[name] != plain[name]] == []


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="no x86-64 processor, whose features it names")
def test_the_plain_processor_is_another(tmp_path: Path) -> None:
    """NumPy's own exponentials differ there, so the test above compares two processors and not one with itself."""
    program = "import numpy as np; print(np.exp(np.linspace(-20, 0, 100_001, dtype=np.float32)).tobytes().hex())"
    digests = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program], env={**job_environment(), **one}, capture_output=True
        ).stdout
        for one in ({}, PLAIN)
    }
    known = Path("/proc/cpuinfo").read_text()
    assert len(digests) == (2 if "avx2" in known else 1)
