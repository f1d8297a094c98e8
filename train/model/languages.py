"""The language embedding: a vector of a sequence's language, added to the vector of each of its tokens (Conneau and
Lample 2019, arXiv 1901.07291, have one), and how a model does without it again.

Row 0 is of a language that is not told, row 1 + n of the n-th of a shape's `languages`. transformers knows no such
table in ModernBERT and BERT, so exports fold one of its rows into a table that is added anyway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel

LANGUAGE_TABLE = "model.embeddings.language_embeddings.weight"  # by its name in a masked language model


def row_of(languages: Sequence[str], language: str | None) -> int:
    return 0 if language is None else 1 + languages.index(language)


def folded_into(config: EncoderConfig | BertConfig) -> str:
    """Name of the table that a language's row can be added to."""
    table = "token_type_embeddings" if isinstance(config, BertConfig) else "tok_embeddings"
    return f"model.embeddings.{table}.weight"


def fold_language(
    config: EncoderConfig | BertConfig, weights: Mapping[str, Tensor], language: str | None
) -> tuple[EncoderConfig | BertConfig, dict[str, Tensor]]:
    """(shape, weights by our names) of a masked language model for one language, without the embedding; what is given
    stays as it is. language: one of the shape's, None: one that is not told.

    BERT: into the rows of all segments, which every token has one of; outputs are the same. ModernBERT: into the rows
    of all tokens. Its decoder is tied to them, so that all logits of a place are shifted alike, by the product of its
    vector with that of the language: probabilities are the same, logits are not.
    """
    row = weights[LANGUAGE_TABLE][row_of(config.languages, language)]
    kept = {name: value for name, value in weights.items() if name != LANGUAGE_TABLE}
    kept[folded_into(config)] = kept[folded_into(config)] + row
    return replace(config, languages=()), kept


def with_languages(
    model: MaskedLanguageModel, languages: tuple[str, ...]
) -> tuple[MaskedLanguageModel, tuple[str, ...]]:
    """(the model with rows of these languages, those of its own that they leave out). Rows go by name; new ones
    are copies of the row of a language that is not told, which is what such a language has been so far, or zero where
    it had no rows. Where it is to have no rows, that of a language that is not told is folded in."""
    config, weights = model.config, model.state_dict()
    if languages:
        shape = (1 + len(languages), config.hidden_size)
        old, table = weights.get(LANGUAGE_TABLE), torch.zeros(shape)
        if old is not None:
            table[:] = old[0]
            for name in (None, *(name for name in languages if name in config.languages)):
                table[row_of(languages, name)] = old[row_of(config.languages, name)]
        changed, tensors = replace(config, languages=languages), {**weights, LANGUAGE_TABLE: table}
    elif config.languages:
        changed, tensors = fold_language(config, weights, None)
    else:
        return model, ()
    with torch.device("meta"):  # all weights are there
        other = MaskedLanguageModel(changed, model.model.compute_dtype, model.model.activation_checkpointing)
    other.load_state_dict(tensors, assign=True)
    return other, tuple(name for name in config.languages if name not in languages)
