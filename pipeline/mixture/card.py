"""The dataset card: the YAML that tells `datasets.load_dataset` where each language and split lies, and what a person
who publishes the folder has to say of it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from schemas.sample import SPLITS

CARD = "_card.md"  # of a generation; at the top of the stage's folder it is README.md
Folders = Sequence[tuple[str, Collection[str] | None]]
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def card(mixed: Mapping[str, Any], data: Folders = (("data", None),)) -> str:
    """mixed: what mixture.json holds, with `corpus` of `pipeline.mixture.sources` where it is known. data: the folders
    in which the shards lie, seen from the card, each with the languages that it has (None: all). A shard must lie in
    one of them only, for it is named by patterns."""
    held = {label: entry for label, entry in mixed["languages"].items() if _rows(entry)}
    mixed = {**mixed, "languages": held}
    parts = [
        _front_matter(mixed, data),
        _overview(mixed),
        _languages(mixed),
        _sources(mixed.get("corpus") or {}),
        _made(mixed),
    ]
    return "\n".join(part for part in parts if part)


def _front_matter(mixed: Mapping[str, Any], data: Folders) -> str:
    languages: Mapping[str, Any] = mixed["languages"]
    codes = sorted({label.split("_")[0] for label in languages} - {"und"})
    lines = ["---", "pretty_name: A multilingual web corpus", "task_categories:", "- fill-mask", "- text-generation"]
    lines += ["language:", *(f"- {code}" for code in codes)] if codes else []
    lines += [f"size_categories:\n- {_size_category(mixed)}", "configs:"]
    for name, labels in {"default": list(languages), **{label: [label] for label in languages}}.items():
        entries = [languages[label] for label in labels]
        splits = [SPLITS[0]] if any(entry["documents"] for entry in entries) else []
        splits += [SPLITS[1]] if any(entry["validation_documents"] for entry in entries) else []
        if not splits:
            continue
        lines += [f"- config_name: {name}", "  data_files:"]
        for split in splits:
            paths = _paths(name, split, data)
            lines += [f"  - split: {split}"]
            lines += [f"    path: {paths[0]}"] if len(paths) == 1 else ["    path:", *(f"    - {one}" for one in paths)]
    return "\n".join([*lines, "---", ""])


def _paths(name: str, split: str, data: Folders) -> list[str]:
    if name == "default":
        return [f"{folder}/*/{split}-*.parquet" for folder, _ in data]
    return [f"{folder}/{name}/{split}-*.parquet" for folder, labels in data if labels is None or name in labels]


def _documents(mixed: Mapping[str, Any]) -> int:
    return sum(map(_rows, mixed["languages"].values()))


def _rows(entry: Mapping[str, Any]) -> int:
    rows: int = entry["documents"] + entry["validation_documents"]
    return rows


def _size_category(mixed: Mapping[str, Any]) -> str:
    steps = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M")]
    steps += [(10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B")]
    return next((name for most, name in steps if _documents(mixed) < most), "n>10B")


def _overview(mixed: Mapping[str, Any]) -> str:
    text = sum(entry["bytes"] + entry["validation_bytes"] for entry in mixed["languages"].values())
    return f"""# A multilingual web corpus

{_documents(mixed):,} documents in {len(mixed["languages"]):,} languages and scripts, {_size(text)} of text, each
document once. {_rule(mixed)} No language is to be seen more than {mixed["max_epochs"]:g} times in a run:
`mixture.json` says how often each is (`epochs`, times the column `weight` of a document).

```python
from datasets import load_dataset

everything = load_dataset("PATH", split="train", streaming=True)
one_language = load_dataset("PATH", "{next(iter(mixed["languages"]), "eng_Latn")}", split="train")
```
"""


def _rule(mixed: Mapping[str, Any]) -> str:
    if mixed["method"] == "temperature":
        return f"Languages are mixed at temperature {mixed['temperature']:g}: share ~ size^(1/T), by {mixed['unit']}."
    if mixed["method"] == "schedule":
        return (
            f"A run has {len(mixed['schedule'])} phases, each with a mixture of its own (`schedule` in `mixture.json`)."
        )
    rules = {"unimax": "evenly, as UniMax does", "natural": "as they were found", "weights": "by given weights"}
    return f"Languages are mixed {rules[mixed['method']]}, by {mixed['unit']}."


def _languages(mixed: Mapping[str, Any]) -> str:
    rows = [
        "## Languages",
        "",
        "| language and script | documents | text | held out | epochs | of the mixture | capped by | language score "
        "| largest host |",
        "|---|---:|---:|---:|---:|---:|---|---:|---|",
    ]
    for label, entry in sorted(mixed["languages"].items(), key=lambda item: (-item[1]["bytes"], item[0])):
        score = "" if entry.get("language_score") is None else f"{entry['language_score']:.2f}"
        host = f"{entry['largest_host']} ({entry['largest_host_share']:.0%})" if entry.get("largest_host") else ""
        rows.append(
            f"| {label} | {entry['documents']:,} | {_size(entry['bytes'])} | {entry['validation_documents']:,} "
            f"| {entry['epochs']:.2f} | {entry['weight']:.2%} | {entry.get('capped_by', '')} | {score} | {host} |"
        )
    return "\n".join([*rows, ""])


def _sources(corpus: Mapping[str, Any]) -> str:
    if not corpus:
        return ""
    lines = ["## Sources", ""]
    if corpus.get("markdown"):
        lines += ["The column `text` holds Markdown (CommonMark, tables as GitHub writes them).", ""]
    if crawls := corpus.get("crawls"):
        lines += ["| crawl | documents |", "|---|---:|", *(f"| {name or 'not said'} | {n:,} |" for name, n in crawls)]
    if licences := corpus.get("licences"):
        lines += ["", "Licences that extracted pages name (a page without one is not thereby free):", ""]
        lines += ["| licence | pages |", "|---|---:|", *(f"| {name} | {n:,} |" for name, n in licences)]
    if opt_outs := corpus.get("opt_outs"):
        lines += ["", "Pages left out because they say that they do not want to be used:", ""]
        lines += ["| what they say | pages |", "|---|---:|", *(f"| {name} | {n:,} |" for name, n in opt_outs)]
    if funnel := corpus.get("funnel"):
        lines += [
            "",
            "## From pages to documents",
            "",
            "| stage | in | out | most often dropped as |",
            "|---|---:|---:|---|",
        ]
        lines += [f"| {stage} | {n_in:,} | {n_out:,} | {_reasons(why)} |" for stage, n_in, n_out, why in funnel]
    return "\n".join([*lines, ""])


def _by_score(mixed: Mapping[str, Any]) -> str:
    weights = [f"{column} {steps}" for column, steps in mixed.get("score_weights", {}).items()]
    return f"; by score: {', '.join(weights)}" if weights else ""


def _reasons(reasons: Sequence[Sequence[Any]]) -> str:
    return ", ".join(f"{name} {rows:,}" for name, rows in reasons)


def _made(mixed: Mapping[str, Any]) -> str:
    return f"""## How it was made

Web archives to main text, language, quality rules, near-duplicates (MinHash, verified), this mixture: by wanyu. Columns
are those of FineWeb-2, and `weight`, how much more often a document is to be seen than its language (upsampling:
{mixed["upsampling"]}{_by_score(mixed)};
hosts and genres over their share less often). Clusters of near-duplicates are held out whole.
Rows stand in the order of a hash: the first rows of a shard are a sample of it. `_run.json` holds the settings.

## Limits

Web text holds errors, opinions, personal data that masks missed, and whatever its authors wrote. Language labels are a
model's. Languages with few documents are mostly of few hosts: see the table.

## To cite

```bibtex
@misc{{wanyu_corpus,
  title = {{A multilingual web corpus made with wanyu}},
  note = {{{_documents(mixed):,} documents, {len(mixed["languages"]):,} languages and scripts}}
}}
```

## To take pages down

The texts are those of their authors. Whoever publishes this folder names an address here to which the address of a page
or a host can be sent; `jobs/remove.py` then takes them out of all tables and shards.
"""


def _size(n_bytes: float) -> str:
    for unit in _UNITS:
        if n_bytes < 1000 or unit == _UNITS[-1]:
            return f"{n_bytes:.0f} {unit}" if unit == "bytes" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    raise AssertionError
