"""Compare tokenizers, ours and strangers': what each costs every language.

python tokenizer/compare.py A B [C ...] --parallel DIR [--output FOLDER]      translations of each other, line by line
python tokenizer/compare.py A B [C ...] --texts FILE [--most 200]             labelled texts, JSONL or Parquet
A, B: folders as transformers opens them, or tokenizer.json, vocab.txt and SentencePiece .model files.
"""

import argparse
import dataclasses
import gzip
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import UserError
from tokenizer.loading import Loaded, load
from tokenizer.measure import is_english, measure_loaded
from tokenizer.plot import Row, dots

Texts = dict[str, list[str]]
Report = dict[str, Any]

DIFFERENCES = 10  # languages that are named
FLATTERED = 0.01  # unknown tokens of all: above that the user is told
_EVERY = 5.0  # seconds between two lines of progress
_LABEL_COLUMNS = (("language", "lang"), ("language_script", "script"))
_COLUMNS = (
    ("tokens a word", lambda row, _: _number(row["fertility"])),
    ("bytes a token", lambda row, _: _number(row["bytes_per_token"])),
    ("continued words", lambda row, _: _share(row["continued_share"])),
    ("unknown", lambda row, _: _share(row["unk_share"])),
    ("byte pieces", lambda row, _: _share(row["byte_fallback_share"])),
    ("mean parity", lambda _, fairness: _number(fairness.get("parity_mean"))),
    ("worst parity", lambda _, fairness: _worst(fairness)),
    ("Gini", lambda _, fairness: _number(fairness["gini"], 3)),
)


def compare(tokenizers: Mapping[str, Loaded], parallel: Texts | None, texts: Texts | None) -> dict[str, Any]:
    """{"tokenizers": {name: {vocab_size}}, ["parallel": {name: report}], ["texts": {name: report}]}, where a report is
    that of tokenizer.measure without vocab_size."""
    compared: dict[str, Any] = {"tokenizers": {n: {"vocab_size": len(t.pieces)} for n, t in tokenizers.items()}}
    for kind, given in (("parallel", parallel), ("texts", texts)):
        if given is None:
            continue
        compared[kind] = {}
        for name, tokenizer in tokenizers.items():
            watched = _watched(name, tokenizer, 2 * sum(map(len, given.values())))
            report = measure_loaded(watched, given, parallel=kind == "parallel")
            compared[kind][name] = {key: value for key, value in report.items() if key != "vocab_size"}
    return compared


def _watched(name: str, tokenizer: Loaded, total: int) -> Loaded:
    """Says on standard error how far it is, where that takes long. Every text is read twice: for ids and for starts."""
    done, said = 0, time.monotonic()

    def count(texts: list[str]) -> list[str]:
        nonlocal done, said
        if time.monotonic() - said > _EVERY:
            said = time.monotonic()
            print(f"compare  {name}: {done / total:.0%} of {total // 2:,} texts", file=sys.stderr, flush=True)
        done += len(texts)
        return texts

    return dataclasses.replace(
        tokenizer,
        encode=lambda texts: tokenizer.encode(count(texts)),
        starts=lambda texts: tokenizer.starts(count(texts)),
    )


def read_parallel(folder: Path) -> Texts:
    """Language -> its lines, of LANGUAGE.txt or LANGUAGE.txt.gz each; lines that are blank in any language are left
    out.

    Raises UserError where files are missing, empty, unreadable or of other numbers of lines, or where there is no
    English.
    """
    if not folder.is_dir():
        raise UserError(f"--parallel {folder}: no such folder; name one with a file a language, such as eng.txt.gz")
    files: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        language = file.name.removesuffix(".gz").removesuffix(".txt")
        if file.name.startswith((".", "_")) or not file.name.removesuffix(".gz").endswith(".txt"):
            continue
        if language in files:
            raise UserError(f"--parallel {folder}: {files[language].name} and {file.name} are one language; remove one")
        files[language] = file
    english = next(filter(is_english, files), None)
    if english is None:
        raise UserError(
            f"--parallel {folder}: no English among {len(files)} files *.txt and *.txt.gz; add eng.txt or eng.txt.gz"
        )
    lines = {language: _lines(file) for language, file in files.items()}
    for language, own in lines.items():
        if len(own) != len(lines[english]):
            raise UserError(
                f"{files[language]}: {len(own)} lines, {files[english].name} has {len(lines[english])}; each line must "
                "be the translation of the same line"
            )
    whole = [all(line.strip() for line in row) for row in zip(*lines.values(), strict=True)]
    if not any(whole):
        raise UserError(f"--parallel {folder}: no line has a text in every language; remove the emptiest file")
    if not all(whole):
        say(f"{whole.count(False):,} lines are blank in a language and left out of all")
    return {language: [line for line, kept in zip(own, whole, strict=True) if kept] for language, own in lines.items()}


def _lines(file: Path) -> list[str]:
    try:
        with _opened(file) as source:
            content = source.read().decode()
    except (EOFError, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise UserError(f"{file}: unreadable ({error}); give lines of UTF-8, plain or gzip") from error
    if not content.strip():
        raise UserError(f"{file}: empty; give a line a text, or remove the file")
    return [line.removesuffix("\r") for line in content.removesuffix("\n").split("\n")]


def _opened(file: Path) -> Any:
    with file.open("rb") as start:
        packed = start.read(2) == b"\x1f\x8b"
    return gzip.open(file, "rb") if packed else file.open("rb")


def read_texts(file: Path, most: int) -> Texts:
    """Label -> its first `most` texts, of JSONL (plain or gzip) or Parquet.

    Columns: `text`, `language` or `lang`, and `language_script` or `script` where there is one; the label is `deu_Latn`
    or `deu`, `und` where the language is null. Texts that are null or blank are left out.

    Raises UserError for anything else.
    """
    if not file.is_file():
        raise UserError(f"--texts {file}: no such file; name JSONL or Parquet with the columns text and language")
    texts: Texts = {}
    for place, row in _rows(file):
        text, language, script = row
        if not all(isinstance(value, str | None) for value in row):
            raise UserError(f"{place}: text, language and script must be strings; mend or remove it")
        label = f"{language or 'und'}_{script}" if script else language or "und"
        own = texts.setdefault(label, [])
        if text and text.strip() and len(own) < most:
            # JSON can spell half a surrogate pair, which is no character and which no tokenizer takes.
            own.append(text.encode(errors="surrogatepass").decode(errors="replace"))
    texts = {label: own for label, own in sorted(texts.items()) if own}
    if not texts:
        raise UserError(f"--texts {file}: no text in it; name a file with the columns text and language")
    return texts


def _rows(file: Path) -> Iterator[tuple[str, tuple[Any, Any, Any]]]:
    """(where it stands, (text, language, script)) of each row."""
    with file.open("rb") as start:
        parquet = start.read(4) == b"PAR1"
    return _parquet_rows(file) if parquet else _json_rows(file)


def _parquet_rows(file: Path) -> Iterator[tuple[str, tuple[Any, Any, Any]]]:
    try:
        table = pq.ParquetFile(file)
        columns = _columns(table.schema_arrow.names, str(file))
        for group in range(table.num_row_groups):
            rows = table.read_row_group(group, columns=[name for name in columns if name])
            values = [rows[name].to_pylist() if name else [None] * len(rows) for name in columns]
            for row in zip(*values, strict=True):
                yield f"{file}: row group {group}", row
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{file}: unreadable Parquet ({error}); write the file again") from error


def _json_rows(file: Path) -> Iterator[tuple[str, tuple[Any, Any, Any]]]:
    try:
        with _opened(file) as source:
            for number, line in enumerate(source, 1):
                if not line.strip():
                    continue
                place = f"{file}: line {number}"
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise UserError(f"{place}: not JSON ({error}); give an object a line, or Parquet") from error
                if not isinstance(row, dict):
                    raise UserError(f"{place}: not an object; give an object a line with text and language")
                text, language, script = (row.get(name) if name else None for name in _columns(row, place))
                yield place, (text, language, script)
    except (EOFError, gzip.BadGzipFile) as error:
        raise UserError(f"{file}: damaged gzip ({error}); pack the file again") from error


def _columns(names: Any, place: str) -> tuple[str, str, str | None]:
    language, script = (next((name for name in choice if name in names), None) for choice in _LABEL_COLUMNS)
    if "text" not in names or language is None:
        missing = "text" if "text" not in names else "language"
        raise UserError(
            f"{place}: no column {missing}; give text, language (or lang) and, if you like, language_script"
        )
    return "text", language, script


def tables(compared: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """(title, head, rows) of what people read: a line a tokenizer, then the languages where they differ most."""
    made = []
    for kind, title in (("parallel", "Parallel texts"), ("texts", "Labelled texts")):
        reports: dict[str, Report] = compared.get(kind, {})
        if not reports:
            continue
        first = next(iter(reports.values()))
        size = f"{len(first['languages'])} languages, {first['total']['texts']:,} texts"
        columns = [column for column in _COLUMNS if kind == "parallel" or "parity" not in column[0]]
        head = ["tokenizer", "pieces", *(name for name, _ in columns)]
        rows = [
            [
                name,
                f"{compared['tokenizers'][name]['vocab_size']:,}",
                *(value(report["total"], report["fairness"]) for _, value in columns),
            ]
            for name, report in reports.items()
        ]
        made.append((f"{title}: {size}", head, rows))
        if differing := _differing(reports):
            head = ["language", *reports, "most to fewest"]
            made.append((f"{title}: where the tokenizers differ most, tokens a word", head, differing))
    return made


def _differing(reports: Mapping[str, Report]) -> list[list[str]]:
    """The texts are the same, so tokens a word, a byte or a line are in the same ratio to each other."""
    if len(reports) < 2:
        return []
    ratios = {}
    for language in next(iter(reports.values()))["languages"]:
        tokens = [report["languages"][language]["tokens"] for report in reports.values()]
        ratios[language] = max(tokens) / min(tokens) if min(tokens) else 0.0
    chosen = sorted(ratios, key=lambda language: (-ratios[language], language))[:DIFFERENCES]
    return [
        [
            language,
            *(_number(report["languages"][language]["fertility"]) for report in reports.values()),
            _number(ratios[language]),
        ]
        for language in chosen
    ]


def _number(value: float | None, places: int = 2) -> str:
    return "-" if value is None else f"{value:.{places}f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _worst(fairness: Mapping[str, Any]) -> str:
    worst = fairness.get("parity_worst")
    return "-" if worst is None else f"{worst:.2f} {fairness['parity_worst_language']}"


def as_text(made: Sequence[tuple[str, list[str], list[list[str]]]]) -> str:
    """For a terminal: columns of their own width, names to the left, figures to the right."""
    parts = []
    for title, head, rows in made:
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(cells))
            for cells in (list(zip(row, widths, strict=True)) for row in (head, *rows))
        ]
        parts.append("\n".join([title, *(line.rstrip() for line in lines)]))
    return "\n\n".join(parts) + "\n"


def as_markdown(compared: Mapping[str, Any]) -> str:
    parts = ["# Tokenizers compared", _EXPLAINED]
    for title, head, rows in [*tables(compared), *_by_language(compared)]:
        cells = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
        parts.append(f"## {title}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


_EXPLAINED = """\
Figures are over all texts together. A word is a run of letters, or one letter in scripts that write no spaces; a
continued word is one of two tokens or more. Unknown and byte pieces are shares of the tokens; of a byte-level
vocabulary the pieces that hold a part of a character count as bytes. Parity is tokens by English tokens for the same
content, its mean and worst over the other languages. The Gini coefficient says how unequal languages are (0: all pay
the same): in tokens on parallel texts, else in tokens a byte. An unknown token may stand for a whole word, so a
tokenizer with many of them looks cheaper than it is."""


def _by_language(compared: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    made = []
    for kind, key, title in (
        ("parallel", "parity_to_english", "Parity by language"),
        ("parallel", "fertility", "Tokens a word by language, parallel texts"),
        ("texts", "fertility", "Tokens a word by language, labelled texts"),
        ("texts", "bytes_per_token", "Bytes a token by language, labelled texts"),
    ):
        reports: dict[str, Report] = compared.get(kind, {})
        if reports:
            languages = next(iter(reports.values()))["languages"]
            rows = [
                [language, *(_number(report["languages"][language][key]) for report in reports.values())]
                for language in languages
            ]
            made.append((title, ["language", *reports], rows))
    return made


def _flattered(compared: Mapping[str, Any]) -> list[str]:
    shares = {
        name: max(
            compared[kind][name]["total"]["unk_share"] or 0.0 for kind in ("parallel", "texts") if kind in compared
        )
        for name in compared["tokenizers"]
    }
    return [name for name, share in shares.items() if share > FLATTERED]


def as_picture(compared: Mapping[str, Any]) -> str:
    """Parity by language where there are parallel texts, else tokens a word; the first tokenizer's worst on top."""
    kind, key = ("parallel", "parity_to_english") if "parallel" in compared else ("texts", "fertility")
    reports: dict[str, Report] = compared[kind]
    languages = next(iter(reports.values()))["languages"]
    rows = [Row(language, [r["languages"][language][key] for r in reports.values()]) for language in languages]
    rows.sort(key=lambda row: (-(row.values[0] or 0.0), row.label))
    if kind == "parallel":
        return dots("Tokens for the same content", "parity: tokens by English tokens", list(reports), rows, 1.0)
    return dots("Tokens a word", "tokens a word, or a letter in scripts without spaces", list(reports), rows)


def write(compared: Mapping[str, Any], folder: Path) -> None:
    """comparison.json, comparison.md and comparison.svg; files of these names are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "json": json.dumps(compared, indent=1, ensure_ascii=False) + "\n",
        "md": as_markdown(compared),
        "svg": as_picture(compared),
    }
    for ending, content in contents.items():
        (folder / f"comparison.{ending}").write_text(content, encoding="utf-8")


def say(message: str) -> None:
    print(f"compare  {message}", file=sys.stderr, flush=True)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; --help tells the flags")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    usage, _, _ = (__doc__ or "").partition("\n\n")
    parser = _Parser(prog="compare.py", description=usage, epilog=(__doc__ or "").partition("\n\n")[2],
                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument(
        "tokenizers",
        nargs="+",
        type=Path,
        metavar="TOKENIZER",
        help="folder or file; the picture is sorted by the first",
    )
    parser.add_argument("--parallel", type=Path, metavar="DIR", help="a file a language: eng.txt.gz, deu.txt, ...")
    parser.add_argument("--texts", type=Path, metavar="FILE", help="JSONL(.gz) or Parquet with text and language")
    parser.add_argument(
        "--most", type=int, default=200, metavar="N", help="texts a language of --texts, the first N (200)"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="writes comparison.json, .md and .svg there")
    given = parser.parse_args(argv)
    if given.parallel is None and given.texts is None:
        raise UserError("nothing to measure on; give --parallel DIR, --texts FILE or both")
    if given.most < 1:
        raise UserError(f"--most {given.most}: must be at least 1")
    return given


def _loaded(paths: Sequence[Path]) -> dict[str, Loaded]:
    """By name, or by path where two have the same name."""
    loaded = [(path, load(path)) for path in paths]
    names = [tokenizer.name for _, tokenizer in loaded]
    named = {str(path) if names.count(tokenizer.name) > 1 else tokenizer.name: tokenizer for path, tokenizer in loaded}
    if len(named) < len(loaded):
        twice = next((path for path in paths if paths.count(path) > 1), paths[0])
        raise UserError(f"{twice}: named twice; name different tokenizers")
    return named


def run(argv: Sequence[str] | None) -> None:
    given = _arguments(argv)
    parallel = read_parallel(given.parallel) if given.parallel else None
    texts = read_texts(given.texts, given.most) if given.texts else None
    compared = compare(_loaded(given.tokenizers), parallel, texts)
    print(as_text(tables(compared)), end="")
    for name in _flattered(compared):
        say(f"{name} knows so few of the characters that its figures flatter it: an unknown word is one token")
    if given.output:
        write(compared, given.output)
        say(f"written: {given.output}/comparison.json, comparison.md, comparison.svg")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 2 where the user can mend it and 130 for Ctrl-C, one line each; a bug keeps its trace."""
    try:
        run(argv)
    except KeyboardInterrupt:
        print("stopped: nothing is written", file=sys.stderr, flush=True)
        return 130
    except UserError as error:
        print("error: " + " ".join(str(error).split()), file=sys.stderr, flush=True)
        return 2
    except OSError as error:
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}; choose another path or mend it", file=sys.stderr, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
