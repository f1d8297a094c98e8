"""What a fit says of itself: by label, in figures, as JSON and as pages for people."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.language.fitting import judging
from pipeline.language.fitting.judging import Answers
from pipeline.language.fitting.labelled_rows import Rows
from pipeline.language.kinship import GROUP
from pipeline.language.labels import TABLE

PAGE = Path(__file__).resolve().parents[3] / "docs" / "languages.md"
# Languages that are taken for each other anywhere, and what is done about it.
CONFUSABLE = (
    (
        "Bosnian, Croatian, Serbian",
        "bos hrv srp",
        "One standard to a model: most sentences are written alike. A text is Bosnian only where the model says so "
        "twice as surely as of the others, which the web has four times as much of. Cyrillic is Serbian.",
    ),
    (
        "Hindi and its neighbours",
        "hin mai bho awa mag hne",
        "Told apart by their endings; a short line may be any of them.",
    ),
    (
        "Indonesian and Malay",
        "ind zsm min",
        "They share most of their words. Malay must be eight times as likely: the web has sixteen times as much "
        "Indonesian.",
    ),
    ("Norwegian and Danish", "nob nno dan", "Nothing is done: each is common enough to be told."),
    (
        "Persian and Dari",
        "fas",
        "One written language under one label: `prs` and `pes` are read as `fas`, as FineWeb-2 does.",
    ),
    (
        "Chinese and Cantonese",
        "cmn yue",
        "A text is Cantonese only with a character that only Cantonese has. SIB-200's `yue_Hant` has none in 692 "
        "sentences: it is Mandarin, and left out of the fit.",
    ),
    (
        "Arabic and its varieties",
        "arb acm acq aeb apc ars ary arz mey",
        "Varieties are seldom written, and SIB-200's sentences in several of them are those of Standard Arabic with a "
        "word changed: a variety must be forty times as likely.",
    ),
    ("Zulu, Xhosa, Ndebele, Swati", "zul xho nbl nde ssw", "Nothing is done: of Ndebele there is little text."),
)
JUDGED_BYTES = 20_000  # a label with more counts in the means


def labels(
    rows: Rows, names: Mapping[str, str], documents: Answers | None = None, collections: Answers | None = None
) -> dict[str, dict[str, Any]]:
    """By label: its language's name, group, bytes by collection, licences, and where judged F1 and what it is taken
    for."""
    size: dict[str, Counter[str]] = defaultdict(Counter)
    licences: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for text, label, source, licence in zip(*rows, strict=True):
        size[label][judging.collection(source)] += len(text.encode("utf-8", "ignore"))
        licences[label][judging.collection(source)].add(licence)
    scores = [judging.f1(answers) if answers else {} for answers in (documents, collections)]
    confused = judging.confusions(documents) if documents else {}
    found: dict[str, dict[str, Any]] = {}
    for label in sorted(size):
        code = label.partition("_")[0]
        one: dict[str, Any] = {"name": names.get(code, code), "group": GROUP.get(code, "")}
        one["bytes"] = dict(sorted(size[label].items()))
        one["licences"] = {name: sorted(given) for name, given in sorted(licences[label].items())}
        for name, score in zip(("f1", "f1_other_collection"), scores, strict=True):
            if label in score:
                one[name] = round(score[label], 3)
        if confused.get(label):
            one["taken_for"] = {other: round(share, 2) for other, share in confused[label].items()}
        found[label] = one
    return found


def figures(rows: Rows, answers: Mapping[str, Answers], rubbish: Mapping[str, float]) -> dict[str, Any]:
    """The means that a fit is judged by; `answers` by kind of judging: documents, collections, left_out."""
    size: Counter[str] = Counter()
    for text, label in zip(rows.texts, rows.labels, strict=True):
        size[label] += len(text.encode("utf-8", "ignore"))
    large = {label for label, count in size.items() if count >= JUDGED_BYTES}
    found: dict[str, Any] = {"labels": len(size), "labels_judged": len(large)}
    if documents := answers.get("documents"):
        found["documents_macro_f1"] = round(judging.macro(documents, large), 4)
        sentences = documents.where(lambda place: documents.sentences[place])
        found["sentences_macro_f1"] = round(judging.macro(sentences, large), 4)
        found["documents_und"] = round(documents.said.count("und") / len(documents.said), 4)
    if collections := answers.get("collections"):
        found["collections_macro_f1"] = round(judging.macro(collections), 4)
        by_name = sorted({judging.collection(source) for source in collections.sources})
        found["by_collection"] = {name: round(judging.macro(_of(collections, name)), 4) for name in by_name}
    if left := answers.get("left_out"):
        und, kin = judging.undetermined_or_related(left)
        found |= {"left_out_und": round(und, 4), "left_out_relative": round(kin, 4)}
        found["left_out"] = {
            label: {said: round(n / total, 3) for said, n in Counter(said_of).most_common(4)}
            for label in sorted(set(left.gold))
            for said_of in [[s for g, s in zip(left.gold, left.said, strict=True) if g == label]]
            for total in [len(said_of)]
        }
    if rubbish:
        found["rubbish_named"] = round(sum(rubbish.values()) / len(rubbish), 4)
        found["rubbish"] = dict(rubbish)
    return found


def _of(answers: Answers, name: str) -> Answers:
    return answers.where(lambda place: judging.collection(answers.sources[place]) == name)


def page(table: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: a row a label, then sources with their licences."""
    lines = [
        "# The languages that the shipped model knows",
        "",
        "Made by `python -m pipeline.language.fitting.report` from `pipeline/language/languages.json`, which",
        "`jobs/fit_language.py` writes beside the model. F1 is of texts that a fit has not seen: by documents (other",
        "texts of the same collections), and in a collection that it has seen nothing of. What a label is taken for:",
        f"at least {judging.CONFUSED:.0%} of its texts. A label whose text is one document (udhr2",
        "alone) cannot be judged by documents: its F1 of 0 says so. Labels are ISO 639-3 and ISO 15924 with",
        "FineWeb-2's choices.",
        "",
        "The model is fitted from text under CC-BY-SA-4.0, CC-BY-4.0, CC0 and in the public domain only, and is given",
        "under CC-BY-SA-4.0.",
        "",
        f"{len(table)} labels, {len({label.partition('_')[0] for label in table})} languages.",
        "",
        "| label | language | group | kB by collection | F1 | other collection | taken for |",
        "|---|---|---|---|---|---|---|",
    ]
    for label, one in table.items():
        data = ", ".join(f"{name} {-(-size // 1000)}" for name, size in one["bytes"].items())
        taken = ", ".join(f"{other} {share:.0%}" for other, share in one.get("taken_for", {}).items())
        scores = " | ".join(
            "" if (score := one.get(key)) is None else f"{score:.2f}" for key in ("f1", "f1_other_collection")
        )
        lines.append(f"| {label} | {one['name']} | {one['group']} | {data} | {scores} | {taken} |")
    lines += ["", "## Close relatives", ""]
    for name, codes, what in CONFUSABLE:
        members = [label for label in table if label.partition("_")[0] in codes.split()]
        lines.append(f"- **{name}**: {', '.join(f'{label} {_score(table[label])}' for label in members)}. {what}")
    licences: dict[str, set[str]] = defaultdict(set)
    labels_of: Counter[str] = Counter()
    for one in table.values():
        for name, given in one["licences"].items():
            labels_of[name] += 1
            licences[name].update(given)
    lines += ["", "## Sources", "", "| collection | labels | licence |", "|---|---|---|"]
    lines += [
        f"| {name} | {count} | {', '.join(sorted(licences[name]))} |" for name, count in sorted(labels_of.items())
    ]
    return "\n".join(lines) + "\n"


def _score(one: Mapping[str, Any]) -> str:
    return f"{one['f1']:.2f}" if "f1" in one else "not judged"


def main() -> None:
    """Makes docs/languages.md again from the shipped table."""
    PAGE.write_text(page(json.loads(TABLE.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
