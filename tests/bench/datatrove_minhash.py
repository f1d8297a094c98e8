"""The peer: datatrove's four stages of near-duplicate removal over a folder of JSONL files, as it ships them.

PYTHON datatrove_minhash.py TEXTS OUTPUT [TASKS]      (PYTHON: of an environment with datatrove[io,processing])

14 x 8 hashes of 64 bits over 5-grams, as FineWeb; words are found by datatrove's default, which is English. Prints as
JSON on its last line the seconds by stage, their sum and the documents that stay.
"""

import json
import sys
import time
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig

WORKERS = 2


def main(texts: str, output: str, tasks: int) -> None:
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8, hash_config=HashConfig(precision=64))
    signatures, buckets, removed, kept = (f"{output}/{name}" for name in ("signatures", "buckets", "removed", "kept"))
    stages: dict[str, tuple[int, list[PipelineStep]]] = {
        "signature": (tasks, [JsonlReader(texts), MinhashDedupSignature(signatures, config)]),
        "buckets": (config.num_buckets, [MinhashDedupBuckets(signatures, buckets, config=config)]),
        "cluster": (1, [MinhashDedupCluster(buckets, removed, config=config)]),
        "filter": (tasks, [JsonlReader(texts), MinhashDedupFilter(removed), JsonlWriter(kept, compression=None)]),
    }
    seconds = {}
    for name, (n, steps) in stages.items():
        began = time.monotonic()
        logs = f"{output}/logs/{name}"
        LocalPipelineExecutor(pipeline=steps, tasks=n, workers=min(n, WORKERS), logging_dir=logs).run()
        seconds[name] = round(time.monotonic() - began, 2)
    documents = 0
    for file in Path(kept).glob("*.jsonl"):
        with open(file, "rb") as lines:
            documents += sum(1 for _ in lines)
    print(json.dumps({"seconds": seconds, "total": round(sum(seconds.values()), 2), "kept": documents}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 2)
