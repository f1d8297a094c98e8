"""The folder of a fine-tuned model: what transformers opens, labels included, and sentence-transformers of vectors."""

import json
import shutil
from pathlib import Path
from typing import Any

from train.checkpoints.files import publish
from train.encoders.opened import OpenedModel

# Whatever a tokenizer of transformers reads; a copy has no truncation in it that a call has left behind.
TOKENIZER_FILES = (
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
)
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]


def write_model(
    module: Any, source: OpenedModel, target: Path, lineage: dict[str, Any], pooling: str = "", max_tokens: int = 0
) -> None:
    """Replaces `target` at once. lineage: on top of what the source's says. pooling: of a model of vectors, whose texts
    are cut at max_tokens."""

    def write(part: Path) -> None:
        part.mkdir()
        module.save_pretrained(part)
        for pattern in TOKENIZER_FILES:
            for file in source.folder.glob(pattern):
                shutil.copyfile(file, part / file.name)
        _write_json(part / "lineage.json", source.lineage | lineage)
        if pooling:
            _write_pooling(part, pooling, module.config.hidden_size, max_tokens)

    publish(target, write)


def copy_model(source: Path, target: Path) -> None:
    """Replaces `target` at once."""

    def write(part: Path) -> None:
        shutil.copytree(source, part)

    publish(target, write)


def _write_pooling(folder: Path, pooling: str, width: int, max_tokens: int) -> None:
    _write_json(folder / "modules.json", MODULES)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens, "do_lower_case": False})
    (folder / "1_Pooling").mkdir()
    modes = {f"pooling_mode_{name}": False for name in ("max_tokens", "mean_sqrt_len_tokens")}
    modes |= {"pooling_mode_cls_token": pooling == "cls", "pooling_mode_mean_tokens": pooling == "mean"}
    _write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width} | modes)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
