"""Fine-tunings: they learn, go on after any stop in the same bits, and write what transformers opens."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_encoders import SENTENCES, save_encoder
from toy_tasks import LANGUAGES, made, training

from schemas.errors import UserError
from train.benchmarks.examples import Origin, SpanExample, TextExample, TokenExample
from train.encoders.opened import open_model
from train.finetuning import outputs, seed_run
from train.finetuning.run import FinetuneSettings, Result, finetune, score
from train.tasks import sequence, span, token

QUICK: dict[str, Any] = {"learning_rate": 5e-3, "epochs": 6, "batch_size": 16, "patience": 0, "layer_decay": 1.0}


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory):
    kinds: dict[str, Path] = {}

    def encoders(kind: str) -> Path:
        if kind not in kinds:
            kinds[kind] = save_encoder(kind, tmp_path_factory.mktemp(kind))
        return kinds[kind]

    return encoders


def silent(_: str) -> None:
    pass


def run(model: Path, output: Path, task: str, examples: str = "", count: int = 40, say=silent, **settings) -> Result:
    examples = examples or task
    told = FinetuneSettings(task=task, **(QUICK | settings))  # type: ignore[arg-type]
    return finetune(told, model, training(examples, count), made(examples, 12, 1), output, say, made(examples, 12, 2))


@pytest.mark.parametrize(
    ("task", "examples", "kind", "metric", "least"),
    [
        ("sequence", "sequence", "bert", "accuracy", 0.9),
        ("pair", "pair", "modernbert", "accuracy", 0.9),
        ("sequence", "number", "modernbert", "pearson", 0.7),
        ("token", "token", "distilbert", "f1", 0.9),
        ("span", "span", "bert", "f1", 0.8),
        ("span", "perhaps", "xlm-roberta", "f1", 0.75),
        ("embedding", "pairs", "modernbert", "retrieval", 0.8),
        ("embedding", "scores", "bert", "spearman", 0.7),
    ],
)
def test_each_task_is_learnt(encoders, tmp_path: Path, task, examples, kind, metric, least) -> None:
    result = run(encoders(kind), tmp_path / "out", task, examples, epochs=10)
    assert result.metric == metric and set(result.seeds[0].test) == set(LANGUAGES)
    assert result.by_language("test")["mean"].value >= least
    again = open_model(result.model, device="cpu")
    assert score(task, again, made(examples, 12, 2)) == pytest.approx(result.seeds[0].test)
    assert result.table()[0].split() == [metric, "validation", "test"] and len(result.table()) == 5
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    train_lines = [line for line in lines if line["split"] == "train"]
    assert train_lines[-1]["loss"] < train_lines[0]["loss"]
    assert {"step", "loss", "learning_rate", "examples_per_second"} <= train_lines[0].keys()
    assert set(lines[-1]["languages"]) == set(LANGUAGES)
    assert not (tmp_path / "out" / "checkpoints").exists()
    assert again.lineage["finetuned"]["no_answer"] == (examples == "perhaps")
    assert again.lineage["finetuned"]["languages"] == dict.fromkeys(LANGUAGES, 40)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("stops", [(0, 7), (24,)])
def test_a_run_that_is_stopped_ends_in_the_same_weights(encoders, tmp_path: Path, monkeypatch, stops) -> None:
    settings: dict[str, Any] = {"dropout": 0.2, "epochs": 5, "save_every": 3, "eval_every": 4}
    run(encoders("bert"), tmp_path / "whole", "sequence", **settings)
    original = seed_run.SeedRun._step
    for stop in stops:

        def step(self: Any, *arguments: Any, stop: int = stop) -> None:
            if self.standing.step == stop:
                raise KeyboardInterrupt
            original(self, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(seed_run.SeedRun, "_step", step)
            with pytest.raises(KeyboardInterrupt):
                run(encoders("bert"), tmp_path / "stopped", "sequence", **settings)
        assert not (tmp_path / "stopped" / "model").exists()
    said: list[str] = []
    run(encoders("bert"), tmp_path / "stopped", "sequence", say=said.append, **settings)
    assert [line for line in said if "goes on after" in line] == (
        [f"goes on after step {stops[-1] // 3 * 3} of 25"] if stops[-1] else []
    )
    assert same(tmp_path / "whole", tmp_path / "stopped")
    timing = ("examples_per_second", "tokens_per_second")
    logs = [
        [{k: v for k, v in json.loads(line).items() if k not in timing} for line in file.read_text().splitlines()]
        for file in (tmp_path / "whole" / "metrics.jsonl", tmp_path / "stopped" / "metrics.jsonl")
    ]
    assert logs[0] == logs[1] and len(logs[0]) > 8
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("whole", "stopped")]
    assert results[0]["seeds"] == results[1]["seeds"]


def test_what_is_finished_stays_and_others_are_refused(encoders, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run(encoders("bert"), out, "sequence", epochs=1)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    said: list[str] = []
    assert run(encoders("bert"), out, "sequence", epochs=1, say=said.append) == first
    assert "is finished already" in said[0] and {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    with pytest.raises(UserError, match=r"--output .*out was begun with another epochs \(1, now 2\)"):
        run(encoders("bert"), out, "sequence", epochs=2)
    # The same examples in another file are the same.
    moved = [replace(one, origin=Origin(Path("moved.tsv"), 7)) for one in training("sequence", 40)]
    told = FinetuneSettings(task="sequence", **(QUICK | {"epochs": 1}))
    assert (
        finetune(told, encoders("bert"), moved, made("sequence", 12, 1), out, silent, made("sequence", 12, 2)) == first
    )
    (out / "checkpoints" / "step-00000005").mkdir(parents=True)  # killed at the very end
    run(encoders("bert"), out, "sequence", epochs=1)
    assert not (out / "checkpoints").exists()
    with pytest.raises(UserError, match="was begun with another training"):
        run(encoders("bert"), out, "sequence", epochs=1, count=41)
    with pytest.raises(UserError, match="was begun with another model"):
        run(encoders("distilbert"), out, "sequence", epochs=1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(UserError, match="holds something else already"):
        run(encoders("bert"), tmp_path / "other", "sequence")
    (out / "result.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"result\.json cannot be read"):
        run(encoders("bert"), out, "sequence", epochs=1)
    (out / "begun.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(UserError, match=r"begun\.json cannot be read"):
        run(encoders("bert"), out, "sequence", epochs=1)


def test_an_output_that_cannot_be_is_one_line(encoders, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    for below in ("file", "file/below/it"):
        with pytest.raises(UserError, match=r"--output .*: .*file is a file: give a folder"):
            run(encoders("bert"), tmp_path / below, "sequence", epochs=1)

    def refused(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(outputs, "write_text", refused)
    with pytest.raises(UserError, match=r"--output .*out cannot be written to \(Permission denied\)"):
        run(encoders("bert"), tmp_path / "out", "sequence", epochs=1)


def test_the_log_has_the_rates_and_the_mean_losses_of_its_steps(encoders, tmp_path: Path, monkeypatch) -> None:
    losses: list[float] = []
    original = seed_run._Sums.add

    def add(self: Any, loss: torch.Tensor, examples: int, tokens: int) -> None:
        losses.append(float(loss))
        original(self, loss, examples, tokens)

    monkeypatch.setattr(seed_run._Sums, "add", add)
    settings: dict[str, Any] = {"steps": 10, "warmup_ratio": 0.5, "eval_every": 4, "learning_rate": 0.01}
    run(encoders("bert"), tmp_path / "out", "sequence", **settings)
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    of_training = [line for line in lines if line["split"] == "train"]
    # Up to the peak in five steps, and down in five towards the sixth.
    assert {one["step"]: one["learning_rate"] for one in of_training} == pytest.approx(
        {4: 0.01 * 4 / 5, 5: 0.01, 8: 0.01 * 3 / 6, 10: 0.01 / 6}
    )
    parts = [losses[:4], losses[4:5], losses[5:8], losses[8:]]
    assert [one["loss"] for one in of_training] == pytest.approx([float(np.mean(part)) for part in parts])


def test_what_is_not_finite_ends_the_run(encoders, tmp_path: Path, monkeypatch) -> None:
    settings: dict[str, Any] = {"steps": 3, "learning_rate": 1e38}
    with pytest.raises(UserError, match=r"the weights of step \d are not finite: lower --learning-rate"):
        run(encoders("bert"), tmp_path / "weights", "sequence", **(settings | {"eval_every": 1}))
    original = seed_run.SeedRun._step

    def step(self: Any, *given: Any) -> None:
        original(self, *given)
        given[0].loss = given[0].loss * float("nan")

    monkeypatch.setattr(seed_run.SeedRun, "_step", step)
    with pytest.raises(UserError, match="the loss of steps 1 to 3 is not finite"):
        run(encoders("bert"), tmp_path / "loss", "sequence", steps=3)
    assert not any((tmp_path / name / "model").exists() for name in ("weights", "loss"))


def test_seeds_differ_and_each_is_itself(encoders, tmp_path: Path) -> None:
    three = run(encoders("bert"), tmp_path / "three", "sequence", epochs=2, seeds=(0, 1, 2))
    run(encoders("bert"), tmp_path / "one", "sequence", epochs=2, seeds=(1,))
    assert same(tmp_path / "three" / "seed-1", tmp_path / "one")
    assert not same(tmp_path / "three" / "seed-0", tmp_path / "three" / "seed-1")
    best = max(three.seeds, key=lambda one: sum(one.validation.values()))
    assert same(tmp_path / "three", tmp_path / "three" / f"seed-{best.seed}")
    means = [np.mean(list(one.test.values())) for one in three.seeds]
    interval = three.by_language("test")["mean"]
    assert interval.value == pytest.approx(np.mean(means))
    assert interval.high - interval.value == pytest.approx(4.302653 * np.std(means, ddof=1) / np.sqrt(3), abs=1e-5)
    told = json.loads((tmp_path / "three" / "result.json").read_text())
    assert told["test"]["mean"]["value"] == pytest.approx(interval.value) and len(told["seeds"]) == 3


@pytest.mark.parametrize(
    ("trained", "moved"),
    [("head", {"classifier", "bert.pooler"}), ("top:1", {"classifier", "bert.pooler", "bert.encoder.layer.1"})],
)
def test_what_is_frozen_stays(encoders, tmp_path: Path, trained: str, moved: set[str]) -> None:
    run(encoders("bert"), tmp_path / "out", "sequence", trained=trained, epochs=1, count=10)
    before, after = load_file(encoders("bert") / "model.safetensors"), weights(tmp_path / "out")
    kept = [name for name in after if name in before and torch.equal(after[name], before[name])]
    changed = [name for name in after if name not in kept]
    assert kept and all(any(name.startswith(part + ".") for part in moved) for name in changed)
    assert {part for part in moved if any(name.startswith(part + ".") for name in changed)} == moved


def test_from_scratch_takes_nothing_of_the_weights(encoders, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 1, "count": 10, "from_scratch": True, "learning_rate": 1e-9}
    run(encoders("bert"), tmp_path / "a", "sequence", **settings)
    name = "bert.encoder.layer.0.attention.self.query.weight"
    trained, random = load_file(encoders("bert") / "model.safetensors")[name], weights(tmp_path / "a")[name]
    assert random.std() < 0.05 < trained.std()
    # The same as the untrained twin of an opened model, whose head is as random.
    told = FinetuneSettings(task="sequence", **(QUICK | {"epochs": 1, "learning_rate": 1e-9}))
    twin = open_model(encoders("bert"), device="cpu").untrained(0)
    finetune(told, twin, training("sequence", 10), made("sequence", 12, 1), tmp_path / "b", silent)
    assert same(tmp_path / "a", tmp_path / "b")


def test_training_ends_early_and_the_best_weights_stay(encoders, tmp_path: Path, monkeypatch) -> None:
    scores = iter([0.5, 0.75, 0.75, 0.25, 1.0, 1.0])
    monkeypatch.setattr(seed_run, "score", lambda *_, **__: {"": next(scores)})
    kept: list[dict[str, torch.Tensor]] = []
    original = seed_run.SeedRun._evaluate

    def evaluate(self: Any, terminal: Any) -> dict[str, Any]:
        kept.append(self._copy())
        return original(self, terminal)

    monkeypatch.setattr(seed_run.SeedRun, "_evaluate", evaluate)
    told = FinetuneSettings(task="sequence", **(QUICK | {"patience": 2, "epochs": 20}))
    examples = training("sequence", 40)
    result = finetune(told, encoders("bert"), examples, made("sequence", 4, 1), tmp_path / "out", silent)
    assert len(kept) == 4 and result.seeds[0].step == 10 and result.seeds[0].validation == {"": 0.75}
    found = weights(tmp_path / "out")
    assert all(torch.equal(found[name], value) for name, value in kept[1].items())
    assert not torch.equal(found["classifier.weight"], kept[3]["classifier.weight"])


@pytest.mark.parametrize("kind", ["bert", "modernbert", "xlm-roberta"])
@pytest.mark.parametrize("task", ["sequence", "pair", "token", "span", "embedding"])
def test_the_folder_answers_in_transformers_as_here(encoders, tmp_path: Path, kind: str, task: str) -> None:
    examples = "pairs" if task == "embedding" else task
    result = run(encoders(kind), tmp_path / "out", task, examples, count=10, epochs=1)
    import transformers

    texts = [text[:20] for text in SENTENCES.values()]
    own = open_model(result.model, device="cpu")
    if task in ("sequence", "pair"):
        pipeline = transformers.pipeline("text-classification", str(result.model), device=-1)
        asked = [{"text": "a b", "text_pair": text} if task == "pair" else text for text in texts]
        origin = training("sequence", 1)[0].origin
        ours = sequence.predict(
            own,
            [
                TextExample("a b" if task == "pair" else t, t if task == "pair" else None, None, "", origin)
                for t in texts
            ],
        )
        for theirs, answer in zip(pipeline(asked, top_k=None), ours, strict=True):
            assert {one["label"]: one["score"] for one in theirs} == pytest.approx(answer.probabilities, abs=1e-5)
            assert set(answer.probabilities) == {"good", "bad"}
    elif task == "token":
        pipeline = transformers.pipeline("token-classification", str(result.model), device=-1)
        assert set(pipeline.model.config.id2label.values()) == {"O", "B-LOC"}
        for text in texts:
            theirs: dict[tuple[int, int], str] = {}
            for one in pipeline(text, ignore_labels=[]):
                theirs.setdefault((one["start"], one["end"]), one["entity"])  # the first byte of a character
            words = tuple(text.split())
            tags = token.predict_tags(own, [TokenExample(words, (), "", training("token", 1)[0].origin)])[0]
            joined, place = " ".join(words), 0
            assert joined == text.strip()
            for word, tag in zip(words, tags, strict=True):
                begin = text.index(word, place)
                place = begin + len(word)
                assert tag == next(name for (a, b), name in theirs.items() if b > begin and a < place)
    elif task == "span":
        model = transformers.AutoModelForQuestionAnswering.from_pretrained(result.model).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(result.model)
        for text in texts:
            answer = span.predict(own, [SpanExample("", "a", text, (), False, "", training("span", 1)[0].origin)])[0]
            encoded = tokenizer("a", text, return_offsets_mapping=True, return_tensors="pt")
            offsets, of = encoded.pop("offset_mapping")[0].tolist(), encoded.sequence_ids(0)
            with torch.no_grad():
                found = model(**encoded)
            pairs = [(a, b) for a in range(len(of)) for b in range(a, len(of)) if of[a] == of[b] == 1]
            a, b = max(pairs, key=lambda one: found.start_logits[0, one[0]] + found.end_logits[0, one[1]])
            assert answer.text == text[offsets[a][0] : offsets[b][1]].lstrip()
    else:
        pipeline = transformers.pipeline("feature-extraction", str(result.model), device=-1)
        from train.encoders.vectors import embed

        ours_vectors = embed(own, texts)
        means = np.array([np.mean(pipeline(text)[0], 0) for text in texts])
        np.testing.assert_allclose(ours_vectors, means, atol=1e-5)
        sentence_transformers = pytest.importorskip(
            "sentence_transformers", reason="no sentence-transformers: pip install -e .[dev]"
        )
        theirs = sentence_transformers.SentenceTransformer(str(result.model), device="cpu")
        np.testing.assert_allclose(ours_vectors, theirs.encode(texts), atol=1e-5)
        assert theirs.max_seq_length == own.longest


def test_cls_vectors_are_those_of_sentence_transformers(encoders, tmp_path: Path) -> None:
    sentence_transformers = pytest.importorskip(
        "sentence_transformers", reason="no sentence-transformers: pip install -e .[dev]"
    )
    result = run(encoders("bert"), tmp_path / "out", "embedding", "pairs", count=10, epochs=1, pooling="cls")
    from train.encoders.vectors import Reading, embed

    texts = list(SENTENCES.values())
    theirs = sentence_transformers.SentenceTransformer(str(result.model), device="cpu").encode(texts)
    np.testing.assert_allclose(embed(open_model(result.model, device="cpu"), texts, Reading("cls")), theirs, atol=1e-5)


def test_classes_by_the_mean_of_all_tokens_where_the_model_can(encoders, tmp_path: Path) -> None:
    import transformers

    result = run(encoders("modernbert"), tmp_path / "out", "sequence", count=10, epochs=1, pooling="mean")
    own = open_model(result.model, device="cpu")
    assert own.config.classifier_pooling == "mean"
    pipeline = transformers.pipeline("text-classification", str(result.model), device=-1)
    answer = sequence.predict(own, made("sequence", 1)["eng_Latn"])[0]  # type: ignore[arg-type]
    text = made("sequence", 1)["eng_Latn"][0].text  # type: ignore[union-attr]
    theirs = {one["label"]: one["score"] for one in pipeline(text, top_k=None)}
    assert theirs == pytest.approx(answer.probabilities, abs=1e-5)
    with pytest.raises(UserError, match="--pooling mean: classes of a model of the kind bert have a way of their own"):
        run(encoders("bert"), tmp_path / "bert", "sequence", count=10, pooling="mean")
