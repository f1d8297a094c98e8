"""What joint training is worth: arms that differ in one thing, at equal steps, several seeds each.

    PYTHONPATH=.:tests python tests/bench/joint_training.py objectives --root ROOT --work DIR [--steps 800 --seeds 3]
    PYTHONPATH=.:tests python tests/bench/joint_training.py teachers ...     two teachers routed by language, or none
    PYTHONPATH=.:tests python tests/bench/joint_training.py reversal ...     a language discriminator, or none

ROOT is what jobs/corpus.py wrote; the arms see those of its languages that SHOWN lists. All are
train/configs/mbert-tiny.toml, one thread a run, `--at-once` runs side by side. A run that DIR has is not made again.
Bits a byte of held-out text are the mean loss of a hidden token times tokens a byte: they compare models of one
vocabulary.
Intervals are Student's of 95 % over the seeds.
"""

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from train.corpus.vocabulary import open_vocabulary

REPOSITORY = Path(__file__).resolve().parents[2]
STUDENT_T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # 97.5 % with one degree of freedom less
SHOWN = [
    "eng_Latn",
    "deu_Latn",
    "cmn_Hani",
    "rus_Cyrl",
    "spa_Latn",
    "arb_Arab",
    "jpn_Jpan",
    "ell_Grek",
    "hin_Deva",
    "tha_Thai",
    "kor_Hang",
    "tur_Latn",
    "heb_Hebr",
    "tam_Taml",
    "khm_Khmr",
    "amh_Ethi",
    "kat_Geor",
]
FIRST, SECOND = ("eng_Latn", "deu_Latn", "spa_Latn", "fra_Latn"), ("cmn_Hani", "rus_Cyrl", "ell_Grek", "ukr_Cyrl")


@dataclass(frozen=True)
class Arm:
    """flags: beside those that all arms have. shards: where they are not the corpus' own. steps: a factor."""

    name: str
    flags: tuple[str, ...] = ()
    shards: Path | None = None
    steps: float = 1.0
    teachers: tuple[tuple[str, str], ...] = field(default=())  # language, arm


def objectives(shards: Path) -> list[Arm]:
    language = ("--language_embedding", "true")
    nsp, sop = ("--objectives.nsp.weight", "1"), ("--objectives.sop.weight", "1")
    uniform = ("--language_mean", "languages")
    arms = {
        "MLM": (),
        "MLM + NSP": nsp,
        "MLM + SOP": sop,
        "MLM, language embedding": language,
        "MLM, lambda uniform": uniform,
    }
    return [Arm(name, flags, shards) for name, flags in arms.items()]


def teachers(root: Path, work: Path) -> list[Arm]:
    """Each teacher is wider and sees twice as much of its own four languages as the student of all eight."""
    wide = ("--hidden_size", "192", "--intermediate_size", "768", "--num_attention_heads", "6")
    parts = {name: subset(root / "sample", work / name, chosen)
             for name, chosen in (("first", FIRST), ("second", SECOND), ("both", FIRST + SECOND))}  # fmt: skip
    routed = tuple((language, f"teacher {name}") for name, chosen in (("first", FIRST), ("second", SECOND))
                   for language in chosen)  # fmt: skip
    half = ("--objectives.mlm.weight", "0.5", "--objectives.distillation.weight", "0.5")
    return [
        Arm("teacher first", wide, parts["first"], 2),
        Arm("teacher second", wide, parts["second"], 2),
        Arm("student alone", (), parts["both"]),
        Arm("student, two teachers", half, parts["both"], 1, routed),
    ]


def reversal(shards: Path) -> list[Arm]:
    adversary = ("--objectives.language_adversary.weight", "1", "--objectives.language_adversary.reversal")
    arms = {"off": ("--probe", "true"), "on, 1": (*adversary, "1")}
    return [Arm(name, flags, shards) for name, flags in arms.items()]


def subset(sample: Path, folder: Path, languages: tuple[str, ...]) -> Path:
    """The shards of some languages, by links."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for language in languages:
        link = folder / "data" / language
        if not link.exists():
            link.symlink_to((sample / "data" / language).resolve())
    mixture = json.loads((sample / "mixture.json").read_text(encoding="utf-8"))
    mixture["languages"] = {name: mixture["languages"][name] for name in languages}
    (folder / "mixture.json").write_text(json.dumps(mixture), encoding="utf-8")
    return folder


def without_pairs(work: Path) -> Path:
    """The recipe but for its next-sentence prediction, which is an arm."""
    text = (REPOSITORY / "train/configs/mbert-tiny.toml").read_text(encoding="utf-8")
    work.mkdir(parents=True, exist_ok=True)
    path = work / "mlm.toml"
    path.write_text(re.sub(r"\[objectives\.nsp\]\n(?:[^\[\n].*\n)*", "", text), encoding="utf-8")
    return path


def train(arm: Arm, seed: int, args: argparse.Namespace) -> Path:
    """The folder of the run, finished."""
    output: Path = args.work / args.study / f"{arm.name.replace(' ', '-').replace(',', '')}-{seed}"
    steps = round(args.steps * arm.steps)
    if (output / "export").is_dir() and steps in {line["step"] for line in lines(output)}:
        return output
    settings = {
        "config": without_pairs(args.work),
        "shards": arm.shards or args.root / "sample",
        "token_cache": args.work / "tokens",
        "tokenizer": args.root / "vocab",
        "output": output,
        "steps": steps,
        "seed": seed,
        "eval_every": steps,
        "save_every": steps,
        "log_every": max(1, steps // 20),
        "eval_tokens": args.eval_tokens,
        "tensorboard": "false",
        "device": "cpu",
    }
    flags = [part for name, value in settings.items() for part in (f"--{name}", str(value))] + list(arm.flags)
    if arm.teachers:
        folders = (f"{language}={args.work / args.study / name.replace(' ', '-')}-0/export"
                   for language, name in arm.teachers)  # fmt: skip
        flags += ["--teachers", ",".join(folders)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, str(REPOSITORY / "train/pretrain.py"), *flags]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arm.name}, seed {seed}: {done.stderr[-2000:]}")
    rate = statistics.median(line["tokens_per_second"] for line in lines(output, "train"))
    print(f"{arm.name}, seed {seed}: {rate:,.0f} tokens/s", file=sys.stderr, flush=True)
    return output


def lines(output: Path, split: str = "validation") -> list[dict[str, Any]]:
    path = output / "metrics.jsonl"
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    return [line for line in found if line["split"] == split]


def tokens_a_byte(root: Path) -> dict[str, float]:
    """Of the validation texts of each language."""
    encode, found = open_vocabulary(root / "vocab").encode, {}
    for folder in sorted((root / "sample/data").iterdir()):
        texts = [text for path in sorted(folder.glob("validation*.parquet"))
                 for text in pq.read_table(path, columns=["text"]).column("text").to_pylist()]  # fmt: skip
        if texts:
            found[folder.name] = sum(map(len, encode(texts))) / sum(len(text.encode()) for text in texts)
    return found


def bits(figures: dict[str, Any], rates: dict[str, float], languages: list[str] | None = None) -> float:
    """Bits a byte, the mean of the languages."""
    there = [
        figures["languages"][name]["loss"] * rates[name] / math.log(2)
        for name in languages or figures["languages"]
        if figures["languages"].get(name, {}).get("loss") is not None
    ]
    return statistics.fmean(there) if there else math.nan


def interval(values: list[float]) -> str:
    """Mean and half of the interval."""
    if not values:
        return ""
    if len(values) < 2 or any(math.isnan(value) for value in values):
        return "" if math.isnan(values[0]) else f"{statistics.fmean(values):.4f}"
    half = STUDENT_T[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
    return f"{statistics.fmean(values):.4f} ± {half:.4f}"


def table(arms: list[Arm], runs: dict[str, list[Path]], args: argparse.Namespace) -> list[str]:
    """Markdown: the figures of each arm, then bits a byte by language. Differences are to the first arm, by seed."""
    rates = tokens_a_byte(args.root)
    last = {name: [lines(run)[-1] for run in folders] for name, folders in runs.items()}
    pairs = ("nsp", "sop")
    rows = [
        "| arm | bits a byte, mean of languages | less than the first arm | language told | pairs told apart | probe |"
    ]
    rows.append("|---|---|---|---|---|---|")
    base = [bits(one, rates) for one in last[arms[0].name]]
    for arm in arms:
        found = last[arm.name]
        own = [bits(one, rates) for one in found]
        told = [bits(one["told_language"], rates) if "told_language" in one else math.nan for one in found]
        right = [next((one["objectives"][k]["accuracy"] for k in pairs if k in one.get("objectives", {})), math.nan)
                 for one in found]  # fmt: skip
        probe = [one["probe"]["accuracy"] if "probe" in one else math.nan for one in found]
        alike = arm is not arms[0] and arm.shards == arms[0].shards  # else they are of other languages
        gain = [before - after for before, after in zip(base, own, strict=True)] if alike else []
        cells = [interval(own), interval(gain), interval(told), interval(right),
                 interval(probe)]  # fmt: skip
        rows.append(f"| {arm.name} | {' | '.join(cells)} |")
    rows += ["", f"| | {' | '.join(arm.name for arm in arms)} |", "|---" * (len(arms) + 1) + "|"]
    named = [name for name in dict.fromkeys((*SHOWN, *FIRST, *SECOND))
             if any(name in one["languages"] for ones in last.values() for one in ones)]  # fmt: skip
    for language in named:
        cells = [interval([bits(one, rates, [language]) for one in last[arm.name]]) for arm in arms]
        rows.append(f"| {language} | {' | '.join(cells)} |")
    tokens = {arm.name: lines(runs[arm.name][0], "train")[-1]["tokens"] for arm in arms}
    return [*rows, "", "Tokens shown: " + ", ".join(f"{name} {count:,}" for name, count in tokens.items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=("objectives", "teachers", "reversal"))
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--eval-tokens", type=int, default=8192)
    parser.add_argument("--at-once", type=int, default=2)
    args = parser.parse_args()
    there = tuple(name for name in SHOWN if (args.root / "sample/data" / name).is_dir())
    shards = subset(args.root / "sample", args.work / "shown", there)
    studies = {
        "objectives": lambda: objectives(shards),
        "teachers": lambda: teachers(args.root, args.work),
        "reversal": lambda: reversal(shards),
    }
    arms = studies[args.study]()
    taught = [arm for arm in arms if arm.name.startswith("teacher")]  # they come first, and once
    compared = [arm for arm in arms if arm not in taught]
    runs: dict[str, list[Path]] = {}
    with ThreadPoolExecutor(args.at_once) as pool:
        for arms_now, seeds in ((taught, 1), (compared, args.seeds)):
            jobs = {(arm.name, seed): pool.submit(train, arm, seed, args) for seed in range(seeds) for arm in arms_now}
            for (name, _), job in jobs.items():
                runs.setdefault(name, []).append(job.result())
    print("\n".join(table([*compared, *taught], runs, args)))


if __name__ == "__main__":
    main()
