"""Files of the stage `vocab`: the tokenizer that `transformers.AutoTokenizer` opens, and its report."""

STAGE = "vocab"

REPORT = "report.json"
SPECIAL_TOKENS = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")  # ids 0 to 4 of unigram and bpe
REASONS = {
    "not_sampled": "past the language's share of the sample",
}
