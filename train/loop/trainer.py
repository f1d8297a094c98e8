"""The training loop: steps, what is logged and saved between them, and how a run goes on or stops."""

import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from schemas.errors import UserError
from train.checkpoints.checkpoint import newest
from train.config.objectives import LanguageAdversaryConfig
from train.config.tables import PretrainConfig
from train.data.batches import Step, units_of
from train.data.retrieval import RETRIEVAL
from train.data.sources import open_stream
from train.joint.joint_model import JointModel
from train.joint.weighting import Weighting
from train.loop.distributed import Processes, losing_peers
from train.loop.held_out import VALIDATED
from train.loop.loader import steps_in_process, steps_in_thread
from train.loop.saving import Checkpoints, Progress
from train.loop.setup import Data, lineage, write_record
from train.loop.stepping import Done, Stepper
from train.loop.validating import LanguageProbe, retrieve, validate
from train.loop.watchdog import Watchdog
from train.model.flops import peak_flops, training_flops
from train.objectives.contrastive import RetrievalVectors
from train.objectives.mlm import MaskedLanguageModelling
from train.objectives.objective import Objective
from train.telemetry.clock import Clock
from train.telemetry.journal import Exposed, Journal
from train.telemetry.tally import Tally, describe, seen

SAME_SIGNAL_SECONDS = 3.0


class Trainer:
    """One run in one process. `run` returns whether it came to its last step."""

    def __init__(
        self,
        config: PretrainConfig,
        data: Data,
        processes: Processes,
        joint: JointModel,
        objectives: Mapping[str, Objective],
        weighting: Weighting,
        dtype: torch.dtype,
        parent: dict[str, Any] | None = None,
    ) -> None:
        self.config, self.data, self.processes = config, data, processes
        self.objectives, self.weighting = objectives, weighting
        self.encoder = joint.model.config
        self.stepper = Stepper(joint, config, weighting, processes, dtype)
        self.tally = Tally(data.languages, tuple(objectives), processes)
        self.clock = Clock()
        held_out = data.validation[VALIDATED]
        self.held_out = MaskedLanguageModelling(held_out.collate.labellers[VALIDATED])  # type: ignore[arg-type]
        adversary = config.objectives.get("language_adversary")
        self.probe = None
        if (config.run.probe or adversary is not None) and len(held_out):
            pooling = adversary.pooling if isinstance(adversary, LanguageAdversaryConfig) else "mean"
            self.probe = LanguageProbe(held_out, len(data.languages), pooling)
        self.progress = Progress()
        with processes.together():
            self.checkpoints = Checkpoints(config, data, self.stepper, self.tally, lineage(config, data, parent))
            if data.saved is not None:
                self.progress = self.checkpoints.restore(*data.saved)
                self.clock.total = self.progress.seconds
            if processes.rank == 0:
                write_record(config, data, processes)
            first, run = processes.rank == 0, config.run
            exposed = Exposed(run.metrics_port, run.metrics_address, run.metrics_file)
            self.journal = Journal(run.output, first, self.progress.step, run.steps, run.tensorboard, exposed)
        self.terminal = self.journal.terminal
        on_cuda = processes.device.type == "cuda"
        self.peak = peak_flops(torch.cuda.get_device_name(processes.device)) if on_cuda else None
        self._stop, self._stop_asked = False, 0.0

    @property
    def step(self) -> int:
        return self.progress.step

    def run(self) -> bool:
        """Trains until `steps` or a signal; both end in a checkpoint."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            with ExitStack() as stack:
                stack.enter_context(self.journal)
                self.watchdog = stack.enter_context(
                    Watchdog(
                        self.config.run.output,
                        self.config.run.watchdog_seconds,
                        rank=self.processes.rank,
                        world_size=self.processes.world_size,
                    )
                )
                self._loop(stack.enter_context(self._steps()))
        finally:
            with suppress(UserError):  # one failure is told; the checkpoint under way is finished first
                self.checkpoints.saver.wait()
            for number, handler in before.items():
                signal.signal(number, handler)
        return self.step >= self.config.run.steps

    @contextmanager
    def _steps(self) -> Iterator[Iterator[Step]]:
        kind = self.config.data.loader
        place = (self.progress.position, self.processes.rank, self.processes.world_size)
        if kind == "process" or (kind == "auto" and self.processes.device.type == "cuda"):
            with steps_in_process(open_stream, self.data.stream, *place) as steps:
                yield steps
        else:
            stream = self.data.open_stream()
            try:
                with steps_in_thread(stream, *place) as steps:
                    yield steps
            finally:
                stream.windows.tokens.close()

    def _loop(self, steps: Iterator[Step]) -> None:
        run, progress = self.config.run, self.progress
        flops, tokens_before = 0.0, self.tally.tokens
        saved_at = progress.step if progress.step else -1
        while progress.step < run.steps:
            began = time.monotonic()
            self.watchdog.at(progress.step + 1, "data")
            step, failure = self._next(steps)
            waited = time.monotonic() - began
            self.watchdog.at(progress.step + 1, "all-reduce")
            units, sequences, stop = self._agree(step, failure)
            if stop or step is None:
                break
            self.watchdog.at(progress.step + 1, "forward")
            with losing_peers():
                done = self.stepper.step(progress.step, step, units)
            self.tally.add(done.sums, np.sum([batch.counts for batch in step.batches], axis=0))
            self.tally.add_sequences(sum(int(units[name].sum()) for name in self.config.pairs), sequences)
            progress.position = step.following
            progress.step += 1
            if self.terminal.due:
                self.terminal.status(progress.step, loss=float(done.loss))
            last = progress.step == run.steps
            targets = sum(
                int(labels.units.sum())
                for batch in step.batches
                for name, labels in batch.labels.items()
                if self.objectives[name].guesses
            )
            flops += training_flops(self.encoder, np.concatenate([b.lengths for b in step.batches]), targets)
            if progress.step % run.log_every == 0 or last:
                loss = self._mean_loss(done)
                self.clock.add(time.monotonic() - began, waited)
                self._log(done, tokens_before, flops)
                tokens_before, flops = self.tally.tokens, 0.0
                self._check_skipped()
                self._check_spike(loss)
            else:
                self.clock.add(time.monotonic() - began, waited)
            if progress.step % run.eval_every == 0 or last:
                self._validate()
            if progress.step % run.save_every == 0 and not last and self._is_good():
                self._save()
                saved_at = progress.step
        self._check_skipped()
        if saved_at != progress.step:
            self._save(wait=True)
        elif self.processes.rank == 0:
            self.checkpoints.saver.wait()

    @staticmethod
    def _next(steps: Iterator[Step]) -> tuple[Step | None, UserError | None]:
        try:
            return next(steps), None
        except UserError as error:
            return None, error

    def _agree(self, step: Step | None, failure: UserError | None) -> tuple[dict[str, NDArray[np.int64]], int, bool]:
        """(units of the step by objective and language in all processes, its pairs and single texts of the shards,
        whether any process was told to stop).

        UserError in all where one could not get its data: one sum says it all.
        """
        batches = step.batches if step is not None else []
        own = [units_of(batches, name, len(self.data.languages)) for name in self.objectives]
        sequences = sum(batch.pairs + batch.singles for batch in batches)
        flags = np.array([sequences, int(self._stop), int(failure is not None)])
        total = self.processes.sum_host(np.concatenate([*own, flags]))
        if total[-1]:
            with self.processes.together():
                if failure is not None:
                    raise failure
        by_objective = total[:-3].reshape(len(self.objectives), -1)
        return dict(zip(self.objectives, by_objective, strict=True)), int(total[-3]), bool(total[-2])

    def _mean_loss(self, done: Done) -> float:
        return float(self.processes.sum(done.loss.clone()))

    def _in_a_row(self) -> int:
        return int(self.stepper.in_a_row)

    def _is_good(self) -> bool:
        """Whether the model of now is worth a checkpoint."""
        spikes = self.checkpoints.spikes
        return not self._in_a_row() and not (spikes is not None and spikes.suspicious)

    def _check_skipped(self) -> None:
        if (count := self._in_a_row()) >= self.config.run.max_skipped_steps:
            raise UserError(
                f"{count} steps in a row up to step {self.step} had a loss or gradient that is not finite: lower "
                "learning_rate, then start again from the last checkpoint"
            )

    def _check_spike(self, loss: float) -> None:
        """Weights and moments of the last checkpoint, and the data goes on: what was shown since is not shown again."""
        spikes, folder = self.checkpoints.spikes, self.config.run.output / "checkpoints"
        found = spikes.observe(self.step, loss) if spikes is not None else None
        if found is None:
            return
        with self.processes.together():
            if self.processes.rank == 0:
                self.checkpoints.saver.wait()
        with self.processes.together():
            saved = newest(folder, lambda line: None)
            if saved is None:
                raise UserError(
                    f"the loss jumped to {loss:.4f} at step {self.step}, before the first checkpoint: lower "
                    "learning_rate or save_every"
                )
            state = json.loads((saved / "state.json").read_text(encoding="utf-8"))
            self.checkpoints.restore_model(saved, state)
        self.progress.skipped_ranges += (replace(found, step_from=state["step"] + 1),)
        self.terminal.say(
            f"step {self.step}: the loss jumped to {loss:.4f}: the model goes back to step {state['step']}, and the "
            f"documents of steps {state['step'] + 1} to {self.step} are left out"
        )

    def _log(self, done: Done, tokens_before: int, flops: float) -> None:
        self.tally.gather()
        run, step = self.config.run, self.step
        weights = self.weighting.of_objectives(step - 1, run.steps)
        line: dict[str, Any] = {"step": step, "split": "train", "tokens": self.tally.tokens}
        telling = [name for name, one in self.objectives.items() if one.tells_languages]
        line |= describe(self.data.languages, self.tally.sums, weights, telling)
        by_language = line.pop("languages")
        if self.config.pairs:
            pairs, sequences = self.tally.sequences
            line |= {"pairs": pairs, "singles": sequences - pairs}
        line |= {
            "lr": self.stepper.rate(step - 1),
            "grad_norm": float(done.norm),
            "skipped_steps": int(self.stepper.skipped),
            **self.clock.figures(self.tally.tokens - tokens_before, flops, self.peak),
        }
        caps = self.data.plan.max_epochs
        shown = seen(
            self.data.languages,
            self.tally.counts,
            np.maximum(self.data.plan.sizes, 1.0).tolist(),
            caps.tolist() if np.isfinite(caps).any() else None,
        )
        if self.config.optim.language_weights:
            lambdas = self.weighting.of_languages(step - 1, run.steps).tolist()
            for figures, weight in zip(shown.values(), lambdas, strict=True):
                figures["weight"] = weight
        line["languages"] = {name: by_language.get(name, {}) | figures for name, figures in shown.items()}
        self._write(line)
        self.terminal.say(self.terminal.line(
            step, loss=line["loss"], **{key: line.get(key) for key in ("tokens_per_second", "mfu", "data_wait")}
        ))  # fmt: skip
        self.tally.reset()
        self.progress.seconds = self.clock.total
        self.clock.reset()

    def _write(self, line: dict[str, Any]) -> None:
        """UserError in all processes where the disk of the first one is full."""
        with self.processes.together():
            self.journal.write(line)

    def _validate(self) -> None:
        translations = self.data.retrieval
        if not any(map(len, self.data.validation.values())) and translations is None:
            return
        objectives = {**self.objectives, VALIDATED: self.held_out}
        with self.watchdog.patient("validate"):
            sums = {
                name: validate(self.stepper, objectives[name], name, held_out)
                for name, held_out in self.data.validation.items()
            }
            weights = self.weighting.of_objectives(self.step - 1, self.config.run.steps)
            result = describe(self.data.languages, sums, weights)
            if self.encoder.languages:
                told = self.data.validation[VALIDATED].telling_languages()
                figures = validate(self.stepper, self.held_out, VALIDATED, told)
                result["told_language"] = describe(self.data.languages, {VALIDATED: figures})
            if translations is not None:
                result[RETRIEVAL] = retrieve(self.stepper, RetrievalVectors(), translations)
            probed = self.probe(self.stepper) if self.probe is not None else None
            result |= {} if probed is None else {"probe": probed}
        self._write({"step": self.step, "split": "validation"} | result)
        if result["masked"]:
            loss = result["loss"]
            self.terminal.say(
                f"step {self.step}/{self.config.run.steps}  validation loss "
                + (f"{loss:.4f}" if loss is not None else "is not finite")
            )
        if probed is not None:
            self.terminal.say(
                f"step {self.step}/{self.config.run.steps}  languages told by a probe {probed['accuracy']:.3f}  "
                f"balanced {probed['balanced_accuracy']:.3f}  majority {probed['majority']:.3f}  "
                f"centred {probed['centred_accuracy']:.3f}  of {probed['sequences']:,} sequences"
            )

    def _save(self, wait: bool = False) -> None:
        with self.watchdog.patient("save"):
            self.progress.seconds = self.clock.total
            self.checkpoints.save(self.progress, wait)

    def _on_signal(self, number: int, frame: object) -> None:
        """Asks for a stop after the present step; a later signal ends the process at once.

        Not one right behind the first: batch systems signal all processes, and torchrun passes its own on to the ranks.
        """
        now = time.monotonic()
        if self._stop and now - self._stop_asked > SAME_SIGNAL_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        elif not self._stop:
            self._stop, self._stop_asked = True, now
