from pathlib import Path

import numpy as np
import pytest

from pipeline.mixture.upsampling import FINEWEB2, NONE, fitted, step_of, steps_of
from schemas.errors import UserError


def test_finewebs_table() -> None:
    sizes = np.array([1, 2, 3, 4, 5, 99, 100, 999, 1000, 50_000])
    assert [FINEWEB2[step][1] for step in step_of(sizes, FINEWEB2)] == [1, 2, 3, 3, 5, 5, 8, 8, 1, 1]
    assert step_of(sizes, NONE).tolist() == [0] * 10


def test_a_curve_by_hand() -> None:
    """Dropped: half of single documents, a tenth of those of 2 to 6, all of 7: of all 1,310 documents 0.4733. Raw
    weights 1, 10, 10, 10, 10, 10, 1; means of five neighbours 7, 7.75, 8.2, 10, 8.2, 7.75, 7."""
    rows = [(1, 500, 500), *((size, 45, 5) for size in range(2, 7)), (7, 0, 60)]
    assert fitted(rows) == [(1, 7.0), (2, 8.0), (4, 10.0), (5, 8.0), (7, 7.0)]
    assert fitted([(1, 50, 50), (2, 50, 50)]) == NONE  # every size alike


def test_what_is_no_setting(tmp_path: Path) -> None:
    assert (steps_of("none"), steps_of("fineweb2")) == (NONE, FINEWEB2)
    with pytest.raises(UserError, match="no such file; give none, fineweb2, or a CSV file of"):
        steps_of(str(tmp_path / "none.csv"))
    file = tmp_path / "rates.csv"
    file.write_text("minhash_cluster_size,kept,dropped\n1,50,50\n2,9,1\n")
    assert steps_of(str(file))[-1][1] > 1
    file.write_text("size,kept\n1,2\n")
    with pytest.raises(UserError, match="not a CSV file of whole numbers"):
        steps_of(str(file))
    file.write_text("minhash_cluster_size,kept,dropped\n1,0,0\n")
    with pytest.raises(UserError, match="counts no document"):
        steps_of(str(file))
