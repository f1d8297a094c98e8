"""How well the engine `blocks` finds the main text of made pages (tests/bench/layouts.py), by layout and kind of line.

python tests/bench/layout_scores.py [--count 720] [--seed 7] [--texts FOLDER] [--only sphinx,blog]

F1 is of 4-grams of words; `beside` is the share of the words found that the gold text lacks; of each kind of line the
share that the text found has, word by word.
"""

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.block_labels import page_f1, words
from bench.layouts import Made, asked

from pipeline.page.main_text.engine import main_text


def kept(page: Made, text: str) -> tuple[Counter[str], Counter[str]]:
    """(lines of the gold text by kind, those that the text has)."""
    found, all_lines, whole = Counter[str](), Counter[str](), f" {' '.join(words(text))} "
    for kind, line in page.structure:
        if wanted := words(line):
            all_lines[kind] += 1
            found[kind] += f" {' '.join(wanted)} " in whole
    return all_lines, found


def beside(page: Made, text: str) -> float:
    """Share of the text's words that the gold text lacks."""
    shown, gold = Counter(words(text)), Counter(words(page.gold_text))
    return (shown - gold).total() / max(shown.total(), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _, made = asked(parser, count=720, seed=7)
    scores, extra = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    lines, found = defaultdict[str, Counter[str]](Counter), defaultdict[str, Counter[str]](Counter)
    for page in made:
        text = main_text(page.html)
        for name in (page.layout, "all"):
            scores[name].append(page_f1(text, page.gold_text))
            extra[name].append(beside(page, text))
            for total, more in zip((lines[name], found[name]), kept(page, text), strict=True):
                total.update(more)
    for name in (*sorted(scores.keys() - {"all"}), "all"):
        means = f"pages={len(scores[name])} f1={np.mean(scores[name]):.3f} beside={np.mean(extra[name]):.3f}"
        kinds = " ".join(f"{kind}={found[name][kind] / count:.2f}" for kind, count in sorted(lines[name].items()))
        print(f"{name:11s} {means} {kinds}")


if __name__ == "__main__":
    main()
