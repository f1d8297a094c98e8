"""What cannot be learnt is one line with nothing written."""

import errno
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from known_words import save_knowing, write, write_words
from planted import word, write_planted

from train.align import main


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model, files (of known words), planted, and what is wrong with them."""
    root = tmp_path_factory.mktemp("trouble")
    save_knowing(root / "model")
    write_words(root / "files")
    write_planted(root / "planted", ("eng", "fra"))
    shutil.copytree(root / "files" / "aligned", root / "empty line")
    (root / "empty line" / "eng.txt").write_text("")
    for name, lines in (("uneven", 7), ("alone", 0), ("few", 3)):
        write(root / name / "eng.txt", ["a b", "c d", "e f"] if lines == 3 else [f"a {n}" for n in range(8)])
        if lines:
            write(root / name / "rus.txt", [f"b {n}" for n in range(lines)])
    write(root / "en_fr.tsv", ["river\trivière", "bread\tpain"])
    write(root / "de_fr.tsv", ["Fluss\trivière"])
    write(root / "words.tsv", ["river\trivière"])
    write(root / "bad.vec", ["2 2", "a 1 2", "b 1 nan"])
    write(root / "words.txt", ["river", "bread"])
    model = transformers.BertModel.from_pretrained(root / "model")
    shutil.copytree(root / "model", root / "damaged")
    with torch.no_grad():
        model.get_input_embeddings().weight.fill_(float("nan"))
    model.save_pretrained(root / "damaged")
    return root


MODEL, VECTORS = "--model {r}/model ", "--vectors eng={r}/planted/eng.vec fra={r}/planted/fra.vec "
PARALLEL, DICTIONARY = "--parallel {r}/files/aligned ", "--dictionary {r}/planted/dictionaries/eng_fra.tsv "


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "name the vectors: --model DIR, or --vectors"),
        (MODEL + VECTORS, "name the vectors: --model DIR, or --vectors"),
        ("--model {r}/gone " + PARALLEL, "--model .*gone is no folder"),
        ("--model {r}/damaged " + PARALLEL, "--model .*damaged answers with numbers that are not finite"),
        ("--model {r}/damaged --space embeddings " + PARALLEL, "--model .*damaged answers with numbers that are not"),
        ("--model eng={r}/model " + PARALLEL, "--model names none for amh, only for eng: name one"),
        (MODEL * 2 + PARALLEL, "--model: all languages have two: leave one of them out, or name its language"),
        (MODEL, "there is no language beside the pivot eng: give vectors of two or more"),
        (MODEL + "--parallel {r}/gone", "there is no folder .*gone"),
        (MODEL + "--parallel {r}/alone", ".*alone has files .* of eng alone: give two or more"),
        (MODEL + "--parallel {r}/uneven", ".*eng.txt has 8 lines and .*rus.txt has 7: line by line"),
        (MODEL + "--parallel {r}/few", ".*few has 3 different lines: 8 at least are needed"),
        (MODEL + "--parallel '{r}/empty line'", ".*eng.txt is empty: give a file with a text a line"),
        (MODEL + PARALLEL + "--pivot fin", "--pivot fin: .* has no such file; there are amh, cmn, eng"),
        (MODEL + PARALLEL + "--languages fin", "--languages fin: .* has no such file; there are amh, cmn, eng"),
        (MODEL + PARALLEL + "--languages eng", "--languages names the pivot eng alone"),
        (MODEL + PARALLEL + "--layer 9", "--layer 9: --model .* has layers 0"),
        (MODEL + PARALLEL + "--layer top", "argument --layer: 'top' should be the number of a layer, or all"),
        (MODEL + PARALLEL + "--method dictionary", "--method dictionary learns from --dictionary: name it"),
        (MODEL + "--dictionary {r}/en_fr.tsv --space sentences", "--space sentences needs --parallel"),
        (MODEL + "--dictionary {r}/en_fr.tsv --layer all", "--layer all needs --parallel"),
        (MODEL + "--dictionary {r}/words.tsv", ".*words.tsv does not tell its languages"),
        (MODEL + "--dictionary {r}/de_fr.tsv", ".*de_fr.tsv is of de and fr: one of them has to be the pivot"),
        (MODEL + "--dictionary {r}/gone/en_fr.tsv", "there is no file .*en_fr.tsv"),
        (MODEL + "--words eng={r}/words.txt", "there is no language beside the pivot eng"),
        (MODEL + "--words eng={r}/words.txt fra={r}/empty.txt", "there is no file .*empty.txt"),
        (MODEL + "--words {r}/words.txt", "--words .*words.txt: name each language once, as --words eng=FILE"),
        ("--vectors {r}/planted/eng.vec", "--vectors .*eng.vec: name its language, as --vectors eng="),
        ("--vectors eng={r}/planted/eng.vec", "there is no language beside the pivot eng"),
        ("--vectors eng={r}/planted/eng.vec eng={r}/bad.vec", "--vectors: eng has two: leave one of them out"),
        ("--vectors eng={r}/planted/eng.vec fra={r}/bad.vec", "--vectors .*bad.vec:3 has numbers that are not finite"),
        ("--vectors eng={r}/planted/eng.vec fra={r}/gone.vec", "there is no file .*gone.vec"),
        (VECTORS + "--pivot deu", "--vectors names none for deu, only for eng, fra"),
        (VECTORS + PARALLEL, "--parallel is for --model: files of vectors hold words"),
        (VECTORS + "--space words", "--space is for --model"),
        (VECTORS + "--words eng={r}/words.txt", "--words are for --model"),
        (VECTORS + "--dictionary {r}/en_fr.tsv", "--dictionary: no pair of fra and eng that is learnt from has"),
        (VECTORS + DICTIONARY + "--test-dictionary {r}/en_fr.tsv", "--test-dictionary: no word of fra and eng has"),
        (VECTORS + DICTIONARY + "--languages deu", "--languages deu: no --dictionary has it, only fra"),
        (VECTORS + DICTIONARY + "--method joint", "--method joint learns from --parallel: name it"),
        (VECTORS + DICTIONARY + "--methode joint", "unknown argument --methode: did you mean --method"),
        (VECTORS + DICTIONARY + "--seeds 0", "argument --seeds: '0' should be a whole number above 0"),
        (VECTORS + DICTIONARY + "--output {r}/words.txt", "--output .*words.txt is a file: name a folder"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(
    root: Path, arguments: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [one.strip("'") for one in re.findall(r"'[^']*'|\S+", arguments)]
    flags = ["--output", str(tmp_path / "out"), *(one.format(r=root) for one in given)]
    assert main(["learn", *flags]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and re.match(f"align: (?:{said})", err), err
    assert not (tmp_path / "out").exists() and out.count("\n") <= 1  # what was left out of a file


def test_a_full_disk_leaves_whole_maps_or_none(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from train.maps import map_folder

    real, calls = map_folder.save_file, []

    def full(tensors: object, path: Path) -> None:
        calls.append(path)
        if len(calls) == 3:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(tensors, path)

    monkeypatch.setattr(map_folder, "save_file", full)
    flags = [one.format(r=root) for one in (VECTORS + DICTIONARY).split()]
    assert main(["learn", *flags, "--output", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert re.fullmatch(r"align: --output .*out cannot be written \(No space left on device\): name another .*\n", err)
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["centre", "nothing"]


def test_what_a_side_writes_in_no_common_word_is_left_out(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As English and Chinese may."""
    rows = (root / "planted" / "fra.vec").read_text(encoding="utf-8").replace("\nw", "\nЖ")
    (tmp_path / "fra.vec").write_text(rows, encoding="utf-8")
    dictionary = tmp_path / "eng_fra.tsv"
    dictionary.write_text("".join(f"{word('eng', n)}\t{word('fra', n)}\n" for n in range(40, 400)), encoding="utf-8")
    flags = ["--vectors", f"eng={root / 'planted' / 'eng.vec'}", f"fra={tmp_path / 'fra.vec'}"]
    flags += ["--dictionary", str(dictionary), "--output", str(tmp_path / "out")]
    assert main(["learn", *flags, "--method", "procrustes"]) == 0
    out = capsys.readouterr().out
    assert "identical: left out fra: it and eng write no word the same" in out
    assert not (tmp_path / "out" / "identical").exists()
    assert main(["learn", *flags, "--method", "identical"]) == 2
    assert capsys.readouterr().err.startswith("align: --method identical has no language to map: take another")


def test_it_loads_nothing_large_to_say_what_is_wrong() -> None:
    program = (
        "import train.align as a, train.config.commands as c, sys; c.parser('align', '', a.COMMANDS); "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "numpy"} & set(loaded)
