"""Tables of the stage `dedup`: survivors, clusters and signatures."""

import pyarrow as pa

STAGE = "dedup"

CLUSTERS = pa.schema(
    [  # a row a document that has a copy, the kept one included, or that failed (`same_id` rows are not listed)
        ("id", pa.string()),
        ("cluster_id", pa.string()),  # of all that pairs of copies join: id of the preferred one, which is kept
        ("kept_id", pa.string()),  # id of the kept copy that it is like; its own where it is that, or failed
        # All documents of the cluster, whichever kept copy they are like: exact copies, and those of earlier crawls,
        # also the ones that these dropped.
        ("minhash_cluster_size", pa.int64()),
        ("drop_reason", pa.string()),  # null: kept; `exact` or `minhash`, beside the kept copy; failed:STEP
        ("similarity", pa.float64()),  # to the kept copy; 1 for the same text; null when nothing was verified
        ("crawl", pa.string()),  # null: this one; else the fingerprint of the earlier dedup run whose document it is
        ("cluster_crawl", pa.string()),  # the same of the document that cluster_id names
        ("kept_crawl", pa.string()),  # the same of the document that kept_id names
        ("language", pa.string()),
        ("language_script", pa.string()),
    ]
)

SIGNATURES = pa.schema(
    [
        ("id", pa.string()),
        (
            "text_hash",
            pa.binary(),
        ),  # 16 bytes, of the normalised text; null where signing failed: of a text never compared
        ("n_shingles", pa.int32()),  # distinct shingles
        ("bands", pa.list_(pa.int64())),  # a hash a band, empty below min_shingles
        ("shingles", pa.binary()),  # ascending uint32, little-endian: what candidates are verified by
        ("signature_version", pa.string()),  # everything that makes two signatures comparable
        ("quality", pa.float64()),  # this and the next two decide which copy stays; -inf when unknown
        ("n_chars", pa.int64()),
        ("date", pa.string()),  # empty when unknown
        ("language", pa.string()),
        ("language_script", pa.string()),
    ]
)

SIGNING_FAILED = "failed:signing"

REASONS = {
    SIGNING_FAILED: "our own code failed on this text: no signature, compared with none",
    "same_id": "another row carries the same id",
    "template": "every line of it repeats on many pages of its host",
    "exact": "the normalised text equals that of the kept copy",
    "minhash": "near-duplicate of the kept copy",
    "substring": "every passage of it stands on kept pages",
}
