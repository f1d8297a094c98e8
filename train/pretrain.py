"""Pretrains a masked language model on the shards.

    torchrun --nproc-per-node 8 train/pretrain.py --shards ROOT/sample --tokenizer ROOT/vocab --output runs/NAME
    python train/pretrain.py --config train/configs/demo.toml --shards ROOT/sample --tokenizer ROOT/vocab --output DIR

Writes OUTPUT/metrics.jsonl, checkpoints/, _run.json, and at the end export/, which transformers opens. Started again
with the same OUTPUT it goes on where it stopped, with as many processes as divide `streams`; with other `--steps` the
rest of its data is planned anew. SIGTERM saves and ends.
"""

import os
import sys
import time

from schemas.errors import UserError
from train.config import PretrainConfig, load_config

# OpenMP reads this when torch is loaded. Threads that spin while they wait make a shared machine several times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

RANK = int(os.environ.get("RANK", "0"))
GRACE_SECONDS = 10


def train(config: PretrainConfig) -> None:
    """Prepares, trains, exports."""
    # Imported late, so that --help and a wrong flag need not wait for torch.
    from train.loop.distributed import processes
    from train.loop.setup import prepare
    from train.loop.trainer import Trainer

    with processes(config.device) as group:
        data = prepare(config, group, say)
        trainer = Trainer(config, data, group)
        if trainer.step:
            say(f"goes on after step {trainer.step} of {config.steps}")
        if trainer.run():
            trainer.export()
            say(f"step {trainer.step}: {config.output / 'export'} is written")
        else:
            say(f"stopped and saved after step {trainer.step} of {config.steps}; the same command goes on")


def say(text: str) -> None:
    """A line on stdout, from the first process."""
    if RANK == 0:
        print(text, flush=True)


def main() -> int:
    """Status 0 at the end and after a signal between steps, 130 after Ctrl-C elsewhere; 2, with one line on stderr, for
    what the user can mend."""
    try:
        train(load_config(sys.argv[1:]))
    except KeyboardInterrupt:  # before or behind the steps, which save first
        if RANK == 0:
            print("pretrain: stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    except UserError as error:
        if RANK:
            # torchrun stops all processes when one ends: the first one has to speak before that.
            time.sleep(GRACE_SECONDS)
        else:
            print("pretrain: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
