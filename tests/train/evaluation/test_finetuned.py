"""Fine-tuned models on files in published layouts: figures are those of the pipeline's answers, by usual metrics."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from benchmark_files import squad, tsv, write
from tiny_encoders import SENTENCES, save_encoder

from train.benchmarks.examples import Origin, SpanExample, TokenExample
from train.encoders.opened import open_model
from train.evaluate import main
from train.tasks import span, token

NLI = {0: "contradiction", 1: "entailment", 2: "neutral"}
TEXTS = [text[:20] for text in SENTENCES.values()]
CODES = ("en", "zh", "th", "ar", "hi")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One a task, each of random weights."""
    root = tmp_path_factory.mktemp("models")
    classes = "AutoModelForSequenceClassification"
    return {
        "nli": save_encoder("bert", root / "nli", head=classes, id2label=NLI),
        "topic": save_encoder("modernbert", root / "topic", head=classes, id2label={0: "Geography", 1: "sports"}),
        "binary": save_encoder("bert", root / "binary", head=classes, id2label={0: "0", 1: "1"}),
        "score": save_encoder("bert", root / "score", head=classes, num_labels=1, problem_type="regression"),
        "unnamed": save_encoder("bert", root / "unnamed", head=classes, num_labels=3),
        "tags": save_encoder(
            "xlm-roberta", root / "tags", head="AutoModelForTokenClassification",
            id2label=dict(enumerate(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])),
        ),
        "spans": save_encoder("bert", root / "spans", head="AutoModelForQuestionAnswering"),
    }  # fmt: skip


def evaluated(model: Path, output: Path, *arguments: object) -> dict[str, Any]:
    """Tables by name, figures of the one model by language."""
    assert main(["--model", str(model), *map(str, arguments), "--output", str(output), "--device", "cpu"]) == 0
    found = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    return {table["name"]: table["figures"][model.name] for table in found["tables"]}


def refused(capsys: pytest.CaptureFixture[str], model: Path, output: Path, *arguments: object) -> str:
    assert main(["--model", str(model), *map(str, arguments), "--output", str(output), "--device", "cpu"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert not (output / "evaluation.json").exists()
    return lines[-1]


def told(model: Path, rows: list[Any]) -> list[str]:
    """The labels of the pipeline."""
    pipeline = transformers.pipeline("text-classification", model=str(model), device=-1)
    return [one["label"] for one in pipeline(rows)]


def xnli(path: Path) -> dict[str, list[tuple[str, str, str]]]:
    """The test file of XNLI; its rows by language."""
    pairs = [(TEXTS[n % 14], TEXTS[(n * 3 + 1) % 14], NLI[n % 3]) for n in range(40)]
    rows = {code: pairs[place::5] for place, code in enumerate(CODES)}
    names = ["language", "gold_label", "sentence1_binary_parse", "sentence2_binary_parse", "sentence1_parse",
             "sentence2_parse", "sentence1", "sentence2", "promptID", "pairID", "genre", "label1", "match"]  # fmt: skip
    lines = [
        [code, label, "", "", "", "", first, second, str(number), str(number), "face", label, "True"]
        for code, of in rows.items()
        for number, (first, second, label) in enumerate(of)
    ]
    tsv(path / "xnli.test.tsv", [names, *lines])
    return rows


def test_accuracy_by_language_is_that_of_the_pipeline(models: dict[str, Path], tmp_path: Path) -> None:
    rows = xnli(tmp_path / "XNLI")
    found = evaluated(models["nli"], tmp_path / "out", "--xnli", tmp_path / "XNLI")["xnli_accuracy"]
    assert set(found) == set(CODES)
    for code, of in rows.items():
        answers = told(models["nli"], [{"text": first, "text_pair": second} for first, second, _ in of])
        right = [answer == label for answer, (_, _, label) in zip(answers, of, strict=True)]
        assert found[code]["value"] == pytest.approx(np.mean(right))
        assert found[code]["count"] == len(of)
        assert found[code]["low"] <= found[code]["value"] <= found[code]["high"]
    few = evaluated(
        models["nli"], tmp_path / "few", "--xnli", tmp_path / "XNLI", "--languages", "zh", "ar", "--examples", 3
    )["xnli_accuracy"]
    assert {code: figure["count"] for code, figure in few.items()} == {"zh": 3, "ar": 3}


def test_labels_are_matched_by_name_and_never_by_number(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same weights under names in another order give other answers; under no names they give none."""
    xnli(tmp_path / "XNLI")
    asked = ("--xnli", tmp_path / "XNLI")
    line = refused(capsys, models["unnamed"], tmp_path / "a", *asked)
    assert "answers with the labels LABEL_0, LABEL_1, LABEL_2, and" in line
    assert "xnli.test.tsv has contradiction, entailment, neutral: if they mean the same" in line
    assert "id2label" in line
    config = models["unnamed"] / "config.json"
    text = config.read_text(encoding="utf-8")
    accuracies = []
    for order in ("contradiction entailment neutral", "ENTAILMENT NEUTRAL CONTRADICTION"):
        values = json.loads(text)
        values["id2label"] = dict(enumerate(order.split()))
        values["label2id"] = {name: number for number, name in enumerate(order.split())}
        config.write_text(json.dumps(values), encoding="utf-8")
        found = evaluated(models["unnamed"], tmp_path / order[:4], *asked)["xnli_accuracy"]
        accuracies.append([figure["value"] for figure in found.values()])
    config.write_text(text, encoding="utf-8")
    assert accuracies[0] != accuracies[1]


def test_sib200_in_two_scripts(models: dict[str, Path], tmp_path: Path) -> None:
    """The file's names, in another case than the model's; no test split, so the dev files are read."""
    labels = ["geography", "sports"]
    for language in ("amh_Ethi", "tha_Thai"):
        for split in ("train", "dev"):
            rows = [[str(n), labels[n * 7 % 5 % 2], f"{n} {TEXTS[n]}"] for n in range(14)]
            tsv(tmp_path / "sib" / language / f"{split}.tsv", [["index_id", "category", "text"], *rows])
    found = evaluated(models["topic"], tmp_path / "out", "--sib200", tmp_path / "sib")
    answers = [one.lower() for one in told(models["topic"], [f"{n} {TEXTS[n]}" for n in range(14)])]
    right = [labels[n * 7 % 5 % 2] for n in range(14)]
    metrics = pytest.importorskip("sklearn.metrics", reason="no scikit-learn: pip install -e .[evaluate]")
    for language in ("amh_Ethi", "tha_Thai"):
        assert found["sib200_accuracy"][language]["value"] == pytest.approx(metrics.accuracy_score(right, answers))
        f1 = metrics.f1_score(right, answers, average="macro")
        assert found["sib200_macro_f1"][language]["value"] == pytest.approx(f1)
    settings = json.loads((tmp_path / "out/evaluation.json").read_text(encoding="utf-8"))["tables"][0]["settings"]
    assert settings["split"] == "dev"


def test_glue_has_each_task_s_own_metrics(models: dict[str, Path], tmp_path: Path) -> None:
    metrics, stats = (
        pytest.importorskip("sklearn.metrics", reason="no scikit-learn: pip install -e .[evaluate]"),
        pytest.importorskip("scipy.stats", reason="no scipy: pip install -e .[evaluate]"),
    )
    right = [str(n * 7 % 5 % 2) for n in range(14)]
    cola = tmp_path / "glue" / "CoLA"
    tsv(cola / "dev.tsv", [["gj04", label, "", text] for label, text in zip(right, TEXTS, strict=True)])
    found = evaluated(models["binary"], tmp_path / "cola", "--glue", cola)
    answers = told(models["binary"], TEXTS)
    assert found["cola_matthews"]["all"]["value"] == pytest.approx(metrics.matthews_corrcoef(right, answers))

    pairs = list(zip(TEXTS, [*TEXTS[1:], TEXTS[0]], strict=True))
    mrpc = tmp_path / "glue" / "MRPC"
    head = ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"]
    rows = [[label, "1", "2", *pair] for label, pair in zip(right, pairs, strict=True)]
    tsv(mrpc / "dev.tsv", [head, *rows])
    found = evaluated(models["binary"], tmp_path / "mrpc", "--glue", mrpc / "dev.tsv")
    answers = told(models["binary"], [{"text": one, "text_pair": other} for one, other in pairs])
    assert found["mrpc_f1"]["all"]["value"] == pytest.approx(metrics.f1_score(right, answers, pos_label="1"))
    assert found["mrpc_accuracy"]["all"]["value"] == pytest.approx(metrics.accuracy_score(right, answers))

    stsb = tmp_path / "glue" / "STS-B"
    head = ["index", "genre", "filename", "year", "old_index", "source1", "source2", "sentence1", "sentence2", "score"]
    scores = [float(n * 7 % 5) for n in range(14)]
    rows = [["1", "a", "b", "2", "3", "c", "d", *pair, f"{one:.3f}"] for pair, one in zip(pairs, scores, strict=True)]
    tsv(stsb / "dev.tsv", [head, *rows])
    found = evaluated(models["score"], tmp_path / "stsb", "--glue", stsb)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(models["score"]).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(models["score"])
    given = [model(**tokenizer(*pair, return_tensors="pt")).logits.item() for pair in pairs]
    assert found["stsb_pearson"]["all"]["value"] == pytest.approx(stats.pearsonr(scores, given)[0], abs=1e-5)
    assert found["stsb_spearman"]["all"]["value"] == pytest.approx(stats.spearmanr(scores, given)[0], abs=1e-5)


def test_what_does_not_fit_is_one_line(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    glue = tmp_path / "glue"
    tsv(glue / "CoLA" / "dev.tsv", [["gj04", "1", "", "Anna"], ["gj04", "0", "*", "York"]])
    assert "name one of CoLA in it" in refused(capsys, models["binary"], tmp_path / "out", "--glue", glue)
    other = tsv(tmp_path / "other" / "dev.tsv", [["sentence", "label"], ["a", "1"]])
    assert "called CoLA, SST-2" in refused(capsys, models["binary"], tmp_path / "out", "--glue", other)
    head = ["sentence1", "sentence2", "score"]
    tsv(glue / "STS-B" / "dev.tsv", [head, ["a", "b", "1.0"], ["b", "c", "2.0"]])
    line = refused(capsys, models["nli"], tmp_path / "out", "--glue", glue / "STS-B")
    assert "answers with classes" in line and "problem_type" in line
    assert "has no head for" in refused(capsys, models["tags"], tmp_path / "out", "--glue", glue / "CoLA")
    write(tmp_path / "conll" / "test.txt", "Anna B-DATE\nlives O\n")
    line = refused(capsys, models["tags"], tmp_path / "out", "--wikiann", tmp_path / "conll")
    assert "O, B-PER, I-PER, B-LOC, I-LOC" in line and "has DATE" in line
    (tmp_path / "empty").mkdir()
    assert "holds no file" in refused(capsys, models["nli"], tmp_path / "out", "--xnli", tmp_path / "empty")


def test_entities_of_wikiann(models: dict[str, Path], tmp_path: Path) -> None:
    """Of two files whose tags are the model's own answers, but for one sentence of one of them."""
    model = open_model(models["tags"], device="cpu")
    sentences = [tuple(text.split()) for text in TEXTS]
    tags = token.predict_tags(model, [TokenExample(words, (), "", Origin(Path("a"), 1)) for words in sentences])
    wrong = next(number for number, of in enumerate(tags) if set(of) != {"O"})
    for code, other in (("en", -1), ("ru", wrong)):
        given = [of if number != other else ("O",) * len(of) for number, of in enumerate(tags)]
        lines = [
            "\n".join(f"{code}:{word}\t{tag}" for word, tag in zip(words, of, strict=True))
            for words, of in zip(sentences, given, strict=True)
        ]
        write(tmp_path / "wikiann" / code / "test", "\n\n".join(lines) + "\n")
    found = evaluated(models["tags"], tmp_path / "out", "--wikiann", tmp_path / "wikiann")["wikiann_f1"]
    assert found["en"]["value"] == 1.0
    assert 0 < found["ru"]["value"] < 1.0


def test_answers_of_xquad_and_mlqa(models: dict[str, Path], tmp_path: Path) -> None:
    """Half of the right answers are the model's own."""
    model = open_model(models["spans"], device="cpu")
    contexts = {"en": SENTENCES["eng_Latn"][:40], "zh": SENTENCES["cmn_Hani"]}
    asked = {
        code: SpanExample("1", "Anna?", context, (), False, code, Origin(Path("a"), 1))
        for code, context in contexts.items()
    }
    for code, context in contexts.items():
        answer = span.predict(model, [asked[code]])[0]
        wrong = context[-2:]
        rows = [
            ("1", context, "Anna?", [(answer.text, answer.begin)]),
            ("2", context, "Anna?", [(wrong, len(context) - 2)]),
        ]
        squad(tmp_path / "xquad" / f"xquad.{code}.json", rows)
        squad(tmp_path / "MLQA" / f"test-context-{code}-question-{code}.json", rows)
    found = evaluated(models["spans"], tmp_path / "out", "--xquad", tmp_path / "xquad")
    assert {code: figure["value"] for code, figure in found["xquad_exact_match"].items()} == {"en": 0.5, "zh": 0.5}
    assert all(0.5 <= figure["value"] < 1 for figure in found["xquad_f1"].values())
    found = evaluated(models["spans"], tmp_path / "mlqa", "--mlqa", tmp_path / "MLQA")
    assert set(found["mlqa_f1"]) == {"en", "zh"}
    assert all(0.5 <= figure["value"] < 1 for figure in found["mlqa_f1"].values())
