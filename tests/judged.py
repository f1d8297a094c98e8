"""Evaluations as train/evaluate.py writes them, with figures made from a seed."""

import json
import random
from pathlib import Path
from typing import Any

LABELS = (
    "eng_Latn", "cmn_Hani", "jpn_Jpan", "kor_Hang", "tha_Thai", "khm_Khmr", "arb_Arab", "heb_Hebr", "hin_Deva",
    "tam_Taml", "amh_Ethi", "kat_Geor", "rus_Cyrl", "tur_Latn",
)  # fmt: skip


def figure(value: float, half: float | None = None, count: int = 1000) -> dict[str, Any]:
    bounds = {"low": None, "high": None} if half is None else {"low": value - half, "high": value + half}
    return {"value": value} | bounds | {"count": count}


def table(name: str, figures: dict[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    shape = {"title": name.replace("_", " "), "unit": "share found", "better": "higher", "settings": {}}
    return {"name": name} | shape | {"figures": figures, "baselines": {}, "means": {}} | more


def model(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "folder": f"runs/{name}/export", "kind": "modernbert", "parameters": 4_200_000} | more


def evaluation(models: int, languages: int, seed: int = 0) -> dict[str, Any]:
    """Retrieval with holes, bits a byte of fewer languages, transfer with baselines, a figure of no language, a
    measure where neither end is better."""
    draw = random.Random(seed)
    names = [f"model-{number}" for number in range(models)]
    labels = [*LABELS, *(f"{a:02}{b:02}_Latn" for a in range(20) for b in range(20))][:languages]

    def figures(middle: float, half: float, hole: float = 0.0) -> dict[str, dict[str, Any]]:
        return {
            name: {
                label: figure(middle * (0.5 + draw.random()) * (1 + at / 20), half, 100 + len(label))
                for label in labels
                if draw.random() >= hole
            }
            for at, name in enumerate(names)
        }

    def means(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
        full = {name: [one["value"] for one in each.values()] for name, each in rows.items() if each}
        return {name: figure(sum(values) / len(values), 0.01, len(values)) for name, values in full.items()}

    found, bits, transfer = figures(0.5, 0.03, 0.1), figures(2.0, 0.2), figures(60.0, 4.0)
    majority = {"majority class": {label: figure(25.0, None, 204) for label in labels}}
    return {
        "version": 1,
        "models": [model(name) for name in names],
        "tables": [
            table("tatoeba_cosine_to", found, title="Tatoeba, to English, cosine", means=means(found),
                  settings={"pooling": "mean", "layer": -1, "languages": labels}),
            table("bits", bits, title="Bits a byte", unit="bits a byte", better="lower", means=means(bits)),
            table("sib200", transfer, title="SIB-200 from English", unit="accuracy, percent", baselines=majority,
                  means=means(transfer) | means(majority), settings={"seeds": 3, "train": "eng_Latn"}),
            table("probe", {name: {"all": figure(0.9 - at / 50, 0.01)} for at, name in enumerate(names)},
                  title="Language probe", unit="accuracy", better="neither"),
        ],
    }  # fmt: skip


def write_evaluation(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path
