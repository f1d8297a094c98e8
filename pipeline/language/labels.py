"""Codes of languages: what models call them, what we call them, and which scripts they are written in.

The shipped model's labels are those of `languages.json`. Codes are ISO 639-3 with the individual language that
FineWeb-2 uses for a macrolanguage: `zh` and `zho` are cmn, `ar` arb. Labels of lid.176 are
Wikipedia's codes; OpenLID, NLLB and GlotLID write ISO 639-3 with an ISO 15924 script.
"""

import difflib
import json
from pathlib import Path

PREFIX = "__label__"
NO_LANGUAGE = "zxx"  # ISO 639-3's own, of what is no language: menus, code, keys, tables, markup

# lid.176's labels. Not what they seem: als is Alemannic, bh Bihari (most of it Bhojpuri), sh Serbo-Croatian, qu (no
# Wikipedia of its own standard) Ayacucho as in FLORES.
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

# The shipped model's labels, with what jobs/fit_language.py says of each.
TABLE = Path(__file__).with_name("languages.json")
SHIPPED_LABELS: tuple[str, ...] = tuple(json.loads(TABLE.read_text(encoding="utf-8")))
LANGUAGES = frozenset(label.partition("_")[0] for label in SHIPPED_LABELS)

# Other names that people and models give these languages: macrolanguages, national standards, retired codes.
_OTHER_CODES = """
ajp=apc aka=twi ara=arb aze=azj din=dik est=ekk ful=fuv grn=gug hmn=mww hsf=hus iw=heb ji=ydd kau=knc kok=gom
kom=kpv kon=kng kur=kmr lav=lvs mlg=plt mon=khk msa=zsm nb=nob nep=npi nor=nob oji=ojb ori=ory orm=gaz pes=fas prs=fas
prv=oci pus=pbt que=quy sqi=als swa=swh tgl=fil tmh=taq uzb=uzn yid=ydd zho=cmn
"""
OTHER_CODES = dict(pair.split("=") for pair in _OTHER_CODES.split())

# Languages of one macrolanguage or one standard, among which a page of short lines is not called mixed.
_FAMILIES = """
hbs bos hrv srp, nob nno dan, ind zsm min, cmn yue wuu, arb arz acm acq aeb apc ars ary mey, azj azb, fas prs, eng pcm,
hin awa bho hne mag mai, kmr diq, npi dty, zul nbl nde ssw xho, quy quz qvn qvc qvh qvm qwh, sot nso tsn, fuv fuc
"""
FAMILIES = {code: family.split()[0] for family in _FAMILIES.split(",") for code in family.split()}

# The languages that the web has most of, by Common Crawl's own statistics of its pages.
_COMMON = """
eng deu rus fra spa jpn cmn por ita nld pol tur ces vie fas arb ukr swe ron hun ell kor ind dan fin heb tha slk bul
hrv nob srp lit cat slv ekk lvs hin ben zsm kat hye azj mkd tam tel mal mar urd npi khk kaz uzn als isl sin mya khm guj
kan bel eus glg swh fil pan amh som afr hau yor zul bos
"""
COMMON = frozenset(_COMMON.split())

# How many times likelier than a close relative the standard language is taken to be, where the web says more: Common
# Crawl has 16 Indonesian pages for a Malay one, 4 Croatian and 4 Serbian ones for a Bosnian one, and counts no Arabic
# varieties. With all of it hardly any Malay or Bosnian sentence would keep its name.
_ARABIC = "acm acq aeb apc ars ary arz mey"
TIMES_RARER = {"zsm": 8.0, "bos": 2.0, **dict.fromkeys(_ARABIC.split(), 40.0)}

# Written Cantonese has characters of its own, which prose of any length needs (Cheung and Bauer 2002, The
# Representation of Cantonese with Chinese Characters). Without one a text is Mandarin, however it is read aloud.
MARKS = {"yue": frozenset("嘅喺咗唔佢哋啲嚟冇咁嗰嘢㗎嘥噉乜嘞攞瞓嘈咩")}

# Scripts other than Latin that lid.176's languages are written in; a language may stand in several lines.
_SCRIPTS = """
Arab=arb arz azb ckb fas kaz kir lrc mzn pbt pnb snd tgk uig urd zsm Armn=hye Beng=asm ben bpy
Cyrl=ava azj bak bel bos bul bxr che chv hbs kaz khk kir kpv krc lez mhr mkd mrj myv oss ron rue rus sah srp tat tgk tuk
Cyrl=tyv uig ukr uzn xal Deva=bho dty gom hif hin mai mar new npi san snd Ethi=amh Geor=kat xmf Grek=ell Gujr=guj
Guru=pan Hang=kor Hani=cmn jpn wuu yue Hebr=heb ydd Jpan=jpn Khmr=khm Knda=kan Laoo=lao Mlym=mal Mong=khk Mymr=mya
Orya=ory Sinh=sin Taml=tam Telu=tel Thaa=div Thai=tha Tibt=bod
"""
# Of these, the ones that are written in Latin letters too; all languages that are not above are.
_ALSO_LATIN = frozenset(("azj", "bos", "gom", "hbs", "hif", "kaz", "ron", "srp", "tat", "tuk", "uig", "uzn", "zsm"))


def _scripts() -> dict[str, frozenset[str]]:
    scripts_of: dict[str, set[str]] = {}
    script = ""
    for token in _SCRIPTS.split():
        if "=" in token:
            script, _, token = token.partition("=")
        scripts_of.setdefault(token, set()).add(script)
    for code in ISO_639_3.values():
        if code not in scripts_of or code in _ALSO_LATIN:
            scripts_of.setdefault(code, set()).add("Latn")
    for label in SHIPPED_LABELS:
        code, _, script = label.partition("_")
        scripts_of.setdefault(code, set()).add(script)
    return {code: frozenset(scripts) for code, scripts in scripts_of.items()}


SCRIPTS_OF = _scripts()  # ISO 639-3 of the languages of the shipped model and of lid.176 -> ISO 15924

# Scripts as labels have them -> as `pipeline.words.scripts` reads them off a text.
_SAME_SCRIPT = {"Hans": "Hani", "Hant": "Hani", "Kore": "Hang", "Hira": "Jpan", "Kana": "Jpan", "Hrkt": "Jpan"}


def same_script(script: str) -> str:
    """A label's script as `pipeline.words.scripts` reads it off a text: Hani for Hant."""
    return _SAME_SCRIPT.get(script, script)


def iso_639_3(label: str) -> str:
    """Code of a model's label: `__label__zh` is cmn, `__label__als` gsw, but `__label__als_Latn` als.

    A label with a script is ISO 639-3 already (GlotLID, OpenLID, NLLB), but for macrolanguages such as NLLB's zho_Hans.
    """
    name = label.removeprefix(PREFIX)
    code, _, script = name.partition("_")
    if script:
        return OTHER_CODES.get(code) or (ISO_639_3.get(code, code) if len(code) == 2 else code)
    return ISO_639_3.get(name) or OTHER_CODES.get(name, name)


def scripts_of_label(label: str) -> frozenset[str]:
    """The scripts a text with this label can be in; empty where nothing is known, and nothing can be refused."""
    name = label.removeprefix(PREFIX)
    script = name.partition("_")[2][:4]
    if script:
        return frozenset([same_script(script)])
    return SCRIPTS_OF.get(iso_639_3(name), frozenset())


def family(code: str) -> str:
    """The code that stands for languages too close for a short line."""
    return FAMILIES.get(code, code)


def nearest_languages(code: str) -> list[str]:
    """Up to three codes that `code` may have been meant for: its ISO 639-3 form first, then the alike."""
    name = code.strip().lower().replace("-", "_").partition("_")[0]
    meant = ISO_639_3.get(name) or OTHER_CODES.get(name)
    alike = difflib.get_close_matches(name, sorted(SCRIPTS_OF), n=3, cutoff=0.6)
    return list(dict.fromkeys([*([meant] if meant else []), *alike]))[:3]
