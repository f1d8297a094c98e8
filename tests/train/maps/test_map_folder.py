"""Maps as folders: what is written is read again, what is damaged is one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from schemas.errors import UserError
from train.maps.map_folder import SETTINGS, TENSORS, LanguageMap, Origin, VectorMap, read_map, write_map

RNG = np.random.default_rng(0)
MEAN, MATRIX = RNG.normal(size=4).astype(np.float32), RNG.normal(size=(4, 3)).astype(np.float32)


def a_map() -> VectorMap:
    pivot = LanguageMap(np.zeros(3, np.float32), np.eye(3, dtype=np.float32))
    origins = {"eng": Origin("B", "2"), "zho-CN": Origin("A", "1")}
    languages = {"zho-CN": LanguageMap(MEAN, MATRIX), "eng": pivot}
    return VectorMap("sentences", "ridge", "eng", languages, origins, 2, "cls", {"penalty": 0.5, "语": "万"})


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_map(a_map(), tmp_path / "map")
    found = read_map(tmp_path / "map")
    assert (found.space, found.method, found.pivot, found.layer, found.pooling) == (
        "sentences",
        "ridge",
        "eng",
        2,
        "cls",
    )
    assert found.lineage == {"penalty": 0.5, "语": "万"} and found.origins == a_map().origins
    np.testing.assert_array_equal(found.languages["zho-CN"].matrix, MATRIX)
    assert [path.name for path in tmp_path.iterdir()] == ["map"]


def test_vectors_are_made_unit_centred_made_unit_and_mapped() -> None:
    vectors = RNG.normal(size=(5, 4))
    rows = []
    for row in vectors:
        centred = row / np.sqrt((row**2).sum()) - MEAN
        mapped = centred / np.sqrt((centred**2).sum()) @ MATRIX
        rows.append(mapped / np.sqrt((mapped**2).sum()))
    np.testing.assert_allclose(a_map().apply("zho-CN", vectors), rows, atol=1e-6)
    assert not a_map().apply("eng", np.zeros((1, 3))).any()
    with pytest.raises(ValueError, match="shape"):
        a_map().apply("eng", vectors)


@pytest.mark.parametrize("damage", ["cut", "no tensor", "nan", "other shapes", "no pivot", "format", "nothing"])
def test_a_damaged_map_is_one_line(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "map"
    write_map(a_map(), folder)
    told = json.loads((folder / SETTINGS).read_text())
    tensors = {"zho-CN.mean": MEAN, "zho-CN.matrix": MATRIX, "eng.mean": MEAN[:3], "eng.matrix": MATRIX[:3]}
    if damage == "cut":
        (folder / TENSORS).write_bytes((folder / TENSORS).read_bytes()[:-9])
    elif damage == "no tensor":
        save_file({"eng.mean": MEAN}, folder / TENSORS)
    elif damage == "nan":
        save_file(tensors | {"eng.matrix": MATRIX[:3] * np.nan}, folder / TENSORS)
    elif damage == "other shapes":
        save_file(tensors | {"eng.matrix": MATRIX}, folder / TENSORS)
    elif damage == "nothing":
        folder = tmp_path / "none"
    else:
        (folder / SETTINGS).write_text(json.dumps(told | ({"format": 9} if damage == "format" else {"pivot": "deu"})))
    with pytest.raises(UserError, match="--map") as told_of:
        read_map(folder)
    assert "\n" not in str(told_of.value)
