"""A run with every objective at once."""

from pathlib import Path
from typing import Any

from teaching import write_teacher
from translations import translations, write_translations

LANGUAGES = ["eng_Latn", "rus_Cyrl", "zho_Hans"]


def every_objective(corpus: Any, folder: Path) -> dict[str, object]:
    """Settings, with two teachers and translations that are written into the folder."""
    lines = translations(60, LANGUAGES)
    text = write_translations(folder / "text", {f"{name}.txt": lines[name] for name in LANGUAGES})
    one, two = (
        write_teacher(folder / kind, corpus.tokenizer, kind, seed) for seed, kind in enumerate(("bert", "modernbert"))
    )
    names = [
        "nsp",
        "sop",
        "tlm",
        "contrastive",
        "distillation",
        "relations",
        "sentence_vectors",
        "language_adversary",
        "teacher_adversary",
    ]
    return {
        "architecture": "bert",
        "language_embedding": True,
        "teachers": f"eng_Latn={one},*={two}",
        "parallel_text": text,
        "parallel_pairs": 12,
        "objectives.relations.relation_heads": 2,
        "ema_decay": 0.9,
        "optimizer": "muon",
    } | {f"objectives.{name}.weight": 0.5 for name in names}
