"""What a run leaves: what its checkpoints hold, how it goes on from one, and its export."""

from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from schemas.errors import UserError
from train.checkpoints.checkpoint import check_finite, read
from train.checkpoints.files import publish
from train.checkpoints.saver import Saver
from train.config.tables import PretrainConfig
from train.corpus.shards import ORDER_VERSION
from train.data.windows import Position
from train.loop.setup import Data
from train.loop.spikes import SkippedRange, SpikeDetector
from train.loop.stepping import Stepper
from train.model.heads import MaskedLanguageModel, PairHead
from train.model_folders.config_json import huggingface_config
from train.model_folders.huggingface import has_pairs, save_pretrained
from train.telemetry.tally import Tally

MODEL = "model."  # of the joint model's names; in files they are those of transformers


@dataclass
class Progress:
    """Where a run is: steps done, the place in its data, what is recorded of them."""

    step: int = 0
    position: Position = field(default_factory=Position)
    seconds: float = 0.0
    skipped_ranges: tuple[SkippedRange, ...] = ()


class Checkpoints:
    """Saves and restores one run. All processes call its methods together; the first one writes."""

    def __init__(self, config: PretrainConfig, data: Data, stepper: Stepper, tally: Tally, lineage: dict[str, Any]):
        self.config, self.data, self.stepper, self.tally, self.lineage = config, data, stepper, tally, lineage
        self.spikes = SpikeDetector(factor=config.run.spike_factor) if config.run.spike_factor else None
        self.saver = Saver(config.run.output / "checkpoints", config.run.keep_checkpoints)

    def save(self, progress: Progress, wait: bool = False) -> None:
        """Takes a copy at once and writes it behind the next steps; `wait`: until it is there. UserError where an
        earlier one, or with `wait` this one, could not be written, or a weight is not finite."""
        stepper, processes = self.stepper, self.stepper.processes
        self.tally.gather()
        tensors = {
            "model": {_outer(name): value for name, value in whole(stepper.parallel.joint.state_dict()).items()},
            "optimizer": stepper.optimizer.state_tensors(),
        }
        if stepper.ema is not None:
            tensors["ema"] = stepper.ema.state_tensors()
        state = {
            "step": progress.step,
            "position": progress.position.as_json(),
            "seconds": progress.seconds,
            "skipped": [int(stepper.skipped), int(stepper.in_a_row)],
            "skipped_ranges": [one.as_json() for one in progress.skipped_ranges],
            "spikes": self.spikes.state() if self.spikes else None,
            "tally": self.tally.state(),
            "plan": self.data.plan.as_json(),
            "identity": self.data.identity,
            "order_version": ORDER_VERSION,
            "config": self.config.as_dict(),
        }
        encoder = huggingface_config(stepper.parallel.joint.model.config, self.data.vocabulary.special_ids)
        with processes.together():
            if processes.rank == 0:
                for name in ("model", "ema"):
                    check_finite(tensors.get(name, {}), f"step {progress.step}: {name}")
                documents = {"state": state, "encoder": encoder, "lineage": self.lineage | {"step": progress.step}}
                self.saver.submit(progress.step, tensors, documents)
                if wait:
                    self.saver.wait()

    def restore(self, folder: Path, state: dict[str, Any]) -> Progress:
        """Everything of a checkpoint, the place in the data too."""
        progress = Progress(state["step"], Position.from_json(state["position"]), state["seconds"])
        progress.skipped_ranges = tuple(SkippedRange.from_json(one) for one in state["skipped_ranges"])
        self.tally.restore(state["tally"])
        if self.spikes and state["spikes"]:
            self.spikes.restore(state["spikes"])
        self.restore_model(folder, state)
        return progress

    def restore_model(self, folder: Path, state: dict[str, Any]) -> None:
        """Weights, moments and averages alone."""
        stepper = self.stepper
        found = read(folder, torch.device("cpu")).tensors
        load_weights(stepper.parallel.joint, {_inner(name): value for name, value in found["model"].items()})
        stepper.optimizer.load_state_tensors(found["optimizer"])
        if stepper.ema is not None and "ema" in found:
            stepper.ema.load_state_tensors(found["ema"])
        for counter, value in zip((stepper.skipped, stepper.in_a_row), state["skipped"], strict=True):
            counter.fill_(value)

    def export(self, step: int) -> list[str]:
        """`export/`, the folder for transformers; averaged weights where there are any. With a language embedding it is
        for languages that are not told, and beside it is one for `export_language`. Returns what is to be said."""
        stepper, lines = self.stepper, list[str]()
        with stepper.ema.swap() if stepper.ema is not None else nullcontext():
            model, pair_head = self._whole_model()
            for language in dict.fromkeys([None, self.config.run.export_language or None]):
                folder = self.config.run.output / (f"export-{language}" if language else "export")
                lineage = self.lineage | {"step": step} | ({"language": language} if model.config.languages else {})
                write = partial(
                    save_pretrained,
                    model,
                    self.data.vocabulary.special_ids,
                    self.config.data.tokenizer,
                    lineage=lineage,
                    pair_head=pair_head,
                    language=language,
                )
                with stepper.processes.together():
                    if stepper.processes.rank == 0:
                        publish(folder, write)
                whose = f", as of {language or 'an unknown language'}" if model.config.languages else ""
                lines.append(f"{folder} is written{whose}")
        if pair_head is not None and not has_pairs(model.config, pair_head):
            lines.append(f"the pair head is in the checkpoints alone: {model.config.layout} has no place for it")
        return lines

    def _whole_model(self) -> tuple[MaskedLanguageModel, PairHead | None]:
        """The model itself and its pair head, or gathered from the processes that have parts of them."""
        joint = self.stepper.parallel.joint
        if not self.stepper.parallel.sharded:
            return joint.model, joint.pair_head
        gathered, pair_head = MaskedLanguageModel(joint.model.config), None
        gathered.load_state_dict(whole(joint.model.state_dict()))
        if joint.pair_head is not None:
            pair_head = PairHead(joint.model.config)
            pair_head.load_state_dict(whole(joint.pair_head.state_dict()))
        return gathered, pair_head


def whole(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of which this process has a part, gathered from all."""
    return {name: value.full_tensor() if isinstance(value, DTensor) else value for name, value in tensors.items()}


@torch.no_grad()
def load_weights(module: torch.nn.Module, weights: dict[str, Tensor]) -> None:
    """Every parameter, of the same names and shapes. UserError for the first that is not there."""
    own = module.state_dict()
    for name, value in own.items():
        if name not in weights or weights[name].shape != value.shape:
            raise UserError(
                f"the checkpoint has no {_outer(name)} of shape {tuple(value.shape)}: it is of another model; "
                "take another --output"
            )
        given = weights[name].to(value.device, value.dtype)
        value.copy_(
            distribute_tensor(given, value.device_mesh, value.placements) if isinstance(value, DTensor) else given
        )


def _outer(name: str) -> str:
    return name.removeprefix(MODEL)


def _inner(name: str) -> str:
    return name if name.startswith("modules_of.") else MODEL + name
