"""What cannot be measured is one line with nothing written; what was measured is kept."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from known_words import evaluated, save_knowing, write, write_words
from tiny_encoders import save_encoder

from train.evaluate import main


@pytest.fixture(scope="module")
def knowing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_knowing(tmp_path_factory.mktemp("knowing") / "model")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder("bert", tmp_path_factory.mktemp("tiny") / "bert", head="AutoModel")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("files"))


def test_what_one_model_cannot_is_said_and_left_out(
    tiny: Path, knowing: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(
        tmp_path / "out",
        "--model",
        f"t={tiny}",
        "--model",
        f"k={knowing}",
        "--tatoeba",
        files / "tatoeba",
        "--layer",
        2,
    )
    assert list(found["tatoeba_cosine_to"]["figures"]) == ["t"]
    assert re.search(
        r"^left out: tatoeba of k: --layer 2: .* has layers 0 \(embeddings\) to 1", capsys.readouterr().err, re.M
    )
    assert (
        main(
            [*map(str, ["--model", knowing, "--tatoeba", files / "tatoeba", "--layer", 2, "--output", tmp_path / "no"])]
        )
        == 2
    )
    assert not (tmp_path / "no").exists()


def test_a_model_whose_training_went_wrong_is_one_line(
    knowing: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(knowing, tmp_path / "broken")
    model = transformers.BertModel.from_pretrained(knowing)
    with torch.no_grad():
        model.get_input_embeddings().weight.fill_(float("nan"))
    model.save_pretrained(tmp_path / "broken")
    for layer in ("-1", "all"):
        flags = ["--model", tmp_path / "broken", "--tatoeba", files / "tatoeba", "--output", tmp_path / "out"]
        assert main([*map(str, flags), "--layer", layer]) == 2
        said = r"evaluate: --model .*/broken answers with numbers that are not finite: .*\n"
        assert re.fullmatch(said, capsys.readouterr().err) and not (tmp_path / "out").exists()


def test_bad_input_is_one_line(knowing: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uneven, labels = tmp_path / "uneven", tmp_path / "labels"
    write(uneven / "eng.txt", ["a", "b"])
    write(uneven / "deu.txt", ["a"])
    shutil.copytree(files / "sib", labels)
    with (labels / "rus_Zzzz" / "test.tsv").open("a", encoding="utf-8") as file:
        file.write("9\tcooking\tхлеб\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    output = tmp_path / "out"
    for arguments, said in (
        ([], "nothing is asked: name files to measure on"),
        (["--tatoeba", tmp_path / "gone"], ".*gone"),
        (["--tatoeba", tmp_path / "empty"], ".*empty"),
        (["--aligned", uneven], ".*deu.txt.*1.*2|.*eng.txt.*2.*1"),
        (["--aligned", files / "aligned", "--pivot", "fin"], "--pivot fin: .* has no such file; there are amh, "),
        (["--tatoeba", files / "tatoeba", "--languages", "fin"], "--languages fin: none of the files has it"),
        (["--tatoeba", files / "tatoeba", "--layer", "9"], r"--layer 9: --model .* has layers 0 \(embeddings\) to 1"),
        (["--tatoeba", files / "tatoeba", "--layer", "top"], "argument --layer: 'top' should be the number of a layer"),
        (["--transfer", files / "sib", "--transfer-from", "fin_Latn"], "--transfer-from fin_Latn: .* there are amh_"),
        (["--transfer", labels, "--transfer-from", "eng"], r".*rus_Zzzz/test.tsv:10: label 'cooking' is none of the"),
        (["--dictionaries", tmp_path / "empty"], "--dictionaries .*empty holds no dictionary"),
        (["--probe"], "--probe needs texts"),
        (["--model", knowing, "--tatoeba", files / "tatoeba"], "--model: two models are called model: name them"),
        (["--model", f"x={tmp_path / 'gone'}", "--tatoeba", files / "tatoeba"], "--model .*gone is no folder"),
        (["--tatoeba", files / "tatoeba", "--output", tmp_path / "file"], "--output .*file is a file: name a folder"),
    ):  # fmt: skip
        flags = ["--output", output, "--model", knowing, *arguments]
        assert main([*map(str, flags)]) == 2, arguments
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and re.match(f"evaluate: (?:{said})", err), err
        assert not output.exists()


def test_a_stopped_one_keeps_what_it_has_and_no_finished_file(
    knowing: Path, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("train.evaluation.geometry.probe", stopped)
    flags = ["--model", knowing, "--output", tmp_path, "--aligned", files / "aligned", "--probe"]
    assert main([*map(str, flags)]) == 130
    assert [one.name for one in tmp_path.iterdir()] == ["evaluation.unfinished.json"]
    kept = json.loads((tmp_path / "evaluation.unfinished.json").read_text(encoding="utf-8"))
    assert "aligned_cosine_to" in {table["name"] for table in kept["tables"]}
    monkeypatch.undo()
    assert "mean_cosine" in evaluated(tmp_path, *flags[:2], *flags[4:])


def test_a_machine_without_scikit_learn_is_told(
    knowing: Path, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    flags = ["--model", knowing, "--output", tmp_path / "out", "--transfer", files / "sib"]
    assert main([*map(str, flags)]) == 2
    assert re.fullmatch(
        r"evaluate: scikit-learn is not installed .*: pip install scikit-learn\n", capsys.readouterr().err
    )


def test_it_loads_nothing_large_to_say_what_is_wrong() -> None:
    program = "import train.evaluate, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "numpy", "sklearn"} & set(loaded)
