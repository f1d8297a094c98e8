"""A corpus folder and a training run as the stages leave them, small files only, numbers made from a seed."""

import json
import math
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas import clean, dedup
from schemas.extract import INPUTS
from schemas.records import STAGES, Account

ARTICLES = Path(__file__).resolve().parent / "archive" / "articles"
LABELS = {
    "eng_Latn": ("eng", 21_840), "rus_Cyrl": ("rus", 9_412), "deu_Latn": ("deu", 6_127), "jpn_Jpan": ("jpn", 5_903),
    "cmn_Hani": ("zho", 5_377), "fra_Latn": ("fra", 4_818), "tur_Latn": ("tur", 1_206), "arb_Arab": ("ara", 884),
    "kor_Hang": ("kor", 861), "ell_Grek": ("ell", 702), "tha_Thai": ("tha", 498), "heb_Hebr": ("heb", 377),
    "hin_Deva": ("hin", 341), "kat_Geor": ("kat", 96), "tam_Taml": ("tam", 88), "khm_Khmr": ("khm", 31),
    "amh_Ethi": ("amh", 14),
}  # fmt: skip
SKIPPED = {
    "type:request": 91_204, "type:metadata": 91_204, "type:warcinfo": 3, "status": 11_093, "not_html": 2_871,
    "no_main_text": 17_922, "empty_body": 240, "charset": 33, "timeout": 12, "too_deep": 2, "revisit": 456,
    "truncated": 1,
}  # fmt: skip


def account(rows_in: int, dropped: dict[str, int]) -> Account:
    there = {reason: rows for reason, rows in sorted(dropped.items()) if rows}
    return Account(rows_in=rows_in, rows_out=rows_in - sum(there.values()), dropped=there)


def total(by_language: dict[str, Account]) -> Account:
    dropped: dict[str, int] = {}
    for one in by_language.values():
        for reason, rows in one["dropped"].items():
            dropped[reason] = dropped.get(reason, 0) + rows
    return account(sum(one["rows_in"] for one in by_language.values()), dropped)


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def write_stage(root: Path, name: str, ledger: dict[str, Any], examples: list[dict[str, Any]], **record: Any) -> None:
    at = STAGES.index(name)
    before = {STAGES[at - 1]: f"{at - 1:016x}"} if at else {"archives": "0f"}
    run = {
        "stage": name,
        "fingerprint": f"{at:016x}",
        "stage_version": 1,
        "config": {},
        "inputs": before,
        "versions": {"python": "3.11.9", "pyspark": "4.3.0"},
        "code_revision": "4c1d",
    } | record
    write_json(root / name / "_ledger.json", {"stage": name, "by_language": {}, "tables": {}} | ledger)
    write_json(root / name / "_examples.json", examples)
    write_json(root / name / "_run.json", run)


def write_inputs(root: Path, rows: list[dict[str, Any]]) -> None:
    for number, row in enumerate(rows):
        path = root / "extract" / "inputs" / f"a{number}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([row], schema=INPUTS), path)


def receipt(name: str, **values: Any) -> dict[str, Any]:
    whole = {"file_path": name, "size": 1_000, "status": "ok", "records": 10, "documents": 4, "counts": []}
    breaks = values.pop("breaks", 0)
    broken = {"counts": [{"record_type": "archive", "reason": values.get("status"), "count": breaks}]} if breaks else {}
    return whole | broken | values


def text_of(stem: str) -> str:
    return (ARTICLES / f"{stem}.txt").read_text(encoding="utf-8")


def examples_of(name: str, reasons: list[str]) -> list[dict[str, Any]]:
    found = []
    for at, reason in enumerate([None, *reasons]):
        for k in range(4):
            label, (stem, _) = list(LABELS.items())[(at * 3 + k * 5) % len(LABELS)]
            text, url = text_of(stem)[:700], f"https://{stem}.example.org/{name}/{at}/{k}?q=long&page=" + "7" * (9 * k)
            found.append({"id": f"{at}-{k}", "url": url, "language": label, "reason": reason, "text": text})
    return found


def build_corpus(root: Path) -> Path:
    """ROOT with every stage run."""
    draw = random.Random(7)
    cleaned, unique, sampled = {}, {}, {}
    for label, (_, rows) in LABELS.items():
        rules = [reason for reason in clean.REASONS if reason not in ("empty", "language:und", "language:not_selected")]
        dropped = {reason: int(rows * draw.random() ** 6 * 0.05) for reason in rules}
        dropped["gopher_quality:too_few_words"] = int(rows * (0.1 + 0.15 * draw.random()))
        cleaned[label] = account(rows, dropped)
        left = cleaned[label]["rows_out"]
        unique[label] = account(left, {r: int(left * draw.random() * 0.12) for r in dedup.REASONS if r != "same_id"})
        left = unique[label]["rows_out"]
        sampled[label] = account(left, {"not_sampled": left // 3 if label == "eng_Latn" else 0})
    cleaned["und_Zyyy"] = account(1_204, {"language:und": 1_130, "empty": 74})
    found = total(cleaned)["rows_in"]
    extracted = account(found + sum(SKIPPED.values()), SKIPPED)
    lost = [reason for reason in SKIPPED if not reason.startswith("type")]
    pages = [
        one | {"language": "", "text": one["text"] if one["reason"] is None else f"{one['reason']} at byte 1024"}
        for one in examples_of("extract", lost)
    ]
    write_stage(root, "extract", extracted | {"tables": {"documents": found, "inputs": 4, "skipped": 32_630}}, pages)
    config = {
        "rules": ["gopher_quality", "fineweb"],
        "min_words": 50,
        "min_mean_word_length": 2.0,
        "by_language": {"eng": {"min_mean_word_length": 3.0}},
        "languages": [],
    }
    for name, accounts, settings in (
        ("clean", cleaned, config),
        ("dedup", unique, {"bands": 14, "rows": 8, "num_perm": 112}),
        ("sample", sampled, {"temperature": 3.33, "budget": None}),
    ):
        ledger = total(accounts)
        whole = ledger | {"by_language": accounts, "tables": {"documents": ledger["rows_in"]}}
        write_stage(root, name, whole, examples_of(name, list(ledger["dropped"])), config=settings)
    write_json(root / "clean" / "_distributions.json", distributions(cleaned))
    write_json(root / "dedup" / "_clusters.json", large_clusters())
    for at, name in enumerate(STAGES):
        write_json(root / name / "_cost.json", cost(name, at))
    write_json(root / "sample" / "mixture.json", mixture(sampled))
    sentences = {k: account(one["rows_out"] * 21, {"not_sampled": one["rows_out"] * 4}) for k, one in sampled.items()}
    learnt = total(sentences) | {"by_language": sentences, "tables": {"pieces": 64_000, "sentences": 1}}
    write_stage(root, "vocab", learnt, [], config={"vocab_size": 64_000})
    write_json(root / "vocab" / "report.json", vocabulary())
    write_inputs(
        root,
        [
            receipt("CC-MAIN-2026-43/00000.warc.gz", size=1_104_233_871),
            receipt("CC-MAIN-2026-43/00001.warc.gz", size=998_120_002, status="truncated", breaks=1,
                    broke_at=998_119_021, detail="the archive ends 981 bytes into a record of 40,112"),
            receipt("CC-MAIN-2026-43/00002.warc.gz", size=870_002_112, status="corrupt", breaks=3, broke_at=1_048_576,
                    detail="bytes that are no gzip member; reading went on at byte 1,051,200"),
            receipt("CC-MAIN-2026-43/00003.warc.gz", size=None, status="missing", breaks=1, records=1, documents=0,
                    detail="404 Not Found"),
        ],
    )  # fmt: skip
    return root


def distributions(cleaned: dict[str, Account]) -> list[dict[str, Any]]:
    """Of two signals that rules bound, one of them by language, and one that none does."""
    edges = {
        "n_words": [0, 1, 2, 3, 5, 10, 20, 30, 50, 70, 100, 200, 500, 1_000, 5_000, 20_000],
        "mean_word_length": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0],
        "digit_char_share": [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0],
    }
    found = []
    for label, one in {"": total(cleaned), **cleaned}.items():
        lost = sum(one["dropped"].values())
        for at, (signal, ends) in enumerate(edges.items()):
            if signal == "mean_word_length" and label.endswith(("Jpan", "Hani", "Thai", "Khmr", "Zyyy")):
                continue
            bins = len(ends) - 1
            middle = {"n_words": 0.7, "mean_word_length": 0.5, "digit_char_share": 0.1}[signal]
            bounds = {
                "n_words": [("gopher_quality:too_few_words", "<", 50), ("gopher_quality:too_many_words", ">", 100_000)],
                "mean_word_length": [("gopher_quality:short_words", "<", 3.0 if label == "eng_Latn" else 2.0)],
                "digit_char_share": [],
            }[signal]
            if not label and signal == "mean_word_length":
                bounds = []  # they differ by language
            found.append(
                {
                    "signal": signal,
                    "language": label,
                    "histogram": {
                        "edges": ends,
                        "kept": bell(one["rows_out"], bins, middle + at / 50),
                        "dropped": bell(lost, bins, middle * 0.6),
                    },
                    "thresholds": [{"rule": rule, "operator": o, "value": value} for rule, o, value in bounds],
                }
            )
    return found


def bell(rows: int, bins: int, middle: float) -> list[int]:
    """`rows` documents over the bins, most of them about `middle` of the way."""
    weights = [math.exp(-((((at + 0.5) / bins - middle) / 0.16) ** 2)) for at in range(bins)]
    counts = [int(rows * weight / sum(weights)) for weight in weights]
    counts[counts.index(max(counts))] += rows - sum(counts)
    return counts


def large_clusters() -> list[dict[str, Any]]:
    """One a language: a kept text, a copy of a changed word, one with a line more, one to the letter."""
    found = []
    for at, (label, (stem, _)) in enumerate(LABELS.items()):
        text = text_of(stem)[:700]
        words = text.split(" ")
        spaced = len(words) > 20
        changed = " ".join([*words[:6], "2031", *words[7:]]) if spaced else text[:9] + "2031" + text[11:]
        head, _, rest = text.partition("\n")
        longer = f"{head}\n{text_of(stem)[800:860]}\n{rest}"

        def member(n: int, text: str, reason: str | None, similarity: float | None, of: tuple[str, str]) -> Any:
            return {"id": f"{of[0]}-{n}", "url": f"https://{of[1]}.example.org/copy/{n}" + "0a" * 60, "language": of[0],
                    "similarity": similarity, "reason": reason, "kept_id": f"{of[0]}-0", "text": text}  # fmt: skip

        of = (label, stem)
        members = [member(0, text, None, None, of), member(1, longer, "minhash", 0.81, of),
                   member(2, changed, "minhash", 0.93, of), member(3, text, "exact", 1.0, of)]  # fmt: skip
        found.append({"cluster_id": f"{label}-0", "size": 4 + 40 // (at + 1), "members": members})
    return found


def cost(stage: str, at: int) -> dict[str, Any]:
    """sample's machine could tell neither memory nor shuffle."""
    told = stage != "sample"
    return {
        "stage": stage, "began": f"2026-11-29T0{at}:00:00Z", "attempts": 2 if stage == "dedup" else 1,
        "seconds": 3_725.5 / (at + 1), "cores": 16, "cpu_seconds": 50_000.0 / (at + 1),
        "peak_bytes": 2_400_000_000 if told else None, "shuffle_bytes": 10**9 * at if told else None,
        "bytes_read": 3 * 10**9, "bytes_written": 10**9, "requests": None if stage == "vocab" else 1_200,
    }  # fmt: skip


def mixture(sampled: dict[str, Account]) -> dict[str, Any]:
    entries = {}
    for label, one in sampled.items():
        size = one["rows_out"] * 3_187
        epochs = round(min(4.0, (21_840 / LABELS[label][1]) ** 0.7), 6)
        entries[label] = {"bytes": size, "documents": one["rows_out"] - one["rows_out"] // 100, "epochs": epochs,
                          "validation_bytes": size // 100, "validation_documents": one["rows_out"] // 100}  # fmt: skip
    whole = sum(one["bytes"] * one["epochs"] for one in entries.values())
    for one in entries.values():
        one["weight"] = round(one["bytes"] * one["epochs"] / whole, 8)
    return {
        "method": "temperature",
        "temperature": 3.33,
        "max_epochs": 4.0,
        "total_bytes": round(whole),
        "languages": entries,
    }


def vocabulary() -> dict[str, Any]:
    draw = random.Random(3)
    costs = {
        label: {"bytes_per_token": round(3 + 4 * draw.random(), 4), "fertility": round(1.1 + draw.random(), 4),
                "byte_fallback_share": round(draw.random() / 300, 4)}
        for label in LABELS
    }  # fmt: skip
    scripts = {
        code: {"pieces": int(9_000 * draw.random()), "used": 400, "used_share": draw.random(), "tokens": 9,
               "token_share": 0.1}
        for code in ("Latn", "Cyrl", "Hani", "Arab", "Hang", "Thai", "Zyyy", "bytes")
    }  # fmt: skip
    every = {"bytes_per_token": 4.3114, "fertility": 1.4421, "byte_fallback_share": 0.0009}
    return {"vocab_size": 64_000, "languages": costs, "total": every, "scripts": scripts}


def build_run(folder: Path, steps: int = 2_000) -> Path:
    """The folder of a training run in progress: its last line is not whole yet."""
    draw = random.Random(11)  # of noise
    lines = []
    for step in range(10, steps + 1, 10):
        loss = 2.1 + 8.9 * math.exp(-step / 260) + draw.gauss(0, 0.06)
        each = {
            label: {"loss": loss + at / 20, "accuracy": 0.4, "masked": 1_000 - 50 * at, "tokens": step * rows,
                    "documents": step, "epochs": step / 900}
            for at, (label, (_, rows)) in enumerate(LABELS.items())
        }  # fmt: skip
        rate = 8e-4 * min(1, step / 40, math.sqrt(max(0, (steps - step) / 200)))
        lines.append({"step": step, "split": "train", "tokens": step * 393_216, "loss": loss, "accuracy": 0.4,
                      "masked": 9_000, "lr": rate, "grad_norm": 0.4 + draw.random() / 3, "skipped_steps": 1,
                      "data_wait": 0, "tokens_per_second": 8e5 + 9e3 * draw.random(), "languages": each})  # fmt: skip
        if step % 250 == 0:
            held = {label: {"loss": loss + 0.2 + at / 20, "masked": 900} for at, label in enumerate(LABELS)}
            lines.append({"step": step, "split": "validation", "loss": loss + 0.2, "languages": held, "masked": 9_000})
    folder.mkdir(parents=True)
    whole = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(whole + '{"step": 2010, "sp', encoding="utf-8")
    write_json(folder / "_run.json", {"stage": "pretrain", "config": {"steps": steps}, "versions": {"torch": "2.13.0"}})
    return folder
