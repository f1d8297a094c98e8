import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import MODELS, CleanConfig, Config, DecontaminateConfig, DedupConfig, SampleConfig
from pipeline.duplicates.minhash import candidate_probability, optimal_bands
from pipeline.flags import FOREIGN_SECTIONS, Parser, add_stage_flags, load, parse
from pipeline.language.labels import LANGUAGES
from pipeline.observed import logs
from pipeline.quality.profiles import Profiles
from pipeline.web.public import FLAG
from schemas.errors import UserError
from schemas.records import STAGES
from train.config.load import FOREIGN_TABLES
from train.config.tables import TABLES

# The command line is a promise: who renames or drops a flag breaks somebody's schedule.
FLAGS = {
    "extract": """engine markdown dump prefix sample limit block-lists languages max-page-bytes max-decompression-ratio
        max-tree-depth page-seconds page-memory-bytes split-bytes max-connections range-gap-bytes range-bytes
        retries user-agent
        max-failed-share""",
    "clean": """model languages undetermined presets rules thresholds mask classifiers score-thresholds perplexity
        warn-kept-share decontaminate.sources
        decontaminate.ngram-size opt-out block-lists bad-words min-language-score min-language-share min-words max-words
        min-mean-word-length max-mean-word-length
        max-hash-to-word-ratio max-ellipsis-to-word-ratio max-bullet-line-share max-ellipsis-line-share
        min-alpha-word-share min-stop-words max-dup-line-share max-dup-line-char-share max-dup-paragraph-share
        max-dup-paragraph-char-share max-top-2gram-char-share max-top-3gram-char-share max-top-4gram-char-share
        max-dup-5gram-char-share max-dup-6gram-char-share max-dup-7gram-char-share max-dup-8gram-char-share
        max-dup-9gram-char-share max-dup-10gram-char-share min-line-punct-share max-char-dup-share
        max-newline-to-word-ratio max-symbol-char-share min-stop-word-share max-words-a-sentence max-space-to-word-ratio
        max-c4-policy-line-share max-c4-javascript-line-share min-c4-sentences max-bad-words
        text-seconds max-failed-text-share by-language""",
    "dedup": """
        threshold verify num-perm bands rows false-negative-weight ngram-size min-shingles scheme seed max-bucket
        unlike one-task-documents against quality-column scope min-line-pages min-line-share
        min-paragraph-pages min-paragraph-hosts min-paragraph-letters substring-bytes cut-substrings text-seconds
        max-failed-text-share""",
    "sample": """
        method temperature weights groups unit tokenizer max-epochs budget min-documents max-host-share genre-lists
        max-genre-share upsampling score-column score-weights schedule validation-share min-validation-documents
        max-validation-bytes shard-bytes row-group-rows seed""",
    "vocab": """
        model vocab-size character-coverage normalization sample-characters temperature max-sentence-bytes num-threads
        spare-rows language-tokens extend seed""",
}


def flags_of(stages: list[str]) -> Parser:
    parser = Parser(prog="test", allow_abbrev=False)
    add_stage_flags(parser, stages)
    return parser


def from_flags(stages: list[str], *argv: str, config: Path | None = None) -> Config:
    args = vars(parse(flags_of(stages), argv))
    return load(str(config) if config else None, {name: value for name, value in args.items() if "." in name})


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "corpus.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(text: str, tmp_path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(str(toml(tmp_path, text)), {})
    assert type(caught.value) is UserError  # a subclass would end in a stack trace
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300
    return message


def flag_refusal(stages: list[str], *argv: str) -> str:
    with pytest.raises(UserError) as caught:
        from_flags(stages, *argv)
    assert type(caught.value) is UserError
    assert "\n" not in str(caught.value)
    return str(caught.value)


def dashed(parser: argparse.ArgumentParser) -> list[str]:
    known = [flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")]
    return [flag for flag in known if "_" not in flag and flag not in ("--help", FLAG, logs.FLAG)]


@pytest.mark.parametrize("stage", STAGES)
def test_the_flags_of_a_stage_s_job(stage: str) -> None:
    assert dashed(flags_of([stage])) == [f"--{name}" for name in FLAGS[stage].split()]


def test_the_flags_of_the_whole_corpus() -> None:
    names = {stage: FLAGS[stage].split() for stage in STAGES}
    everything = [name for stage in STAGES for name in names[stage]]
    expected = [f"--{stage}.{name}" for stage in STAGES for name in names[stage]]
    expected += [f"--{name}" for name in everything if everything.count(name) == 1]
    assert sorted(dashed(flags_of(list(STAGES)))) == sorted(expected)
    assert {name for name in everything if everything.count(name) > 1} == {
        "block-lists",
        "languages",
        "max-failed-text-share",
        "model",
        "seed",
        "temperature",
        "text-seconds",
    }


def test_help_shows_default_and_meaning() -> None:
    text = flags_of(["dedup"]).format_help()
    assert "permutations, at most [120]" in " ".join(text.split())


def test_flags_over_toml_over_defaults(tmp_path: Path) -> None:
    path = toml(tmp_path, "[sample]\nseed = 5\ntemperature = 2.0\n[dedup]\nngram_size = 13\n")
    config = from_flags(["sample"], "--seed", "7", config=path)
    assert (config.sample.seed, config.sample.temperature, config.dedup.ngram_size) == (7, 2.0, 13)
    assert config.sample.max_epochs == SampleConfig().max_epochs
    assert from_flags(["sample"]) == Config()


def test_a_recipe_is_one_file_for_both_wings(tmp_path: Path) -> None:
    """The tables that train/ reads are passed over, by their names alone."""
    others = "[model]\nhidden_size = 8\n[data]\n[optim]\n[objectives.nsp]\n[run]\nsteps = 3\n"
    path = toml(tmp_path, f'preset = "tiny"\n[sample]\nseed = 5\n{others}')
    assert from_flags(["sample"], config=path).sample.seed == 5
    assert set(FOREIGN_SECTIONS) == {"preset", "objectives", *TABLES}
    assert FOREIGN_TABLES == STAGES and not set(FOREIGN_SECTIONS) & set(STAGES)


def test_dashes_underscores_and_sections() -> None:
    every = list(STAGES)
    spellings = (["--ngram-size", "7"], ["--ngram_size", "7"], ["--ngram_size=7"], ["--dedup.ngram-size", "7"],
                 ["--dedup.ngram_size=7"])  # fmt: skip
    assert [from_flags(every, *argv).dedup.ngram_size for argv in spellings] == [7] * 5
    config = from_flags(every, "--dedup.seed", "3", "--vocab.seed", "4")
    assert (config.dedup.seed, config.sample.seed, config.vocab.seed) == (3, 0, 4)
    assert "--seed" in flag_refusal(every, "--seed", "3")  # whose?


def test_values_of_every_kind() -> None:
    config = from_flags(["clean"], "--languages", "eng, tha,cmn", "--presets", "gopher,c4", "--min-words", "5")
    assert config.clean.languages == ("eng", "tha", "cmn")
    assert config.clean.presets == ("gopher", "c4")
    assert config.clean.min_words == 5
    assert from_flags(["clean"], "--opt-out", "").clean.opt_out == ()
    given = from_flags(
        ["clean"], "--by-language", '{"srp_Cyrl": {"min_words": 9}, "eng": {"stop_words": ["The", "of"]}}'
    )
    assert given.clean.by_language == {"srp_Cyrl": {"min_words": 9}, "eng": {"stop_words": ("The", "of")}}
    rules = from_flags(["clean"], "--rules", '{"few": "n_words < 20"}').clean.rules
    assert rules == {"few": "n_words < 20"}
    assert from_flags(["sample"], "--budget", "100").sample.budget == 100
    assert from_flags(["sample"], "--budget", "none").sample.budget is None
    phases = ['{"fraction": 0.75, "languages": ["eng", "tha"]}', '{"fraction": 0.25, "method": "unimax"}']
    first, second = from_flags(["sample"], "--schedule", *phases).sample.schedule
    assert first.languages == ("eng", "tha") and (second.fraction, second.method) == (0.25, "unimax")
    weighted = from_flags(["sample"], "--method", "weights", "--weights", '{"eng": 3, "*": 1}').sample
    assert weighted.weights == {"eng": 3.0, "*": 1.0}
    assert from_flags(["extract"], "--dump", "none").extract.dump == "none"


def test_sections_inside_a_stage_s(tmp_path: Path) -> None:
    path = toml(tmp_path, '[clean]\ndecontaminate.sources = ["a.jsonl"]\n')
    assert load(str(path), {}).clean.decontaminate.sources == ("a.jsonl",)
    path = toml(tmp_path, '[clean.decontaminate]\nsources = ["a.jsonl"]\nngram_size = 8\n')
    for flag in ("--decontaminate.sources", "--clean.decontaminate.sources"):
        found = from_flags(list(STAGES), flag, "b.jsonl,x=c.txt", config=path).clean.decontaminate
        assert found == DecontaminateConfig(sources=("b.jsonl", "x=c.txt"), ngram_size=8)
    assert from_flags(["clean"], "--decontaminate.ngram-size=20").clean.decontaminate.ngram_size == 20


def test_what_the_user_has_said_for_all_languages(tmp_path: Path) -> None:
    """It goes over the profiles, even where it equals a default; what was not said does not."""
    path = toml(tmp_path, "[clean]\nmin_words = 50\n")
    assert from_flags(["clean"], "--max-words", "99", config=path).clean.given() == {"min_words": 50, "max_words": 99}
    assert CleanConfig().given() == {}


def test_thresholds_and_stop_words_over_profiles() -> None:
    profiles = Profiles({"eng": {"min_words": 30.0}}, {"eng": ("the",), "deu": ("der",)}, "")
    config = CleanConfig(by_language={"eng_Latn": {"min_words": 20, "stop_words": ("Of", "of")}})
    limits = config.limits(profiles)
    found = [limits.of("min_words", *pair, {}) for pair in (("eng", "Latn"), ("eng", "Cyrl"), ("deu", "Latn"))]
    assert found == [20, 30, 50]
    assert config.stop_words(profiles) == {"eng": ("the",), "deu": ("der",), "eng_Latn": ("of",)}


def test_a_threshold_of_a_language_may_pass_the_default_of_another() -> None:
    """A profile may have moved the other one."""
    assert CleanConfig(by_language={"tha": {"min_mean_word_length": 16}}).by_language
    assert CleanConfig(min_words=9, by_language={"eng": {"max_words": 9}}).by_language


MODEL_CODES = ("cmn", "eng", "nld", "tpi")  # of a model that is not the embedded one


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"languages": ("eng", "english")}, ["[clean] languages: x.bin knows no language 'english'", "such as eng"]),
        ({"languages": ("en",)}, ["no language 'en'", "such as eng"]),
        ({"languages": ("zho",)}, ["no language 'zho'", "such as cmn"]),
        ({"languages": ("tpl",)}, ["no language 'tpl'", "such as tpi"]),
        ({"languages": ("deu",)}, ["no language 'deu'; use ISO 639-3"]),
        ({"by_language": {"egn_Latn": {"min_words": 9}}}, ["[clean] by_language.egn_Latn: x.bin", "such as eng"]),
    ],
)
def test_languages_that_the_model_does_not_know(config: dict[str, Any], named: list[str]) -> None:
    settings = CleanConfig(model="x.bin", **config)
    with pytest.raises(UserError) as caught:
        settings.check_languages(MODEL_CODES)
    message = str(caught.value)
    assert [part for part in named if part not in message] == [] and "\n" not in message, message


def test_languages_that_the_model_knows() -> None:
    settings = CleanConfig(
        model="x.bin",
        languages=("tpi", "und"),
        by_language={"tpi_Latn": {"min_words": 9}, "Thai": {"min_words": 9}, "und": {"min_words": 9}},
    )
    settings.check_languages(MODEL_CODES)
    CleanConfig(languages=("eng", "und")).check_languages(LANGUAGES)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[dedupe]\n", ["[dedupe]", "did you mean dedup?", "corpus.toml"]),
        ("[modle]\n", ["unknown section [modle]", "did you mean model?"]),
        ("[pretrain]\nsteps = 3\n", ["unknown section [pretrain]"]),
        ("dedup = 3\n", ["dedup must be a section", "[dedup]"]),
        ("[dedup]\nngram = 5\n", ["unknown key dedup.ngram", "did you mean ngram_size?"]),
        ("[clean]\nmin_word = 5\n", ["unknown key clean.min_word", "did you mean min_words?"]),
        ("[clean]\nmin_language_score = 1.5\n", ["clean.min_language_score = 1.5", "less than or equal to 1"]),
        ("[clean]\nmin_words = -1\n", ["clean.min_words = -1", "greater than or equal to 0"]),
        ('[clean]\nmin_words = "many"\n', ['clean.min_words = "many"', "integer"]),
        ('[clean]\nlanguages = ["en"]\n', ["clean.languages", "no language 'en'", "such as eng"]),
        ('[clean]\nlanguages = ["zho"]\n', ["no language 'zho'", "such as cmn"]),
        ("[clean]\nmin_words = 200000\n", ["clean: min_words = 200000 is above max_words = 100000"]),
        ("[clean]\nmin_mean_word_length = 16\n", ["min_mean_word_length = 16 is above max_mean_word_length = 15"]),
        ("[clean]\nmin_words = true\n", ["clean.min_words = true", "not true or false"]),
        ("[clean]\nmax_newline_to_word_ratio = inf\n", ["clean.max_newline_to_word_ratio = Infinity", "finite"]),
        ("[clean]\nmax_newline_to_word_ratio = nan\n", ["clean.max_newline_to_word_ratio = NaN"]),
        ("[clean.by_language.eng]\nmin_words = true\n", ["clean.by_language.eng.min_words = true", "not true or"]),
        ("[clean.by_language.eng]\nmax_symbol_char_share = inf\n", ["clean.by_language.eng.max_symbol", "finite"]),
        ("[clean.by_language.eng]\nmin_words = 9\nmax_words = 3\n", ["by_language.eng: min_words = 9 is above"]),
        ("[clean]\nmax_words = 99\n[clean.by_language.eng]\nmin_words = 100\n", ["by_language.eng: min_words = 100"]),
        ('[clean]\nrules = ["gopher_quality"]\n', ["clean.rules", "presets", '[clean.rules] name = "..."']),
        ('[clean]\npresets = ["goper"]\n', ['clean.presets.0 = "goper"', "'gopher'", "'fineweb2'"]),
        ('[clean]\npresets = ["none", "c4"]\n', ["clean: presets: none stands alone"]),
        ('[clean.rules]\nfew = "n_wrods < 3"\n', ["rules.few", "signal or threshold 'n_wrods'", "mean n_words?"]),
        ('[clean.rules]\nfew = "n_words <"\n', ["rules.few: n_words < is no expression"]),
        ('[clean.rules]\nfew = "n_words"\n', ["rules.few: n_words is a number"]),
        ("[clean.rules]\nfew = 3\n", ["clean.rules.few = 3", "string"]),
        ('[clean.rules]\n"gopher_quality:few_wrods" = "off"\n', ["did you mean gopher_quality:too_few_words?"]),
        ('[clean.rules]\nfwe = "off"\n', ["rules.fwe: there is no such rule to turn off"]),
        ('[clean.rules]\nempty = "off"\n', ["rules.empty: this rule stays"]),
        ('[clean]\nmask = ["emial"]\n', ['clean.mask.0 = "emial"', "'email'"]),
        ('[clean]\nopt_out = "noai"\n', ["clean.opt_out", "tuple"]),
        ('[clean]\nundetermined = "maybe"\n', ["clean.undetermined", "'keep' or 'drop'"]),
        ("[clean]\ndecontaminate = 3\n", ["clean.decontaminate = 3"]),
        ("[clean.decontaminate]\nsource = []\n", ["unknown key clean.decontaminate.source", "mean sources?"]),
        ("[clean.decontaminate]\nngram_size = 1\n", ["clean.decontaminate.ngram_size = 1", "equal to 5"]),
        ('[clean.by_language.tha]\nstop_words = "a"\n', ['clean.by_language.tha.stop_words = "a"']),
        ("[clean.by_language.tha]\nstop_words = 3\n", ["by_language.tha.stop_words is no list of words"]),
        ("[clean.by_language.tha]\nstop_wrods = []\n", ["stop_wrods is no threshold; did you mean stop_words?"]),
        ("[clean.by_language.tha]\nmin_words = []\n", ["clean: by_language.tha.min_words = []"]),
        ("[clean.by_language.tha]\nmin_wrods = 5\n", ["by_language.tha.min_wrods", "did you mean min_words?"]),
        ("[clean.by_language.tha]\nlanguages = 5\n", ["by_language.tha.languages is no threshold"]),
        ("[clean.by_language.tha]\nmin_alpha_word_share = 7\n", ["min_alpha_word_share = 7", "equal to 1"]),
        ("[clean.by_language.tha]\nmin_words = 5.5\n", ["by_language.tha.min_words = 5.5", "integer"]),
        ('[clean.by_language.tha]\nmin_words = "x"\n', ['clean.by_language.tha.min_words = "x"', "number"]),
        ("[clean.by_language.thai]\nmin_words = 5\n", ["no language 'thai'", "tha"]),
        ("[clean.by_language.Thia]\nmin_words = 5\n", ["by_language.Thia", "script 'Thia'", "did you mean Thai?"]),
        ("[clean.by_language.srp_Cyril]\nmin_words = 5\n", ["script 'Cyril'", "did you mean Cyrl?"]),
        ("[clean.by_language.Hans]\nmin_words = 5\n", ["script 'Hans'", "did you mean Hani?"]),
        ("[dedup]\nbands = 9\n", ["dedup: bands and rows belong together"]),
        ("[dedup]\nbands = 9\nrows = 8\nnum_perm = 112\n", ["num_perm = 112 is not bands x rows = 9 x 8"]),
        ("[dedup]\nbands = 900\nrows = 8\n", ["bands x rows = 900 x 8 are more than 4096"]),
        ("[dedup]\nthreshold = 0\n", ["dedup.threshold = 0", "greater than 0"]),
        ("[dedup]\nthreshold = 1.01\n", ["dedup.threshold = 1.01", "less than or equal to 1"]),
        ('[dedup]\nverify = "cosine"\n', ['dedup.verify = "cosine"', "containment"]),
        ('[dedup]\nscheme = "md5"\n', ['dedup.scheme = "md5"', "'affine32' or 'affine64'"]),
        ("[sample]\ntemperature = 0.5\n", ["sample.temperature = 0.5", "greater than or equal to 1"]),
        ("[sample]\ntemperature = nan\n", ["sample.temperature = NaN"]),
        ("[dedup\n", ["corpus.toml", "not readable as TOML", "line 1"]),
    ],
)  # fmt: skip
def test_one_line_names_key_and_way_out(text: str, named: list[str], tmp_path: Path) -> None:
    message = refusal(text, tmp_path)
    assert [part for part in named if part not in message] == [], message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.toml: no such file"):
        load(str(tmp_path / "absent.toml"), {})
    with pytest.raises(UserError, match="not readable as TOML"):
        load(str(tmp_path), {})
    (tmp_path / "latin.toml").write_bytes("# Größe\n".encode("latin-1"))
    with pytest.raises(UserError, match="not readable as TOML") as caught:
        load(str(tmp_path / "latin.toml"), {})
    assert type(caught.value) is UserError


@pytest.mark.parametrize(
    ("stages", "argv", "named"),
    [
        (["dedup"], ["--ngram-sise", "5"], ["unknown flag", "--ngram-sise", "did you mean --ngram-size?"]),
        (["dedup"], ["--ngram-sise=5"], ["--ngram-sise", "did you mean --ngram-size?"]),
        (["dedup"], ["--ngram", "5"], ["--ngram", "--ngram-size"]),  # no abbreviations
        (["dedup", "vocab"], ["--dedupe.bands", "5"], ["did you mean --dedup.bands?"]),
        (["dedup"], ["extra"], ["unknown flag or argument extra", "--help"]),
        (["dedup"], ["--bands"], ["--bands", "expected one argument"]),
        (["dedup"], ["--bands", "many"], ['dedup.bands = "many"', "integer"]),
        (["clean"], ["--min-words", "-5"], ['clean.min_words = "-5"', "greater than or equal to 0"]),
        (["clean"], ["--languages", "eng,xx"], ["no language 'xx'"]),
        (["clean"], ["--by-language", "{"], ["--by-language: not JSON"]),
        (["clean"], ["--rules", "n_words < 3"], ["--rules: not JSON"]),
        (["clean"], ["--rules", '{"a": "x < 3"}'], ["rules.a: there is no signal or threshold 'x'"]),
        (["clean"], ["--decontaminate", "x"], ["--decontaminate", "did you mean --decontaminate."]),
        (["clean"], ["--by-language", "[1]"], ["clean.by_language", "dict"]),
        (["vocab"], ["--vocab-size", "none"], ['vocab.vocab_size = "none"']),
    ],
)
def test_flags_are_refused_in_one_line(stages: list[str], argv: list[str], named: list[str]) -> None:
    message = flag_refusal(stages, *argv)
    assert [part for part in named if part not in message] == [], message


def test_bands_and_rows() -> None:
    """As given, or datasketch's optimum; the default is the optimum too, without its import."""
    from datasketch import MinHashLSH

    assert "give both or neither" in flag_refusal(["dedup"], "--bands", "20")
    assert "make it so" in flag_refusal(["dedup"], "--bands", "20", "--rows", "5", "--num-perm", "99")
    assert from_flags(["dedup"], "--bands", "20", "--rows", "5", "--num-perm", "100").dedup.shape() == (20, 5)
    assert from_flags(["dedup"], "--bands", "14", "--rows", "8").dedup.shape() == (14, 8)
    weights = ["--false-negative-weight", "0.5"]
    lsh = MinHashLSH(threshold=0.7, num_perm=128)
    assert from_flags(["dedup"], "--threshold", "0.7", "--num-perm", "128", *weights).dedup.shape() == (lsh.b, lsh.r)
    assert DedupConfig().shape() == optimal_bands(0.8, 120, 0.998) == (20, 6)
    assert DedupConfig(threshold=1).shape() == (1, 120)


def test_several_values_of_a_flag() -> None:
    for argv in (["--against", "a,b"], ["--against", "a", "b"], ["--against", "a", "--against", "b"]):
        assert from_flags(["dedup"], *argv).dedup.against == ("a", "b")


def test_the_curve_in_the_docstring() -> None:
    bands, rows = DedupConfig().shape()
    stated = {0.3: 0.01, 0.5: 0.27, 0.7: 0.92}
    assert {s: round(candidate_probability(s, bands, rows), 2) for s in stated} == stated
    assert round(candidate_probability(0.8, bands, rows), 3) == 0.998
    text = " ".join((DedupConfig.__doc__ or "").split())
    assert "With 20 x 6: 0.01 at s = 0.3, 0.27 at 0.5, 0.92 at 0.7, 0.998 at 0.8, 1.000 at 0.9." in text


def test_settings_do_not_change_and_survive_json() -> None:
    config = Config()
    with pytest.raises(ValueError, match="frozen"):
        config.dedup.bands = 3  # type: ignore[misc]
    for stage, model in MODELS.items():
        settings = getattr(config, stage)
        assert model.model_validate(json.loads(json.dumps(settings.model_dump(mode="json")))) == settings


@pytest.mark.parametrize(
    ("flag", "value"),
    [(["--markdown"], True), (["--markdown", "true"], True), (["--markdown", "false"], False), ([], False)],
)
def test_a_flag_that_is_a_truth_needs_no_value(flag: list[str], value: bool) -> None:
    parser = Parser(allow_abbrev=False)
    add_stage_flags(parser, ["extract"])
    assert load(None, {"extract.markdown": vars(parse(parser, flag))["extract.markdown"]}).extract.markdown is value


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"extract.markdown": "true", "extract.engine": "resiliparse"}, "blocks or trafilatura"),
        ({"extract.markdown": "perhaps"}, "extract.markdown"),
    ],
)
def test_markdown_is_refused_in_one_line(flags: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        load(None, flags)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('classifiers = {"Edu X" = "a.ftz"}', "classifiers.Edu X: a name is of a-z"),
        ('classifiers = {edu = ""}', "classifiers.edu: give a path, URL"),
        ("score_thresholds = {edu = 0.3}", "score_thresholds.edu: there is no such classifier"),
        ('classifiers = {edu = "a.ftz"}\nscore_thresholds = {edv = 0.3}', "did you mean edu?"),
        ('classifiers = {edu = "a.ftz"}\nscore_thresholds = {edu = 1.5}', "edu = 1.5: scores are shares of a language"),
        (
            'classifiers = {edu = "a.ftz"}\nby_language = {deu = {min_score_edu = -1}}',
            "deu.min_score_edu = -1",
        ),
        ("by_language = {deu = {min_score_edu = 0.5}}", "min_score_edu is no threshold"),
        ('rules = {low = "score_edu < 0.3"}', "score_edu"),
        ("rules = {tail = \"perplexity_bucket == 'tail'\"}", "perplexity_bucket"),
    ],
)
def test_learnt_scores_that_are_none(section: str, said: str, tmp_path: Path) -> None:
    assert said in refusal(f"[clean]\n{section}\n", tmp_path)


def test_learnt_scores_by_language(tmp_path: Path) -> None:
    text = """[clean]
classifiers = {edu = "a.ftz"}
score_thresholds = {edu = 0.3}
perplexity = "lm"
rules = {tail = 'perplexity_bucket == "tail"', "score:edu" = "score_edu < min_score_edu and n_words > 9"}
by_language = {deu = {min_score_edu = 0.5}}
"""
    clean = load(str(toml(tmp_path, text)), {}).clean
    limits = clean.limits(Profiles({}, {}, ""))
    assert limits.told("min_score_edu", "deu", "Latn", {}) == (0.5, "by_language.deu")
    assert limits.told("min_score_edu", "fra", "Latn", {}) == (0.3, "config")
    assert [rule.reason for rule in clean.chosen_rules()][-2:] == ["rule:tail", "score:edu"]
    assert [name for name, _, _ in clean.score_fields()] == ["score_edu", "perplexity", "perplexity_bucket"]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('score_column = "score_edu"', "score_column and score_weights go together"),
        ('score_column = "s"\nscore_weights = {high = 2}', "score_weights: 'high' is no number from which on"),
        ('score_column = "s"\nscore_weights = {"0.5" = 0}', "score_weights"),
        (
            'score_column = "s"\n[sample.score_weights]\n' + "\n".join(f'"{i}" = 1' for i in range(16)),
            "15 are the most",
        ),
    ],
)
def test_score_weights_that_are_none(section: str, said: str, tmp_path: Path) -> None:
    assert said in refusal(f"[sample]\n{section}\n", tmp_path)
