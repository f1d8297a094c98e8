"""Which lines of labelled texts are no text of their label: in another script, of several labels, or said again.

A line that stands under two labels was left untranslated, or is a name, a number, a quotation: it says nothing of
either. A line that a label has twice is boilerplate: it counts once.
"""

from collections import Counter, defaultdict

from pipeline.kernels.arrow_text import from_strings
from pipeline.language.fitting.labelled_rows import Rows
from pipeline.language.kinship import related
from pipeline.language.labels import NO_LANGUAGE
from pipeline.words.scripts import NAMES, scripts_of

MIN_SHARED = 12  # characters of a line that two languages cannot share by chance
ALIKE, MIN_COMPARED = 0.9, 300
SCRIPT, SHARED, AGAIN = "lines in another script", "lines of several labels", "lines that the label has already"


def clean(rows: Rows) -> tuple[Rows, Counter[tuple[str, str]]]:
    """The rows without such lines, those that are left empty left out; and how many lines went, by label and why."""
    lines = [(place, line.strip()) for place, text in enumerate(rows.texts) for line in text.splitlines()]
    lines = [(place, line) for place, line in lines if line]
    labels_of: dict[str, set[str]] = defaultdict(set)
    for place, line in lines:
        if len(line) >= MIN_SHARED:
            labels_of[line].add(rows.labels[place])
    scripts = scripts_of(from_strings(line for _, line in lines))
    kept: dict[int, list[str]] = defaultdict(list)
    gone: Counter[tuple[str, str]] = Counter()
    seen: set[tuple[str, str]] = set()
    for (place, line), main in zip(lines, scripts.main.tolist(), strict=True):
        label = rows.labels[place]
        written = label.partition("_")[2]
        if label == NO_LANGUAGE:
            kept[place].append(line)
        elif main < 0 or NAMES[main] != written:
            gone[label, SCRIPT] += 1
        elif len(labels_of[line]) > 1:
            gone[label, SHARED] += 1
        elif (label, line) in seen:
            gone[label, AGAIN] += 1
        else:
            seen.add((label, line))
            kept[place].append(line)
    places = sorted(kept)
    texts = ["\n".join(kept[place]) for place in places]
    return rows.take(places)._replace(texts=texts), gone


def sizes(rows: Rows) -> dict[str, int]:
    """UTF-8 bytes by label."""
    found: Counter[str] = Counter()
    for label, text in zip(rows.labels, rows.texts, strict=True):
        found[label] += len(text.encode("utf-8", "ignore"))
    return dict(found)


def alike(rows: Rows) -> list[tuple[str, str]]:
    """Pairs of labels whose commonest words are the same with the same shares, though they are no relatives: most
    often one language under two names. Cosine of ALIKE or more over up to 200 words each."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for text, label in zip(rows.texts, rows.labels, strict=True):
        if label != NO_LANGUAGE and counts[label].total() < 50_000:
            counts[label].update(word for word in text.lower().split() if len(word) > 1)
    vectors: dict[str, dict[str, float]] = {}
    for label, words in sorted(counts.items()):
        top = words.most_common(200)
        length = sum(n * n for _, n in top) ** 0.5
        if sum(words.values()) >= MIN_COMPARED:
            vectors[label] = {word: n / length for word, n in top}
    places: dict[str, list[str]] = defaultdict(list)
    for label, vector in vectors.items():
        for word in vector:
            places[word].append(label)
    found = []
    for label, vector in vectors.items():
        products: dict[str, float] = defaultdict(float)
        for word, value in vector.items():
            for other in places[word]:
                if other > label:
                    products[other] += value * vectors[other][word]
        found += [
            (label, other)
            for other, product in sorted(products.items())
            if product >= ALIKE and not related(label.partition("_")[0], other.partition("_")[0])
        ]
    return found
