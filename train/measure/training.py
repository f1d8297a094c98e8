"""The trainer's own step on made-up data: its speed, what it waits for, what a checkpoint costs."""

import pickle
import resource
import shutil
import statistics
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch

from train.config.tables import PretrainConfig
from train.data.batches import Step, units_of
from train.data.windows import Position
from train.joint.build import build_objectives, build_weighting
from train.joint.joint_model import JointModel
from train.loop.distributed import Processes
from train.loop.saving import Checkpoints, Progress
from train.loop.setup import Data
from train.loop.start import compute_dtype, encoder_config
from train.loop.stepping import Stepper
from train.measure.kernels import Figures, compilation, count_compilation, kernels_of
from train.measure.kernels import measured_peak as peak_now
from train.model.flops import training_flops
from train.model.heads import MaskedLanguageModel
from train.telemetry.tally import Tally

WARM_STEPS = 2  # the first compiles
FEWEST_STEPS = 3  # that are measured
WATCHED_STEPS = 2  # for synchronisations
SYNC = "synchronizing"  # what torch says of one


class Mark:
    """A moment in the order of the device's work."""

    def __init__(self, device: torch.device) -> None:
        self.event = torch.cuda.Event(enable_timing=True) if device.type == "cuda" else None
        if self.event is not None:
            self.event.record()
        self.time = time.perf_counter()

    def wait(self) -> None:
        if self.event is not None:
            self.event.synchronize()

    def since(self, earlier: "Mark") -> float:
        """Seconds of the device's time; both moments are over."""
        if self.event is None or earlier.event is None:
            return self.time - earlier.time
        return float(earlier.event.elapsed_time(self.event)) / 1e3


class Run:
    """A model in training. Its parts are to be measured in the order of its methods."""

    def __init__(self, config: PretrainConfig, data: Data, processes: Processes, steps: Iterator[Step]) -> None:
        self.config, self.steps, self.device = config, steps, processes.device
        torch.manual_seed(config.run.seed)
        dtype = compute_dtype(config, processes.device)
        self.objectives = build_objectives(config, data.vocabulary, data.languages)
        model = MaskedLanguageModel(encoder_config(config, data.vocabulary.size, data.languages), dtype)
        for objective in self.objectives.values():
            objective.bind(model, processes.device, dtype)
        joint = JointModel(model, self.objectives).to(processes.device)
        self.encoder, self.dtype = model.config, dtype
        weighting = build_weighting(config, self.objectives, data.languages)
        self.stepper = Stepper(joint, config, weighting, processes, dtype)
        self.tally = Tally(data.languages, tuple(self.objectives), processes)
        self.checkpoints = Checkpoints(config, data, self.stepper, self.tally, {"made up": True})
        self.number, self.step_seconds = 0, float("nan")

    def about(self) -> Figures:
        parameters = sum(one.numel() for one in self.stepper.parallel.joint.parameters())
        data = self.config.data
        return {
            "parameters": parameters,
            "dtype": str(self.dtype),
            "vocab_size": self.encoder.vocab_size,
            "step_tokens": data.global_batch_tokens,
            "micro_batch_tokens": data.micro_batch_tokens,
            "max_seq_len": data.max_seq_len,
        }

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def step(self, step: Step) -> None:
        """As `train.loop.trainer.Trainer` makes one."""
        units = {name: units_of(step.batches, name, len(self.tally.languages)) for name in self.objectives}
        done = self.stepper.step(self.number, step, units)
        self.tally.add(done.sums, np.sum([batch.counts for batch in step.batches], axis=0))
        self.number += 1

    def speed(self, seconds: float, nominal_peak: float | None, measured_peak: float | None) -> Figures:
        """Steps for so many seconds; the host is one step ahead of the device at most.

        data_wait: share of the time in which the device stands still between two steps, since there is no batch yet.
        host_wait: share in which the host waits for one, which costs nothing while the device works; it is what a run
        logs. mfu counts pairs that attend, by the sequences' lengths; padding is no work. compile_seconds: what the
        first step takes longer than the others where anything is compiled.
        """
        count_compilation()
        warm = [self._timed() for _ in range(WARM_STEPS)]
        ends, begins = [Mark(self.device)], list[Mark]()
        waited = flops = 0.0
        tokens = padded = 0
        began = time.perf_counter()
        while len(begins) < FEWEST_STEPS or time.perf_counter() - began < seconds:
            asked = time.perf_counter()
            step = next(self.steps)
            waited += time.perf_counter() - asked
            begins.append(Mark(self.device))
            self.step(step)
            ends.append(Mark(self.device))
            ends[-2].wait()
            lengths = np.concatenate([batch.lengths for batch in step.batches])
            units = sum(int(labels.units.sum()) for batch in step.batches for labels in batch.labels.values())
            flops += training_flops(self.encoder, lengths, units)
            tokens += int(lengths.sum())
            padded += sum(len(batch.input_ids) for batch in step.batches)
        self.synchronise()
        total = ends[-1].since(ends[0])
        durations = [after.since(before) for before, after in pairwise(ends)]
        idle = sum(begin.since(end) for end, begin in zip(ends, begins, strict=False))
        self.step_seconds = statistics.median(durations)
        compiled = compilation()
        if measured_peak:  # once more: other work may have been on the machine at either time
            measured_peak = max(measured_peak, peak_now(self.device))
        return {
            "tokens_per_second": tokens / total,
            "step_seconds": self.step_seconds,
            "slowest_step_seconds": max(durations),
            "steps": len(durations),
            "mfu": flops / total / nominal_peak if nominal_peak else None,
            "mfu_of_measured": flops / total / measured_peak if measured_peak else None,
            "data_wait": idle / total,
            "host_wait": waited / total,
            "padding": 1 - tokens / padded,
            "flops_per_token": flops / tokens,
            "loss_is_finite": not int(self.stepper.skipped),
            **self._memory(),
            "first_step_seconds": warm[0],
            "compile_seconds": max(0.0, warm[0] - self.step_seconds) if compiled["graphs"] else 0.0,
            **compiled,
        }

    def synchronisations(self) -> Figures:
        """How often a step has the host wait for the device, and where; on CUDA alone there is something to wait for.

        Those that torch knows of: a copy that is asked not to block, from memory that is not pinned, is not seen.
        """
        if self.device.type != "cuda":
            return {"a_step": None, "places": []}
        steps = [next(self.steps) for _ in range(WATCHED_STEPS)]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                for step in steps:
                    self.step(step)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        self.synchronise()
        places = Counter(f"{one.filename}:{one.lineno}" for one in caught if SYNC in str(one.message))
        return {
            "a_step": places.total() / WATCHED_STEPS,
            "places": [{"place": place, "times": times} for place, times in places.most_common(10)],
        }

    def kernels(self) -> Figures:
        step = next(self.steps)

        def made() -> None:
            self.step(step)
            self.synchronise()

        return kernels_of(made, self.device, self.step_seconds)

    def checkpoint(self) -> Figures:
        """Seconds that training stands still for a save, and for the first one, which gets its host memory; those until
        the first one is on disk; those of a step beside the writing. share: of training, at `save_every` steps."""
        saver, every = self.checkpoints.saver, self.config.run.save_every
        try:
            began, first = time.perf_counter(), self._save()
            saver.wait()
            on_disk = time.perf_counter() - began
            self._timed()
            still, beside = self._save(), self._timed()
            saver.wait()
            size = sum(path.stat().st_size for path in saver.folder.rglob("*") if path.is_file())
        finally:
            shutil.rmtree(saver.folder, ignore_errors=True)
        return {
            "still_seconds": still,
            "first_still_seconds": first,
            "first_on_disk_seconds": on_disk,
            "step_beside_it_seconds": beside,
            "bytes": size,
            "save_every": every,
            "share": still / (still + every * self.step_seconds),
        }

    def _save(self) -> float:
        """Seconds until both host and device can go on."""
        self.synchronise()
        began = time.perf_counter()
        self.checkpoints.save(Progress(self.number))
        self.synchronise()
        return time.perf_counter() - began

    def _timed(self) -> float:
        """Seconds of a step whose batch is there."""
        step = next(self.steps)
        began = time.perf_counter()
        self.step(step)
        self.synchronise()
        return time.perf_counter() - began

    def _memory(self) -> Figures:
        if self.device.type != "cuda":
            return {"peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        return {
            "peak_memory_bytes": torch.cuda.max_memory_allocated(self.device),
            "peak_reserved_bytes": torch.cuda.max_memory_reserved(self.device),
        }


def loader(data: Data, seconds: float) -> Figures:
    """Batches alone, in this process: from the files of token ids through packing and labels, and pickled as the
    loader's process pickles them."""
    stream = data.open_stream()
    try:
        position, tokens, steps, pickled, making = Position(), 0, 0, 0.0, 0.0
        slowest, size = 0.0, 0
        while making + pickled < seconds or steps < FEWEST_STEPS:
            began = time.perf_counter()
            step = stream.share(position, 0, 1)
            made = time.perf_counter()
            size = len(pickle.dumps(step, pickle.HIGHEST_PROTOCOL))
            pickled += time.perf_counter() - made
            making += made - began
            slowest = max(slowest, made - began)
            tokens += sum(int(batch.lengths.sum()) for batch in step.batches)
            position, steps = step.following, steps + 1
    finally:
        stream.windows.tokens.close()
    return {
        "tokens_per_second": tokens / (making + pickled),
        "steps": steps,
        "slowest_step_seconds": slowest,
        "pickling": pickled / (making + pickled),
        "bytes_a_step": size,
    }
