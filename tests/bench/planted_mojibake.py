"""How much planted mojibake is mended, and whether good lines beside it stay.

PYTHONPATH=tests:. python -m bench.planted_mojibake --data DATA [--texts 3]

Of each language with labelled texts some are taken, six lines of each, and misread in every way: all of them, and one
line beside five good ones.
"""

import argparse
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from bench import labelled

from pipeline.privacy.charsets import CHARSETS
from pipeline.privacy.mojibake import mend


def misread(text: str, charset: str) -> str:
    """UTF-8 read as the charset; a byte that is nothing there is a control character, as browsers have it."""
    table = [bytes([byte]).decode(charset, "replace") for byte in range(256)]
    return "".join(chr(byte) if table[byte] == "\ufffd" else table[byte] for byte in text.encode())


WAYS: dict[str, Callable[[str], str]] = {
    **{name: lambda text, name=name: misread(text, name) for name in ("latin-1", *CHARSETS)},  # type: ignore[misc]
    "twice": lambda text: misread(misread(text, "cp1252"), "cp1252"),
    "no-break spaces lost": lambda text: misread(text, "cp1252").replace("\u00a0", " "),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--texts", type=int, default=3, help="of a language")
    args = parser.parse_args()
    texts = defaultdict(list)
    for one in labelled.read(args.data):
        texts[one.language].append(one.text)
    chance = random.Random(5)
    planted, mended, kept = Counter[str](), Counter[str](), Counter[bool]()
    for language in sorted(texts):
        for text in chance.sample(texts[language], min(args.texts, len(texts[language]))):
            good = [line for line in re.split("\\s*\n\\s*", text) if len(line) > 10][:6]
            chosen = chance.randrange(len(good)) if good else 0
            for way, damage in WAYS.items():
                for only in (None, chosen):
                    damaged = [line if only not in (None, n) else damage(line) for n, line in enumerate(good)]
                    for line, broken, got in zip(good, damaged, mend("\n".join(damaged)).split("\n"), strict=True):
                        if line == broken:
                            kept[got == line] += 1
                        else:
                            planted[way] += 1
                            mended[way] += got.replace("\u00a0", " ") == line.replace("\u00a0", " ")
    for way in WAYS:
        print(f"{way:22} {mended[way]:6} of {planted[way]:6} lines, {mended[way] / max(1, planted[way]):.3f}")
    print(f"good lines beside them kept: {kept[True]} of {kept.total()}")


if __name__ == "__main__":
    main()
