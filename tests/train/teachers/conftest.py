"""A student and two teachers of the tiny corpus."""

from pathlib import Path

import pytest
from teaching import new_model, write_teacher

from train.corpus.vocabulary import Vocabulary, open_vocabulary
from train.model.heads import MaskedLanguageModel


@pytest.fixture(scope="module")
def vocabulary(corpus) -> Vocabulary:
    return open_vocabulary(corpus.tokenizer)


@pytest.fixture
def student(vocabulary: Vocabulary) -> MaskedLanguageModel:
    return new_model("modernbert", vocabulary.size, 9, hidden_size=32, num_attention_heads=2)


@pytest.fixture(scope="module")
def folders(corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Teachers of two kinds and widths, for texts of at most 40 tokens."""
    root = tmp_path_factory.mktemp("teachers")
    return (
        write_teacher(root / "one", corpus.tokenizer),
        write_teacher(root / "two", corpus.tokenizer, "bert", 2, hidden_size=16, num_attention_heads=2),
    )
