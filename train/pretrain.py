"""Pretrains an encoder on the shards.

    torchrun --nproc-per-node 8 train/pretrain.py --preset base --shards ROOT/sample --tokenizer ROOT/vocab --output DIR
    python train/pretrain.py --config train/configs/demo.toml --shards ROOT/sample --tokenizer ROOT/vocab --output DIR

Writes OUTPUT/metrics.jsonl, tensorboard/, checkpoints/, _run.json, and at the end export/, which transformers opens.
Started again with the same OUTPUT it goes on where it stopped, with as many processes as divide `streams`; with other
`--steps` the rest of its data is planned anew. SIGTERM saves and ends. `--dry-run` checks the data and says what a run
would be.
"""

import os
import sys
import time

from schemas.errors import UserError, run_program
from train.config.load import parse_arguments
from train.config.tables import PretrainConfig

# OpenMP reads this when torch is loaded. Threads that spin while they wait make a shared machine several times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

RANK = int(os.environ.get("RANK", "0"))
GRACE_SECONDS = 10


def train(config: PretrainConfig) -> None:
    """Prepares, trains, exports."""
    # Imported late, so that --help and a wrong flag need not wait for torch.
    from train.loop.distributed import processes
    from train.loop.start import build_trainer

    with processes(config.run.device) as group:
        trainer = build_trainer(config, group, say)
        if trainer.step:
            say(f"goes on after step {trainer.step} of {config.run.steps}")
        if trainer.run():
            for line in trainer.checkpoints.export(trainer.step):
                say(f"step {trainer.step}: {line}")
        else:
            say(f"stopped and saved after step {trainer.step} of {config.run.steps}; the same command goes on")


def dry_run(config: PretrainConfig) -> None:
    from train.loop.dry_run import estimate

    for line in estimate(config):
        say(line)


def say(text: str) -> None:
    """A line on stdout, from the first process."""
    if RANK == 0:
        print(text, flush=True)


def main() -> int:
    """Status 0 at the end and after a signal between steps, 130 after Ctrl-C elsewhere; 2, with one line on stderr, for
    what the user can mend."""
    try:
        config, dry = parse_arguments(sys.argv[1:])
        dry_run(config) if dry else train(config)
    except KeyboardInterrupt:  # before or behind the steps, which save first
        if RANK == 0:
            print("pretrain: stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    except UserError as error:
        # What another process ended of is said by all that are left: the first one may be the one that is gone.
        if RANK and type(error).__name__ != "PeerLost":
            # torchrun stops all processes when one ends: the first one has to speak before that.
            time.sleep(GRACE_SECONDS)
        else:
            print("pretrain: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_program(main)
