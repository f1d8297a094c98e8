"""What a run is validated by: the same texts for every run of one corpus, so that runs compare."""

from collections.abc import Mapping

from train.config.objectives import ContrastiveConfig
from train.config.tables import PretrainConfig
from train.corpus.blocks import blocks_of
from train.corpus.shards import Shards
from train.corpus.tokenising import Tokens
from train.corpus.vocabulary import Vocabulary
from train.data.batches import Collator, Labeller
from train.data.parallel import ParallelLines
from train.data.retrieval import Retrieval, retrieval
from train.data.validation import Validation, validation, validation_of_pairs
from train.objectives.contrastive import SentenceLabeller
from train.objectives.masking import MaskLabeller, Share
from train.optim.schedule import Schedule

VALIDATED = "mlm"  # what a run is validated by, whatever it is trained on


def texts_to_guess(
    config: PretrainConfig,
    shards: Shards,
    vocabulary: Vocabulary,
    tokens: Tokens,
    labellers: Mapping[str, Labeller],
) -> dict[str, Validation]:
    """Masked words of single texts, the same for every run, and the pairs of each objective of pairs."""
    settings, count = config.data, len(shards.languages)
    share = settings.eval_mlm_probability
    labeller = MaskLabeller(vocabulary, count, Share(Schedule.parse(str(share)), 1), share)
    blocks = [blocks_of(shards.files, language, "validation") for language in shards.languages]
    how = {
        "max_seq_len": settings.max_seq_len,
        "tokens_per_language": settings.eval_tokens,
        "batch_tokens": _batch_tokens(config),
    }
    none_told = 1.0 if config.model.language_embedding else None  # as the default export
    place = (vocabulary, count, settings.validation_seed, none_told)
    found = {VALIDATED: validation(Collator({VALIDATED: labeller}, *place), blocks, tokens, **how)}
    for number, name in enumerate(config.pairs):
        collate = Collator({name: labellers[name]}, *place, pairs=True)
        found[name] = validation_of_pairs(collate, blocks, tokens, number=number, name=name, **how)
    return found


def translations_to_find(
    config: PretrainConfig, lines: ParallelLines, vocabulary: Vocabulary, languages: tuple[str, ...]
) -> Retrieval | None:
    """Lines that are held out of training."""
    table = config.objectives.get("contrastive")
    pooling = table.pooling if isinstance(table, ContrastiveConfig) else "mean"
    return retrieval(
        lines,
        languages,
        SentenceLabeller(len(languages), pooling),
        vocabulary,
        max_seq_len=config.data.max_seq_len,
        batch_tokens=_batch_tokens(config),
    )


def _batch_tokens(config: PretrainConfig) -> int:
    """As in training."""
    data = config.data
    return data.micro_batch_tokens // data.bin_tokens * data.bin_tokens
