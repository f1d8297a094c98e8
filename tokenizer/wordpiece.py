"""Learn a WordPiece vocabulary as multilingual BERT has it (Devlin et al. 2019, arXiv 1810.04805): BERT's own division
into words, Chinese characters each a word, cased, with accents; learnt with Hugging Face tokenizers.

A word with a character that has no piece is one [UNK], so text is lost: the report tells how much, by language.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from schemas.errors import UserError
from tokenizer.cleaning import Sentences
from tokenizer.sentencepieces import NO_TEXT, check

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # ids 0 to 4
CONTINUING = "##"
MIN_FREQUENCY = 2  # of a pair of pieces that becomes one; BERT's
MOST_CHARACTERS = 100  # of a word; a longer one is unknown, as in BERT


def learn_wordpiece(
    sentences: Iterable[str] | Sentences,
    *,
    vocab_size: int,
    character_coverage: float = 0.9995,
    max_sentence_bytes: int = 4192,
    allow_smaller: bool = False,
) -> list[str]:
    """Pieces by id: special tokens, characters inside words and at their start, then pieces in the order learnt.

    The same for the same sentences on any number of cores. UserError for a vocab_size that the sample cannot fill or
    that its characters exceed, with the figure that would work, and for a sample without text.
    """
    check(max(vocab_size, 300), character_coverage, max_sentence_bytes, 1)
    source = sentences if isinstance(sentences, Sentences) else Sentences(sentences, max_sentence_bytes)
    texts = list(source)
    if not source.has_text:
        raise UserError(NO_TEXT)
    covered = _covered(texts, character_coverage)
    # Numbered before the trainer meets them in an order of its own, by which it would break ties.
    inner = [CONTINUING + character for character in covered]
    smallest = len(SPECIAL_TOKENS) + len(inner) + len(covered)
    if vocab_size < smallest:
        raise UserError(
            f"vocab_size {vocab_size} is too small: special pieces and the characters take {smallest}; "
            "raise it or lower character_coverage"
        )
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=MIN_FREQUENCY,
        special_tokens=[*SPECIAL_TOKENS, *inner],
        initial_alphabet=covered,
        limit_alphabet=len(covered),
        continuing_subword_prefix=CONTINUING,
        show_progress=False,
    )
    learner = bert_tokenizer({token: number for number, token in enumerate(SPECIAL_TOKENS)})
    learner.train_from_iterator(texts, trainer)
    pieces = [piece for piece, _ in sorted(learner.get_vocab().items(), key=lambda item: item[1])]
    if len(pieces) < vocab_size and not allow_smaller:
        raise UserError(
            f"vocab_size {vocab_size} is more than the sample holds: at most {len(pieces)}; lower it or give more text"
        )
    return pieces


def bert_tokenizer(vocabulary: dict[str, int], special: Sequence[str] = ()) -> Tokenizer:
    """BERT's normaliser and division into words, and [CLS] text [SEP]; special: further special tokens of it."""
    tokenizer = Tokenizer(
        models.WordPiece(vocabulary, unk_token=SPECIAL_TOKENS[1], max_input_chars_per_word=MOST_CHARACTERS)
    )
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=CONTINUING)
    ids = [(token, vocabulary[token]) for token in SPECIAL_TOKENS[2:4]]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ids
    )
    tokenizer.add_special_tokens([*SPECIAL_TOKENS, *special])
    return tokenizer


def _covered(texts: Iterable[str], coverage: float) -> list[str]:
    """The most frequent characters that are so much of the text, in order. BERT splits off each of Chinese."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    for blank in [character for character in counts if character.isspace()]:
        del counts[blank]
    total, so_far, covered = sum(counts.values()), 0, []
    for character, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if so_far >= coverage * total:
            break
        covered.append(character)
        so_far += count
    return sorted(covered)
