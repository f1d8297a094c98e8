"""Any folder that holds an encoder, as one that transformers opens.

An export and a folder of transformers are that already. Of a checkpoint of a run (`OUTPUT/checkpoints/step-*`) an
export is made in a temporary folder, with the tokenizer that the run names in its state; a run itself (`OUTPUT`) is its
export or, where it has none yet, its newest checkpoint.
"""

import json
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.checkpoints.checkpoint import STEP
from train.model_folders.huggingface import CHECKPOINT_CONFIG, config_file, load_encoder, save_pretrained

EXPORT, CHECKPOINTS, STATE = "export", "checkpoints", "state.json"


@dataclass(frozen=True)
class ModelFolder:
    """given: as the user named it. path: what transformers opens; it may be temporary, and is there as long as this."""

    given: Path
    path: Path


def model_folder(given: Path, language: str | None = None) -> ModelFolder:
    """language: of the corpus, as `eng_Latn`, for a checkpoint with a language embedding; None: one that is not told.

    UserError where there is no model, and where a language is named that the model has no row for.
    """
    folder = folder_of(given)
    if not (folder / CHECKPOINT_CONFIG).is_file():
        if not (folder / "config.json").is_file():
            what = "holds no model" if folder.is_dir() else "is no folder"
            raise UserError(
                f"--model {given} {what}: point to the export of a run, OUTPUT/export, to a checkpoint, or to a model "
                "of transformers on this disk"
            )
        if language is None or not _table_languages(folder / "config.json"):
            if language is not None:
                _check_folded(given, folder, language)
            return ModelFolder(given, folder)
    loaded = load_encoder(folder)
    languages = loaded.config.languages
    if language is not None and language not in languages:
        why = f"it knows {', '.join(languages)}" if languages else "it has no language embedding"
        raise UserError(f"--model {given} has no language {language}: {why}; leave --language out, or name another")
    made = Path(tempfile.mkdtemp(prefix="wanyu-model-"))
    special = json.loads(config_file(folder).read_text(encoding="utf-8"))
    ids = {role: special[f"{role}_token_id"] for role in ("pad", "bos", "eos", "mask")}
    lineage = (loaded.lineage or {}) | ({"language": language} if languages else {})
    target = made / EXPORT
    save_pretrained(
        loaded.language_model,
        ids,
        tokenizer_of(folder),
        target,
        lineage=lineage,
        pair_head=loaded.pair_head,
        language=language,
    )
    found = ModelFolder(given, target)
    weakref.finalize(found, shutil.rmtree, made, ignore_errors=True)
    return found


def languages_of(given: Path) -> tuple[str, ...]:
    """Those that a model can be told: of a checkpoint that its language embedding has rows for, of an export the one
    that is folded in; none of all others."""
    folder = folder_of(given)
    for name in (CHECKPOINT_CONFIG, "config.json"):
        if (folder / name).is_file() and (found := _table_languages(folder / name)):
            return found
    folded = lineage_of(folder).get("language")
    return (folded,) if folded else ()


def _table_languages(path: Path) -> tuple[str, ...]:
    """Those that a config says there are rows for: of a checkpoint, and of a merged model, which has them beside what
    transformers reads. None of a damaged one, of which opening it tells."""
    try:
        return tuple(json.loads(path.read_text(encoding="utf-8")).get("language_embeddings", ()))
    except (OSError, ValueError, AttributeError, TypeError):
        return ()


def lineage_of(folder: Path) -> dict[str, Any]:
    """What an export says of its making; empty of other makers' models."""
    try:
        lineage = json.loads((folder / "lineage.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return lineage if isinstance(lineage, dict) else {}


def checkpoints_of(run: Path) -> list[Path]:
    """Those of a run that are whole, by step."""
    folders = (run / CHECKPOINTS).glob("step-*")
    return sorted(one for one in folders if STEP.fullmatch(one.name) and (one / "digests.json").is_file())


def folder_of(given: Path) -> Path:
    """Where a model lies: of a run its export or else its newest checkpoint."""
    if (given / CHECKPOINT_CONFIG).is_file() or (given / "config.json").is_file():
        return given
    if (given / EXPORT / "config.json").is_file():
        return given / EXPORT
    there = checkpoints_of(given)
    return there[-1] if there else given


def tokenizer_of(folder: Path) -> Path:
    """The folder with a model's tokenizer: of a checkpoint the one that the run's settings name."""
    if not (folder / CHECKPOINT_CONFIG).is_file():
        return folder
    path = folder / STATE
    try:
        found = Path(json.loads(path.read_text(encoding="utf-8"))["config"]["data"]["tokenizer"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} does not name the tokenizer of its run ({error}): take the run's export") from None
    if not (found / "tokenizer.json").is_file():
        raise UserError(f"{path} names the tokenizer {found}, which is gone: put it back, or take the run's export")
    return found


def _check_folded(given: Path, folder: Path, language: str) -> None:
    """An export has one language folded in, or none."""
    lineage = lineage_of(folder)
    if lineage.get("language") == language:
        return
    if "language" in lineage:
        raise UserError(
            f"--model {given} is for {lineage['language'] or 'languages that are not told'}: take export-{language} of "
            f"its run (--export-language {language}), a checkpoint, or leave --language out"
        )
    raise UserError(f"--model {given} has no language embedding: leave --language out")
