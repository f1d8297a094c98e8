"""Every arm of a seed by the project's own measures, each asked once."""

import hashlib
import json
from argparse import Namespace

from schemas.evaluation import Evaluation
from train.branching.steps import Arm
from train.branching.work import Work
from train.checkpoints.files import write_text
from train.evaluation.chosen import chosen
from train.evaluation.settings import Settings
from train.evaluation.suite import evaluate
from train.fusing import barrier_command


def asked(given: Namespace, languages: tuple[str, ...]) -> Settings:
    """What every arm is asked, in the languages of the shards; of Han script whatever a benchmark calls it, Hans and
    Hant. UserError where files cannot be read, before anything is trained."""
    codes = tuple(one.removesuffix("_Hani") for one in languages)
    settings = Settings(
        shards=given.shards,
        texts=tuple(given.texts),
        bits_bytes=given.bits_bytes,
        masked_bytes=given.masked_bytes,
        transfer=given.sib200,
        transfer_from=given.transfer_from,
        languages=codes,
    )
    chosen(settings)
    return settings


def judged(work: Work, arm: Arm, settings: Settings, device: str) -> Evaluation:
    """By OUTPUT/seed-N/evaluation/ARM.json where it was asked the same, else asked now."""
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
    path = work.place("evaluation") / f"{arm.name}.json"
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["asked"] == digest:
            found: Evaluation = kept["found"]
            return found
    named = f"{arm.name}={'+'.join(str(work.model(one)) for one in arm.models)}"
    found = evaluate([named], settings, lambda line: work.say(f"seed {work.seed}: {line}"), device=device)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"asked": digest, "found": found}, ensure_ascii=False, allow_nan=False) + "\n")
    return found


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
