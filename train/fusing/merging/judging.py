"""What held-out texts say of parents, of what lies between them, and of the result."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from train.encoders.opened import OpenedModel
from train.fusing.barrier import loss_barrier, passes
from train.fusing.barrier_command import as_content, plot, table
from train.fusing.merging.held_out_loss import Texts, Vessel, mean, size
from train.fusing.merging.tensors import Merging
from train.fusion.rule import Rule
from train.model_folders.stored_weights import StoredWeights
from train.telemetry.columns import laid_out
from train.telemetry.progress import Progress

MERGED = "merged"
Losses = dict[str, dict[str, float]]  # nats a hidden token, by model and language


class Judge:
    """All models are asked for a language that is not told, in the lead's tokens. opened: the lead."""

    def __init__(self, merging: Merging, opened: OpenedModel, texts: Texts, masked_bytes: int) -> None:
        self.merging, self.texts, self.masked_bytes = merging, texts, masked_bytes
        self.vessel = Vessel(opened, merging.lead.stored.config.layout, merging.names)

    def loss_of(self, rule: Callable[[Sequence[float]], Rule], texts: Texts, progress: Progress) -> Any:
        """Loss of what the rule makes with such weights of the parents, the mean over languages."""

        def loss(weights: Sequence[float]) -> float:
            return mean(self.vessel.losses(self.merging.by(rule(weights)), texts, progress.add))

        return loss

    def barrier(self, say: Callable[[str], None]) -> tuple[dict[str, Any], str]:
        """(as `barrier.json` has it, its picture); the table is said. All parents are in memory."""
        parents = self.merging.parents
        twins = [self.vessel.twin(one.name, self.merging.of(number)) for number, one in enumerate(parents)]
        with Progress("barrier", "bytes", size(self.texts) * passes(len(twins))) as progress:
            found = loss_barrier(twins, self.texts, progress=progress.add)
        for line in table(found):
            say(line)
        content = as_content(found, {one.name: str(one.given) for one in parents}, self.masked_bytes)
        return content, plot(found)

    def losses(self, part: Path) -> Losses:
        """Of the result as it lies in its folder, called `merged`, and of the parents."""
        parents = self.merging.parents
        total = size(self.texts) * (len(parents) + 1)
        with Progress("held-out loss", "bytes", total) as progress, StoredWeights(part) as stored:
            merged = {MERGED: self.vessel.losses(stored.tensor, self.texts, progress.add)}
            return merged | {
                one.name: self.vessel.losses(self.merging.of(number), self.texts, progress.add)
                for number, one in enumerate(parents)
            }


def told(losses: Losses) -> list[str]:
    languages = list(losses[MERGED])
    rows = [["nats a token", *languages, "mean"]]
    for name, of in losses.items():
        rows.append([name, *(f"{of[one]:.3f}" for one in languages), f"{mean(of):.3f}"])
    lines = laid_out(rows)
    if mean(losses[MERGED]) > max(mean(of) for name, of in losses.items() if name != MERGED):
        lines.append("the result is worse than each of its parents")
    return lines
