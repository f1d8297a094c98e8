"""Files of the stage `vocab`: the tokenizer that `transformers.AutoTokenizer` opens, and its report."""

import pyarrow as pa

STAGE = "vocab"

SENTENCES = pa.schema([("text", pa.string()), ("language", pa.string()), ("language_script", pa.string())])

FILES = ("spm.model", "tokenizer.json", "tokenizer_config.json", "report.json")
SPECIAL_TOKENS = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")  # ids 0 to 4
REASONS = {
    "not_sampled": "past the language's share of the sentence sample",
}
