"""Tables of the stage `dedup`: survivors, clusters and signatures."""

import pyarrow as pa

STAGE = "dedup"

CLUSTERS = pa.schema(
    [  # a row a document that has a copy, the kept one included (`same_id` rows are not listed)
        ("id", pa.string()),
        ("cluster_id", pa.string()),  # id of the kept copy
        ("minhash_cluster_size", pa.int64()),  # documents in the cluster, exact copies counted
        ("drop_reason", pa.string()),  # null: kept; `exact` or `minhash`
        ("language", pa.string()),
        ("language_script", pa.string()),
    ]
)

SIGNATURES = pa.schema(
    [
        ("id", pa.string()),
        ("text_hash", pa.binary()),  # 16 bytes: XXH3-128 of the normalised text
        ("n_shingles", pa.int32()),  # distinct shingles
        ("bands", pa.list_(pa.int64())),  # a hash a band, empty below min_shingles
        ("signature_version", pa.string()),  # everything that makes two signatures comparable
        ("n_chars", pa.int64()),  # this and the next two decide which copy stays
        ("language_score", pa.float64()),  # 0 when unknown
        ("date", pa.string()),  # empty when unknown
        ("language", pa.string()),
        ("language_script", pa.string()),
    ]
)

REASONS = {
    "same_id": "another row carries the same id",
    "exact": "the normalised text equals that of the kept copy",
    "minhash": "near-duplicate of the kept copy",
}
