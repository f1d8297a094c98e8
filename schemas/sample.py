"""Files of the stage `sample`: a Hugging Face dataset folder with FineWeb-2's columns, and `weight`."""

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
        ("weight", pa.float32()),  # how much more often it is seen than `epochs` of its language in mixture.json says
    ]
)

SPLITS = ("train", "validation")
REASONS = {
    "not_sampled": "past the language's share of the mixture",
    "few_documents": "its language has fewer than min_documents",
    "no_share": "its language is in no weights and no phase of the schedule",
    "near_validation": "a copy of a document of another language that may be held out",
}


def shard_path(language: str, script: str, split: str, index: int, count: int) -> str:
    """`data/eng_Latn/train-00000-of-00012.parquet`: the layout that `datasets` reads."""
    return f"data/{language}_{script}/{split}-{index:05d}-of-{count:05d}.parquet"
