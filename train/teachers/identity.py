"""Which model a teacher is, and whether its token ids are the student's."""

from collections.abc import Mapping
from pathlib import Path

from tokenizers import Tokenizer

from schemas.errors import UserError
from train.corpus.vocabulary import Vocabulary, file_digest
from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model_folders.config_json import read_object
from train.model_folders.digest import folder_digest


def digests(teachers: Mapping[str, Path]) -> dict[str, str]:
    """By language, one of each teacher's config, weights and tokenizer, wherever its folder lies. UserError where it
    has no config or no weights."""
    found = {folder: folder_digest(folder) for folder in set(teachers.values())}
    return {language: found[folder] for language, folder in sorted(teachers.items())}


def same_tokens(folder: Path, shape: EncoderConfig | BertConfig, vocabulary: Vocabulary) -> bool:
    """Whether the model's ids are known to be those of the vocabulary: by the digest of its tokenizer.json or else by
    that file's tokens, since writing it again may change other things; by the digest in its lineage. Tokens of the same
    number may be others."""
    path, lineage = folder / "tokenizer.json", folder / "lineage.json"
    if shape.vocab_size < vocabulary.size:
        return False
    if path.is_file():
        if file_digest(path) == vocabulary.digest:
            return True
        return _tokens(path) == _tokens(vocabulary.folder / "tokenizer.json")
    return lineage.is_file() and read_object(lineage).get("tokenizer") == vocabulary.digest


def _tokens(path: Path) -> dict[str, int]:
    try:
        return Tokenizer.from_file(str(path)).get_vocab()
    except Exception as error:  # tokenizers raises bare Exception
        raise UserError(f"{path} is no tokenizer: {' '.join(str(error).split())}; write it again") from None
