"""Configuration: one model a stage. Every field is a TOML key under `[stage]` and a flag of the stage's job.

Defaults name their source. `pipeline.flags` makes a config of flags and TOML.
"""

import difflib
import json
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipeline.duplicates.minhash import MinHasher, optimal_bands
from pipeline.language.labels import LANGUAGES, nearest_languages, scripts_of_label
from pipeline.quality.expressions import nearest
from pipeline.quality.profiles import STOP_WORDS, Profiles, crossed, folded
from pipeline.quality.rules import Rule, Thresholds, chosen
from pipeline.words.scripts import SCRIPTS as LETTER_SCRIPTS
from schemas.errors import UserError
from schemas.repeats import MOST_HASHES
from schemas.scores import THRESHOLD, score_fields

SCRIPTS = sorted({*LETTER_SCRIPTS, "Jpan"} - {"Hira", "Kana"})  # what a document's script can be
UNKNOWN = "und"
MAX_PERM = 4096
MOST_SCORE_STEPS = 15
CLASSIFIER = re.compile("[a-z0-9_]{1,40}")


def _no_truth(value: Any) -> Any:
    """pydantic would read true as 1."""
    if isinstance(value, bool):
        raise UserError("give the value itself, not true or false")
    return value


class StageConfig(BaseModel):
    """Frozen; refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_where_one_is_asked(cls, value: Any, info: ValidationInfo) -> Any:
        return value if cls.model_fields[str(info.field_name)].annotation is bool else _no_truth(value)


class ExtractConfig(StageConfig):
    """Archives to main text."""

    engine: Literal["blocks", "trafilatura", "resiliparse"] = Field(
        "blocks", description="engine that finds the main text"
    )
    markdown: bool = Field(
        False, description="write the text as Markdown: headings, lists, tables, code, quotes (blocks, trafilatura)"
    )
    dump: str = Field("", description="crawl name for the column `dump`; read from the path when empty")
    prefix: str = Field("", description="put before each line of a path list, such as s3://commoncrawl/")
    sample: float = Field(1.0, gt=0, le=1, description="take this share of the archives, chosen by a hash of the name")
    limit: int | None = Field(None, ge=1, description="take only the first N archives, of the sample")
    block_lists: tuple[str, ...] = Field(
        (), description="files of hosts and URLs, or folders in UT1's layout: their pages are not read"
    )
    languages: tuple[str, ...] = Field(
        (),
        description="ISO 639-3 codes: pages that a quick guess finds in no such language are not read; "
        "[clean] languages decides finely; empty: all",
    )
    max_page_bytes: int = Field(
        8 << 20, ge=1024, description="larger payloads are skipped (Common Crawl cuts at 5 MiB)"
    )
    max_decompression_ratio: float = Field(200, gt=1, description="payloads that grow more are skipped")
    max_tree_depth: int = Field(500, ge=10, description="deeper pages are skipped by trafilatura and resiliparse")
    page_seconds: float = Field(10, gt=0, description="CPU seconds a page may cost")
    page_memory_bytes: int = Field(1 << 30, ge=1 << 28, description="memory that extraction of a page may use")
    split_bytes: int = Field(
        256 << 20, ge=1 << 16, description="larger uncompressed local archives are read by several tasks"
    )
    max_connections: int = Field(
        16, ge=1, description="archives of stores (https://, s3://) fetched at the same time, over all machines"
    )
    range_gap_bytes: int = Field(
        1 << 20,
        ge=0,
        description="records of an index that are at most so far apart share a request (50 ms at 20 MB/s)",
    )
    range_bytes: int = Field(
        16 << 20, ge=1 << 12, description="bytes that a request for records of an index has at most"
    )
    retries: int = Field(5, ge=0, le=20, description="tries after the first when a store fails")
    user_agent: str = Field("wanyu/0.1 (web archive reader)", min_length=1, description="User-Agent for https://")
    max_failed_share: float = Field(0.5, gt=0, le=1, description="the job stops when more archives give nothing at all")

    @model_validator(mode="after")
    def _engine_can_write_it(self) -> "ExtractConfig":
        if self.markdown and self.engine == "resiliparse":
            raise UserError(
                "markdown: the engine resiliparse writes none: choose blocks or trafilatura, or leave it out"
            )
        return self

    @field_validator("languages")
    @classmethod
    def _languages_can_be_guessed(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        for code in codes:
            if code == UNKNOWN:
                raise UserError("und cannot be guessed: leave it empty here, [clean] languages may have und")
            _require_language(code, LANGUAGES)
        return codes


class DecontaminateConfig(StageConfig):
    """Evaluation sets that must not be trained on."""

    sources: tuple[str, ...] = Field((), description="evaluation files: text, JSONL or Parquet; PATH or NAME=PATH")
    ngram_size: int = Field(13, ge=5, le=50, description="words in a row that give a document away (GPT-3: 13)")


class CleanConfig(StageConfig):
    """Repair, language, signals, masks, verdict.

    A threshold holds as `by_language` says, else as it is given here, else as the profile of the language says (see
    `thresholds`), else by its default.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    model: str = Field(
        "", description="fastText language model: lid.176, a path, URL or hf://OWNER/REPO/FILE; empty: ours"
    )
    languages: tuple[str, ...] = Field(
        (), description="ISO 639-3 codes to keep, with und texts of no recognised language too; empty: all"
    )
    undetermined: Literal["keep", "drop"] = Field(
        "keep", description="texts of no recognised language; a list of languages drops them unless it names und"
    )
    presets: tuple[Literal["gopher", "fineweb2", "c4", "boilerplate", "none"], ...] = Field(
        ("fineweb2", "boilerplate"), description="sets of rules that may drop, united"
    )
    rules: dict[str, str] = Field(
        {}, description="your own by name, `n_words < 20 and stop_word_share < 0.05`; or a preset's, changed or off"
    )
    thresholds: str = Field(
        "", description="profiles by language: TOML of jobs/fit_thresholds.py or FineWeb-2's YAML; empty: the shipped"
    )
    mask: tuple[Literal["email", "ip", "phone", "iban", "card"], ...] = Field(
        ("email", "ip", "phone", "iban", "card"), description="personal data to replace by placeholders"
    )
    classifiers: dict[str, str] = Field(
        {},
        description='learnt quality, a column score_NAME each: {"edu": "edu.ftz"}, of jobs/fit_classifier.py or any '
        "fastText classifier (PATH#LABEL); a path, URL or hf://OWNER/REPO/FILE",
    )
    score_thresholds: dict[str, float] = Field(
        {},
        description='of classifiers: {"edu": 0.3} drops what scores less; of a language: by_language, min_score_edu',
    )
    perplexity: str = Field(
        "", description="folder in cc_net's layout: LANGUAGE.arpa.bin and LANGUAGE.sp.model, cutoff.csv for buckets"
    )
    warn_kept_share: float = Field(
        0.1, ge=0, le=1, description="of a language: where a learnt score leaves less of it, the job's end names it"
    )
    decontaminate: DecontaminateConfig = DecontaminateConfig()
    opt_out: tuple[Literal["noai", "noimageai", "noindex", "tdm"], ...] = Field(
        ("noai", "tdm"), description="reservations of a page that drop it"
    )
    block_lists: tuple[str, ...] = Field((), description="files of hosts and URLs, or folders in UT1's layout")
    bad_words: tuple[str, ...] = Field((), description="files of bad words by language, or folders of LANGUAGE files")
    min_language_score: float = Field(0.3, ge=0, le=1, description="FineWeb-2's floor; its thresholds lie in 0.3-0.9")
    min_language_share: float = Field(0.5, ge=0, le=1, description="of a mixed page's main language")
    min_words: int = Field(50, ge=0, description="Gopher")
    max_words: int = Field(100_000, ge=1, description="Gopher")
    min_mean_word_length: float = Field(2, ge=0, description="FineWeb-2's usual value; Gopher's 3 for English")
    max_mean_word_length: float = Field(15, gt=0, description="above FineWeb-2's median 9; Gopher's 10 for English")
    max_hash_to_word_ratio: float = Field(0.1, ge=0, description="Gopher: # signs a word")
    max_ellipsis_to_word_ratio: float = Field(0.1, ge=0, description="Gopher")
    max_bullet_line_share: float = Field(0.9, ge=0, le=1, description="Gopher")
    max_ellipsis_line_share: float = Field(0.3, ge=0, le=1, description="Gopher")
    min_alpha_word_share: float = Field(
        0.7, ge=0, le=1, description="FineWeb-2's 10th percentile; Gopher's 0.8, English"
    )
    min_stop_words: int = Field(2, ge=0, description="Gopher; only languages with a list have stop words")
    max_dup_line_share: float = Field(0.3, ge=0, le=1, description="Gopher")
    max_dup_line_char_share: float = Field(0.2, ge=0, le=1, description="Gopher")
    max_dup_paragraph_share: float = Field(0.3, ge=0, le=1, description="Gopher")
    max_dup_paragraph_char_share: float = Field(0.2, ge=0, le=1, description="Gopher")
    max_top_2gram_char_share: float = Field(0.20, ge=0, description="Gopher")
    max_top_3gram_char_share: float = Field(0.18, ge=0, description="Gopher")
    max_top_4gram_char_share: float = Field(0.16, ge=0, description="Gopher")
    max_dup_5gram_char_share: float = Field(0.15, ge=0, description="Gopher")
    max_dup_6gram_char_share: float = Field(0.14, ge=0, description="Gopher")
    max_dup_7gram_char_share: float = Field(0.13, ge=0, description="Gopher")
    max_dup_8gram_char_share: float = Field(0.12, ge=0, description="Gopher")
    max_dup_9gram_char_share: float = Field(0.11, ge=0, description="Gopher")
    max_dup_10gram_char_share: float = Field(0.10, ge=0, description="Gopher")
    min_line_punct_share: float = Field(
        0, ge=0, le=1, description="off, as for most of FineWeb-2; FineWeb's 0.12, English"
    )
    max_char_dup_share: float = Field(0.1, ge=0, le=1, description="FineWeb-2; FineWeb's 0.01 for English")
    max_newline_to_word_ratio: float = Field(0.3, ge=0, description="FineWeb")
    max_symbol_char_share: float = Field(0.1, ge=0, le=1, description="ours: 99.9 % of good texts stay below 0.04")
    min_stop_word_share: float = Field(0, ge=0, le=1, description="ours: off, but in the profiles of languages")
    max_words_a_sentence: float = Field(1000, ge=1, description="ours: stricter in the profiles of languages")
    max_space_to_word_ratio: float = Field(1e6, ge=0, description="ours: off, but in profiles of unspaced scripts")
    max_c4_policy_line_share: float = Field(0.3, ge=0, le=1, description="ours: C4 cuts the lines")
    max_c4_javascript_line_share: float = Field(0.3, ge=0, le=1, description="ours: C4 cuts the lines")
    min_c4_sentences: int = Field(5, ge=0, description="C4, of the lines that it keeps")
    max_bad_words: int = Field(0, ge=0, description="C4: a single one drops")
    text_seconds: float = Field(
        10, gt=0, description="CPU seconds a text may cost, and four a mebibyte; more drop it (failed:STEP)"
    )
    max_failed_text_share: float = Field(
        0.1, gt=0, le=1, description="of texts that our code fails on; above it, and ten, the job stops as at a bug"
    )
    by_language: dict[str, dict[str, Annotated[float | tuple[str, ...], BeforeValidator(_no_truth)]]] = Field(
        {}, description="thresholds and stop_words of a language (eng), language_Script (srp_Cyrl) or script (Thai)"
    )

    @field_validator("languages")
    @classmethod
    def _languages_exist(cls, codes: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for code in () if info.data.get("model") else codes:  # for another model: check_languages
            _require_language(code, LANGUAGES)
        return codes

    @field_validator("rules", mode="before")
    @classmethod
    def _rules_are_named(cls, given: Any) -> Any:
        if isinstance(given, list | tuple):  # as it was before presets
            raise UserError('sets of rules are named in presets; a rule of your own is [clean.rules] name = "..."')
        return given

    @field_validator("classifiers")
    @classmethod
    def _classifiers_are_named(cls, given: dict[str, str]) -> dict[str, str]:
        for name, place in given.items():
            if not CLASSIFIER.fullmatch(name):
                raise UserError(
                    f"classifiers.{name}: a name is of a-z, 0-9 and _, 40 at most: its column is score_NAME"
                )
            if not place:
                raise UserError(f"classifiers.{name}: give a path, URL or hf://OWNER/REPO/FILE")
        return given

    @model_validator(mode="after")
    def _all_is_known(self) -> "CleanConfig":
        for name, least in self.score_thresholds.items():
            if name not in self.classifiers:
                raise UserError(
                    f"score_thresholds.{name}: there is no such classifier{nearest(name, self.classifiers)}"
                )
            if not 0 <= least <= 1:
                raise UserError(f"score_thresholds.{name} = {least:g}: scores are shares of a language, 0 to 1")
        if "none" in self.presets and len(self.presets) > 1:
            raise UserError("presets: none stands alone; leave it out or leave out the others")
        self.chosen_rules()
        known = [*self.threshold_names(), *self.score_threshold_names()]
        for key, values in self.by_language.items():
            language, script = _parts(key)
            if (language or not script) and not self.model:
                _require_language(language, LANGUAGES)
            if script and script not in SCRIPTS:
                meant = min(scripts_of_label(f"{UNKNOWN}_{script}"))  # Hans and Hant are Hani
                raise UserError(f"by_language.{key}: no text has the script {script!r}{nearest(meant, SCRIPTS)}")
            for name, value in values.items():
                _check_of_language(f"by_language.{key}.{name}", name, value, known)
            if wrong := crossed(self.given() | _numbers(values)):
                raise UserError(f"by_language.{key}: {wrong}; change one of the two")
        if wrong := crossed({name: float(getattr(self, name)) for name in self.threshold_names()}):
            raise UserError(f"{wrong}; change one of the two")
        return self

    def check_languages(self, known: Collection[str]) -> None:
        """Of the languages that `languages` and `by_language` name: UserError for one outside `known`, the ISO 639-3
        codes that the model can give."""
        named = [("languages", code) for code in self.languages]
        named += [(f"by_language.{key}", language) for key in self.by_language if (language := _parts(key)[0])]
        for field, code in named:
            _require_language(code, known, f"[clean] {field}: {self.model or 'the model'} knows")

    @classmethod
    def threshold_names(cls) -> list[str]:
        """Names of the fields that a language may override."""
        found = [name for name in cls.model_fields if name.startswith(("min_", "max_"))]
        return [name for name in found if name != "max_failed_text_share"]

    def score_threshold_names(self) -> list[str]:
        """Of the classifiers, that a language may override too."""
        return [f"{THRESHOLD}{name}" for name in self.classifiers]

    def score_fields(self) -> tuple[tuple[str, pa.DataType, str], ...]:
        """Name, type and meaning of the columns that learnt models add to the table."""
        return score_fields(tuple(self.classifiers), bool(self.perplexity))

    def chosen_rules(self) -> tuple[Rule, ...]:
        """The rules in force, in order. UserError names one that is none."""
        return chosen(
            self.presets,
            self.rules,
            self.threshold_names(),
            learnt=self.score_fields(),
            languages=self.languages,
            undetermined=self.undetermined,
            opt_out=self.opt_out,
        )

    def limits(self, profiles: Profiles) -> Thresholds:
        """The thresholds in force, with the profiles that `thresholds` names."""
        names = self.threshold_names()
        given = {key: _numbers(values) for key, values in self.by_language.items()}
        defaults = {name: float(self.__class__.model_fields[name].default) for name in names}
        defaults |= dict.fromkeys(self.score_threshold_names(), 0.0)
        return Thresholds(given, self.given(), profiles.thresholds, defaults)

    def given(self) -> dict[str, float]:
        """The thresholds that the user has set for all languages: they go over the profiles."""
        given = {name: float(getattr(self, name)) for name in self.threshold_names() if name in self.model_fields_set}
        return given | {f"{THRESHOLD}{name}": value for name, value in self.score_thresholds.items()}

    def stop_words(self, profiles: Profiles) -> dict[str, tuple[str, ...]]:
        """By key: the profiles' lists, and over them those of by_language."""
        given = {key: values[STOP_WORDS] for key, values in self.by_language.items() if STOP_WORDS in values}
        return profiles.stop_words | {key: folded(words) for key, words in given.items() if isinstance(words, tuple)}


def _parts(key: str) -> tuple[str, str]:
    """Language and script of a key of by_language, "" for what it leaves out."""
    language, _, script = ("", "", key) if len(key) == 4 and key.istitle() else key.partition("_")
    return language, script


def _numbers(values: Mapping[str, float | tuple[str, ...]]) -> dict[str, float]:
    """The thresholds of a section of by_language."""
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def _check_of_language(where: str, name: str, value: Any, known: list[str]) -> None:
    """A value of by_language must be what its field takes for all languages."""
    if name == STOP_WORDS:
        if not isinstance(value, tuple):
            raise UserError(f"{where} is no list of words")
        return
    if name not in known:
        raise UserError(f"{where} is no threshold{nearest(name, [*known, STOP_WORDS])}")
    field = CleanConfig.model_fields.get(name)
    kind: Any = Annotated[(field.annotation, *field.metadata)] if field else Annotated[float, Field(ge=0, le=1)]
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise UserError(f"{where} = {shown(value)}: {error.errors()[0]['msg']}") from None


class DedupConfig(StageConfig):
    """Exact copies, then MinHash-LSH candidates, then their true similarity.

    P(candidate | Jaccard s) = 1 - (1 - s^rows)^bands. With 20 x 6: 0.01 at s = 0.3, 0.27 at 0.5, 0.92 at 0.7, 0.998 at
    0.8, 1.000 at 0.9. A false candidate costs one comparison of shingles, a missed one is a duplicate that stays, so
    the curve is set to miss little.
    """

    threshold: float = Field(0.8, gt=0, le=1, description="similarity from which a text is a near-duplicate")
    verify: Literal["jaccard", "containment", "none"] = Field(
        "jaccard",
        description="what candidates are compared by: shared shingles of all, of the shorter text's, not at all",
    )
    num_perm: int = Field(120, ge=1, le=MAX_PERM, description="permutations, at most")
    bands: int | None = Field(None, ge=1, description="LSH bands; unset: datasketch's optimum for threshold, num_perm")
    rows: int | None = Field(None, ge=1, description="hashes a band, set together with bands (FineWeb: 14 x 8)")
    false_negative_weight: float = Field(
        0.998, gt=0, lt=1, description="of datasketch's optimum: what a missed pair weighs beside a false candidate"
    )
    ngram_size: int = Field(5, ge=1, le=50, description="words a shingle, characters in unspaced scripts (FineWeb: 5)")
    min_shingles: int = Field(10, ge=1, description="texts with fewer distinct shingles are compared exactly only")
    scheme: Literal["affine32", "affine64"] = Field("affine32", description="datasketch's permutation scheme")
    seed: int = Field(1, ge=0, lt=1 << 32, description="of the permutations (datasketch: 1)")
    max_bucket: int = Field(
        24, ge=2, le=1000, description="texts in a bucket that are all compared; a larger one is compared along chains"
    )
    unlike: Literal["keep", "drop"] = Field(
        "keep",
        description="pages of a cluster that are less like its kept copies than threshold: kept, too, or dropped",
    )
    one_task_documents: int = Field(
        1_000_000,
        ge=0,
        description="so many are clustered in one task, in 1 GB a million; more in as many as there are",
    )
    against: tuple[str, ...] = Field((), description="roots of earlier crawls: their copies stay, new ones go")
    quality_column: str = Field(
        "", description="a number for each text: of copies the one with the highest stays first"
    )
    scope: Literal["document", "line", "paragraph", "substring"] = Field(
        "document",
        description="line: first cut lines that repeat on many pages of a host; paragraph: paragraphs on many hosts; "
        "substring: look for passages that several of the kept pages share, byte for byte",
    )
    min_line_pages: int = Field(10, ge=2, description="scope line: on so many pages of the host with different texts")
    min_line_share: float = Field(0.01, ge=0, le=1, description="scope line: and on this share of them")
    min_paragraph_pages: int = Field(
        10, ge=2, le=1_000_000, description="scope paragraph: on so many pages, those of `against` counted"
    )
    min_paragraph_hosts: int = Field(3, ge=2, le=MOST_HASHES, description="scope paragraph: and on so many hosts")
    min_paragraph_letters: int = Field(
        60, ge=10, le=10_000, description="scope paragraph: of so many letters and digits, one of Han counts 3, kana 2"
    )
    substring_bytes: int = Field(
        200, ge=50, le=10_000, description="scope substring: UTF-8 bytes from which on a passage counts"
    )
    cut_substrings: bool = Field(
        False, description="scope substring: cut passages from all pages but the most preferred that has them"
    )
    text_seconds: float = Field(
        10, gt=0, description="CPU seconds the signature of a text may cost, and four a mebibyte; more drop it"
    )
    max_failed_text_share: float = Field(
        0.1, gt=0, le=1, description="of texts that our code fails on; above it, and ten, the job stops as at a bug"
    )

    @model_validator(mode="after")
    def _cuts_what_is_found(self) -> "DedupConfig":
        if self.cut_substrings and self.scope != "substring":
            raise UserError(f"cut_substrings cuts what scope = substring finds, and scope is {self.scope}: set it, too")
        return self

    @model_validator(mode="after")
    def _bands_times_rows(self) -> "DedupConfig":
        if (self.bands is None) != (self.rows is None):
            raise UserError("bands and rows belong together: give both or neither")
        if self.bands and self.rows and "num_perm" in self.model_fields_set and self.bands * self.rows != self.num_perm:
            raise UserError(f"num_perm = {self.num_perm} is not bands x rows = {self.bands} x {self.rows}; make it so")
        if self.bands and self.rows and self.bands * self.rows > MAX_PERM:
            raise UserError(
                f"bands x rows = {self.bands} x {self.rows} are more than {MAX_PERM} permutations; take fewer"
            )
        return self

    def shape(self) -> tuple[int, int]:
        """Bands and rows as given, or datasketch's optimum."""
        if self.bands and self.rows:
            return self.bands, self.rows
        if (self.threshold, self.num_perm, self.false_negative_weight) == (0.8, 120, 0.998):
            return 20, 6  # without the import
        return optimal_bands(self.threshold, self.num_perm, self.false_negative_weight)

    def hasher(self) -> MinHasher:
        beside = f"-min{self.min_shingles}"
        if self.scope == "line":
            beside += f"-lines{self.min_line_pages}-{self.min_line_share:g}"
        if self.scope == "paragraph":
            limits = self.min_paragraph_pages, self.min_paragraph_hosts, self.min_paragraph_letters
            beside += "-paragraphs" + "-".join(map(str, limits))
        return MinHasher(*self.shape(), self.ngram_size, self.scheme, self.seed, beside)


class PhaseConfig(StageConfig):
    """A part of a training run with a mixture of its own, as annealed training has it (mmBERT, Marone et al. 2025,
    arXiv 2509.06888: T = 1.43, 2 and 3.33 over 60, 110 and 1,833 languages). What it does not say is as in [sample]."""

    fraction: float = Field(gt=0, le=1, description="of the run's budget; all phases together are 1")
    method: Literal["temperature", "unimax", "natural", "weights"] = "temperature"
    temperature: float = Field(3.33, ge=1, le=1000)
    weights: dict[str, float] = {}
    languages: tuple[str, ...] = Field((), description="labels, languages or groups; empty: all")


class SampleConfig(StageConfig):
    """The mixture: how often each language is seen, which documents are, and the shards."""

    method: Literal["temperature", "unimax", "natural", "weights"] = Field(
        "temperature",
        description="temperature: share ~ size^(1/T); unimax: all the same under max_epochs (Chung et al. 2023); "
        "natural: as found; weights: as given",
    )
    temperature: float = Field(3.33, ge=1, le=1000, description="T, papers' 1/alpha: 3.33 is XLM-R's alpha of 0.3")
    weights: dict[str, float] = Field(
        {},
        description='of method weights: {"eng": 3, "srp_Cyrl": 1, "*": 2}, by label, language, group or * for others',
    )
    groups: dict[str, tuple[str, ...]] = Field(
        {}, description='names for sets of languages: {"slavic": ["rus", "pol"]}'
    )
    unit: Literal["bytes", "characters", "tokens"] = Field(
        "bytes", description="that sizes and budget are in: of UTF-8, or tokens of `tokenizer`"
    )
    tokenizer: str = Field("", description="folder of jobs/vocab.py or of Hugging Face, of unit tokens")
    max_epochs: float = Field(
        4, ge=1, description="of a language in a whole run; up to 4 cost little (Muennighoff et al. 2023)"
    )
    budget: int | None = Field(None, ge=1, description="of one run, in `unit`; unset: every document is seen once")
    min_documents: int = Field(1, ge=1, description="languages with fewer are left out")
    max_host_share: float = Field(
        1, ge=0.001, le=1, description="a host counts as at most this share of what there is of a language"
    )
    genre_lists: tuple[str, ...] = Field((), description="lists of hosts, domains and URLs, as block_lists: one genre")
    max_genre_share: float = Field(0.1, ge=0, le=1, description="the same for all documents on genre_lists together")
    upsampling: str = Field(
        "none",
        description="by minhash_cluster_size: none, fineweb2 (its table), or a CSV file of "
        "minhash_cluster_size,kept,dropped to fit its curve to",
    )
    score_column: str = Field("", description="a number for each text, as score_edu of clean, for score_weights")
    score_weights: dict[str, Annotated[float, Field(ge=0.01, le=100)]] = Field(
        {},
        description='how much more often texts are seen from a value of score_column on: {"0": 0.5, "0.8": 2}; '
        "texts without the number: 1",
    )
    schedule: tuple[PhaseConfig, ...] = Field(
        (), description='phases of a run in sequence: {"fraction": 0.8, "temperature": 1.43, "languages": ["eng"]}'
    )
    validation_share: float = Field(0.01, ge=0, lt=1, description="share of clusters held out")
    min_validation_documents: int = Field(20, ge=0, description="held out of a language, of a fifth of them at most")
    max_validation_bytes: int = Field(20_000_000, ge=0, description="held out of a language at most")
    shard_bytes: int = Field(256 << 20, ge=1 << 16, le=1 << 30, description="UTF-8 bytes of text a shard, about")
    row_group_rows: int = Field(1024, ge=1, description="rows a Parquet row group")
    seed: int = Field(0, ge=0, lt=1 << 61, description="of all choices")

    @model_validator(mode="after")
    def _fit_together(self) -> "SampleConfig":
        if (self.unit == "tokens") != bool(self.tokenizer):
            raise UserError("unit = tokens and a tokenizer go together: give both, or neither")
        given = [self.weights, *(phase.weights for phase in self.schedule)]
        if any(not 0 <= weight < float("inf") for weights in given for weight in weights.values()):
            raise UserError("weights must be 0 or more")
        if (self.method == "weights") != bool(self.weights) and not self.schedule:
            raise UserError("method = weights and weights go together: give both, or neither")
        if bool(self.score_column) != bool(self.score_weights):
            raise UserError("score_column and score_weights go together: give both, or neither")
        if len(self.score_weights) > MOST_SCORE_STEPS:
            raise UserError(f"score_weights has {len(self.score_weights)} steps; {MOST_SCORE_STEPS} are the most")
        for value in self.score_weights:
            if not re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", value):
                raise UserError(f"score_weights: {value!r} is no number from which on a weight holds")
        total = sum(phase.fraction for phase in self.schedule)
        if self.schedule and abs(total - 1) > 1e-6:
            raise UserError(f"the fractions of the schedule sum to {total:g}, not to 1")
        return self


class VocabConfig(StageConfig):
    """One vocabulary, learnt from a temperature-weighted sample of the documents' sentences."""

    model: Literal["unigram", "bpe", "wordpiece"] = Field(
        "unigram",
        description="unigram and bpe are SentencePiece's with byte fallback; wordpiece is multilingual BERT's",
    )
    vocab_size: int = Field(
        64_000, ge=300, le=1_000_000, description="rows, special tokens and bytes included, up to a multiple of 64"
    )
    character_coverage: float = Field(0.9995, ge=0.98, le=1, description="the rest goes to bytes, or is unknown")
    normalization: Literal["identity", "nfkc"] = Field(
        "identity", description="identity: every text comes back from its ids; nfkc folds forms of characters"
    )
    sample_characters: int = Field(
        150_000_000, ge=5_000, description="of documents to learn from; by bytes Thai would get a third of them"
    )
    temperature: float = Field(3.33, ge=1, le=1000, description="over languages, as in sample, by characters")
    max_sentence_bytes: int = Field(4096, ge=64, le=1 << 20, description="longer sentences are cut")
    num_threads: int = Field(8, ge=1, le=256, description="part of the definition: the model depends on it")
    spare_rows: int = Field(
        0, ge=0, le=10_000, description="rows without a use, at the end, for special tokens to come"
    )
    language_tokens: tuple[str, ...] = Field(
        (), description="special tokens <eng_Latn>: labels, or `all` of the sample"
    )
    extend: str = Field("", description="folder of a vocabulary whose ids stay; vocab_size is of both together")
    seed: int = Field(0, ge=0, lt=1 << 61, description="of the sample")


class Config(BaseModel):
    """All stages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    extract: ExtractConfig = ExtractConfig()
    clean: CleanConfig = CleanConfig()
    dedup: DedupConfig = DedupConfig()
    sample: SampleConfig = SampleConfig()
    vocab: VocabConfig = VocabConfig()


MODELS: dict[str, type[StageConfig]] = {
    "extract": ExtractConfig,
    "clean": CleanConfig,
    "dedup": DedupConfig,
    "sample": SampleConfig,
    "vocab": VocabConfig,
}


def _require_language(code: str, known: Collection[str], says: str = "there is") -> None:
    """UserError for a code that is not known, with those that may be meant."""
    if code not in known and code != UNKNOWN:
        alike = [language for language in nearest_languages(code) if language in known]
        alike += difflib.get_close_matches(code, sorted(known), n=3, cutoff=0.5)
        such = ", ".join(list(dict.fromkeys(alike))[:3])
        raise UserError(f"{says} no language {code!r}; use ISO 639-3{f', such as {such}' if such else ''}")


def shown(value: object) -> str:
    """A value as a message has it: JSON, cut at 60 characters."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
