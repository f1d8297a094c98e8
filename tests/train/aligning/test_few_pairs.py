"""A dictionary of which hardly a word has a vector: what is learnt without it stands."""

from pathlib import Path

import numpy as np
from pytest import CaptureFixture

from train import align

WORDS = {"eng": ["river", "city", "water"], "deu": ["Fluss", "Stadt", "Wasser"]}


def test_ridge_is_left_out_where_no_pair_is_left_to_choose_its_penalty_by(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    generator = np.random.default_rng(0)
    for language, words in WORDS.items():
        rows = "".join(f"{word} {' '.join(f'{x:.4f}' for x in generator.normal(size=4))}\n" for word in words)
        (tmp_path / f"{language}.vec").write_text(f"3 4\n{rows}", encoding="utf-8")
    (tmp_path / "eng-deu.tsv").write_text("river\tFluss\ncity\tStadt\nwater\tWasser\n", encoding="utf-8")
    asked = ["--vectors", *(f"{one}={tmp_path / one}.vec" for one in WORDS)]
    asked += ["--dictionary", str(tmp_path / "eng-deu.tsv"), "--output", str(tmp_path / "out")]
    status = align.main(["learn", *asked])
    said = capsys.readouterr()
    assert status == 0, said.err
    assert "ridge: left out deu: too few pairs" in said.out
    assert not (tmp_path / "out" / "ridge").exists() and (tmp_path / "out" / "procrustes").exists()
    assert align.main(["learn", *asked, "--method", "ridge"]) == 2
    assert "no language to map" in capsys.readouterr().err
