"""Every arm of a seed by the project's own measures, each asked once."""

import hashlib
import json
from argparse import Namespace
from pathlib import Path

from schemas.evaluation import Evaluation
from train.branching.steps import Arm
from train.branching.work import Work
from train.checkpoints.files import write_text
from train.evaluation.results import as_json
from train.evaluation.settings import Settings
from train.evaluation.suite import evaluate
from train.fusing import barrier_command

MACROLANGUAGES = {"cmn_Hani": ("zho_Hans", "zho_Hant")}  # what FLORES and SIB-200 call our labels that theirs differ from


def names_of(languages: tuple[str, ...]) -> tuple[str, ...]:
    """With the names that benchmarks have for them."""
    return tuple(dict.fromkeys(name for one in languages for name in (one, *MACROLANGUAGES.get(one, ()))))


def judged(work: Work, arm: Arm, settings: Settings, device: str) -> Evaluation:
    """By OUTPUT/seed-N/evaluation/ARM.json where it was asked the same, else asked now."""
    asked = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
    path = work.place("evaluation") / f"{arm.name}.json"
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["asked"] == asked:
            found: Evaluation = kept["found"]
            return found
    named = f"{arm.name}={'+'.join(str(work.model(one)) for one in arm.models)}"
    found = evaluate([named], settings, lambda line: work.say(f"seed {work.seed}: {line}"), device=device)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"asked": asked, "found": found}, ensure_ascii=False, allow_nan=False) + "\n")
    return found


def write_evaluation(found: Evaluation, path: Path) -> None:
    write_text(path, as_json(found))


def barriers(work: Work, settings: Settings, points: int, device: str) -> None:
    """OUTPUT/seed-N/barrier/, between the branches, unless it is there."""
    branches = next((arm.models for arm in work.plan.arms if arm.name == "ensemble"), ())
    output = work.place("barrier")
    if len(branches) < 2 or (output / barrier_command.JSON).is_file():
        return
    parents = [f"{one.rpartition('/')[2]}={work.model(one)}" for one in branches]
    given = Namespace(
        parent=parents, output=output, shards=settings.shards, texts=list(settings.texts), languages=[], points=points,
        masked_bytes=settings.masked_bytes, device=device, precision="auto",
    )  # fmt: skip
    barrier_command.run(given, work.say)
