"""Files of the stage `sample`: a Hugging Face dataset folder with FineWeb-2's columns."""

import pyarrow as pa

STAGE = "sample"

SHARD = pa.schema(
    [
        ("text", pa.string()),
        ("id", pa.string()),
        ("dump", pa.string()),
        ("url", pa.string()),
        ("date", pa.string()),
        ("file_path", pa.string()),
        ("language", pa.string()),
        ("language_score", pa.float64()),
        ("language_script", pa.string()),
        ("minhash_cluster_size", pa.int64()),
        ("top_langs", pa.string()),
    ]
)

SPLITS = ("train", "validation")
REASONS = {"not_sampled": "past the language's share of the mixture"}


def shard_path(language: str, script: str, split: str, index: int, count: int) -> str:
    """`data/eng_Latn/train-00000-of-00012.parquet`: the layout that `datasets` reads."""
    return f"data/{language}_{script}/{split}-{index:05d}-of-{count:05d}.parquet"
