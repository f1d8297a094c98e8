"""Labelled texts of any tables: what is read, and which rows cannot serve, told by kind.

A table is Parquet or JSON Lines (also gzipped), or a folder of such, with the columns text, language (or lang), script,
source and licence. Languages become FineWeb-2's individual codes, scripts those that `pipeline.words.scripts` reads off
a text, so that `zho_Hant` and `cmn_Hans` are one label, `cmn_Hani`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.json
from pyarrow import compute as pc

from pipeline.kernels.arrow_text import from_strings
from pipeline.language.labels import NO_LANGUAGE, iso_639_3, same_script
from pipeline.store import parquet_files, storage
from pipeline.words.scripts import scripts_of
from schemas.errors import UserError

COLUMNS = ("text", "language", "script", "source", "licence")
OTHER_NAMES = {"lang": "language", "license": "licence", "language_script": "script"}
SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz", ".json", ".json.gz")
MIN_SCRIPT_SHARE = 0.4  # of a text's letters in its label's script: names and quotations may be in another

# Licences that let a model fitted from the text be used and passed on by anyone; NC, ND and none do not.
_OPEN = re.compile(
    r"(public domain|cc0|cc[- ]by([- ]sa)?|pddl|odc[- ]by|odbl|mit|apache|unlicense)"
    r"([- ]?v?\d+(\.\d+)*)?",
    re.IGNORECASE,
)


class Rows(NamedTuple):
    """Parallel columns: `labels` are `language_Script`; a `document` is a text's place in what was read."""

    texts: list[str]
    labels: list[str]
    sources: list[str]
    licences: list[str]

    def take(self, places: Sequence[int]) -> "Rows":
        return Rows(*([column[place] for place in places] for column in self))


def is_open(licence: str) -> bool:
    """Whether the text may be in a model that is given away: by its licence's name, CC-BY-SA-4.0 or public domain."""
    return bool(_OPEN.fullmatch(licence.strip()))


def read(places: Sequence[str]) -> pa.Table:
    """All rows of all tables, columns COLUMNS as strings. UserError names the table and what it lacks."""
    tables = [_columns(path, _table(path)) for place in places for path in _files(storage.absolute(place))]
    whole = pa.concat_tables(tables)
    if not whole.num_rows:
        raise UserError(f"{', '.join(places)}: no row; give texts with their language")
    return whole


def checked(table: pa.Table, known: frozenset[str] | None) -> tuple[Rows, Counter[tuple[str, str]]]:
    """The rows that can serve, and how many cannot, by label as the table has it and reason.

    `known`: the ISO 639-3 codes there are (none: any three letters).
    """
    columns = [[value or "" for value in table.column(name).to_pylist()] for name in COLUMNS]
    found = scripts_of(from_strings(columns[0]))
    main = found.labels().to_pylist()
    rows = Rows([], [], [], [])
    refused: Counter[tuple[str, str]] = Counter()
    for place, (text, language, script, source, licence) in enumerate(zip(*columns, strict=True)):
        given = f"{language}_{script}"
        code, written = iso_639_3(given if script else language), same_script(script)
        if not text.strip():
            refused[given, "it is empty"] += 1
        elif not re.fullmatch("[a-z]{3}", code) or (known is not None and code not in known):
            refused[given, f"{language} is no code of ISO 639-3: mend it"] += 1
        elif not is_open(licence):
            refused[given, f"its licence is {licence or 'missing'}: name an open one, or leave the text out"] += 1
        elif code != NO_LANGUAGE and (main[place] != written or found.share[place] < MIN_SCRIPT_SHARE):
            refused[given, f"it is written in {main[place]}: mend the label or the text"] += 1
        else:
            label = code if code == NO_LANGUAGE else f"{code}_{written}"
            for column, value in zip(rows, (text, label, source, licence), strict=True):
                column.append(value)
    return rows, refused


def _files(place: str) -> Iterator[str]:
    if place.endswith(SUFFIXES):
        if not storage.exists(place):
            raise UserError(f"{place}: no such table; name a {', '.join(SUFFIXES)} file or a folder of these")
        yield place
        return
    found = [name for name in (storage.listing(place) if storage.exists(place) else []) if name.endswith(SUFFIXES)]
    if not found:
        raise UserError(f"{place}: no table there; name a {', '.join(SUFFIXES)} file or a folder of these")
    for name in sorted(found):
        yield storage.join(place, name)


def _table(path: str) -> pa.Table:
    try:
        if path.endswith(".parquet"):
            return parquet_files.read_parquet(path)
        fs, inside = storage.filesystem(path)
        with fs.open(inside, "rb") as raw:
            opened = pa.CompressedInputStream(raw, "gzip") if path.endswith(".gz") else raw
            return pyarrow.json.read_json(opened, pyarrow.json.ReadOptions(use_threads=False, block_size=1 << 24))
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not readable: {str(error).splitlines()[0][:120]}") from None


def _columns(path: str, table: pa.Table) -> pa.Table:
    names = [name if name in COLUMNS else OTHER_NAMES.get(name, name) for name in table.column_names]
    chosen = []
    for name in COLUMNS:
        if name not in names:
            raise UserError(f"{path}: no column {name}; a table has {', '.join(COLUMNS)}")
        column = table.column(names.index(name))
        chosen.append(pc.cast(column, pa.string()))
    return pa.table(chosen, list(COLUMNS))
