"""Which languages are close relatives: groups about as old as Romance or Bantu, and pidgins with what they came from.

By the classification of Glottolog 5 and Ethnologue, at the level that Dryer (1989) calls a genus. A text in a language
that no model knows is best called by a relative, where it has a name at all.
"""

_GROUPS = """
Germanic: eng sco deu gsw bar ltz nds nld afr lim vls fry frr dan swe nob nno isl fao yid ydd pfl pcm kri djk tpi
Romance: fra ita spa por cat glg oci ast arg ron lat srd src scn cos lmo lij vec fur pms nap eml wln hat kea pap pov cri
Romance: cha cbk mwl lad roh ext rup ina ido epo ile mxi
Slavic: rus ukr bel bul mkd srp hrv bos hbs slv ces slk pol szl csb hsb dsb rue cnr
Baltic: lit lvs ltg
Celtic: gle gla glv cym bre cor
Albanian: als
Greek: ell
Armenian: hye hyw
Iranian: fas tgk pbt pbu ckb kmr diq oss lrc mzn glk bal prs
Indic: hin urd bho mai mag awa hne mar gom npi dty ben asm ory guj pan pnb snd sin san kas div rom rmn rmy bpy new mni
Dravidian: tam tel kan mal tcy kru gon
Munda: sat mqu unr hoc
Turkic: tur azj azb tuk uzn kaz kir tat bak uig chv sah tyv kjh alt cjs crh gag krc kum nog
Mongolic: khk bxr xal
Tungusic: eve evn
Finnic: fin ekk krl vep vro liv olo
Sami: sme smn sma
Hungarian: hun
Permic and Mari: kpv koi udm mhr mrj myv mdf
Yukaghir: ykg
Kartvelian: kat xmf
Caucasian: ava lez che kbd ady abk
Basque: eus
Semitic: arb ary arz apc acm aeb ars acq mey heb aii syr mlt amh tir tig
Egyptian: cop
Berber: kab shi tzm taq zgh rif
Cushitic and Omotic: som gaz wal sid aar
Chadic: hau
Bantu: swh zul xho ssw nbl nde sot nso tsn tso ven sna nya tum kin run lug lua kng lin kik kam bem cjk umb kmb mer guz
Bantu: nyn ttj xog myx nuj lwg lun kqn loz toi kua ndo her nba vmw nym sag tsc bxk koo lko kdc btb bin
Atlantic: wol fuv fuc ff srr tem
Mande: bam dyu snk gkp men nqo
Kwa and Gur: ewe fon aka twi fat gaa ada nzi gjn yor ibo bba dag dga gur xsm mos kbp dop tbz tiv wwa
Nilotic: luo adh alz luc lgg keo mhi dik dip nus mas saq teo tuv kln lot laj oki kpz kdj
Saharan and Songhay: knc dje ddn
Khoe: naq
Malayic: ind zsm min bjn ban jav sun mad ace msa bug
Philippine: fil ceb ilo war hil pag bcl pam bik
Malagasy and others: plt tet ppk
Oceanic: mri smo ton haw tah rar fij pon chk yap gil mah
Halmahera: gbi
Sinitic: cmn yue wuu lzh hak nan cdo
Japonic: jpn ryu
Koreanic: kor
Tai: tha lao shn nod
Hmongic: mww hms
Mon-Khmer: khm vie
Tibetic: bod dzo
Burmese and Kuki-Chin: mya lus hlt kac hni iii njo mni
Athabaskan: nav
Algonquian: ojb oji cre pot
Inuit: ike kal
Iroquoian: chr
Muskogean: cic cho
Nahuan: nhg nhn ppl azz
Mayan: quc cak mam jac usp yua hus kek tzo
Otomanguean: amu maz mzi zam chj chq csa ote
Totonacan: top
Purepecha: tsz
Quechuan: quy quz qug qva qvc qvh qvm qvn qwh qxn qud que
Aymaran: ayr
Tupi: gug gyr grn
Arawakan: cni cot cpu prq not guc cab
Panoan: shp cbr amc kbh
Jivaroan: acu agr jiv cbu
Cariban: ake
Chibchan: cjp
Tucanoan: bsn snn
Witotoan and others: boa
Peba: yad
Guaicuruan: tob
Barbacoan: kwi
Cahuapanan: cbt
Zaparoan: zro arl
Paez: pbb
Waorani: auc
"""
GROUP = {
    code: name
    for line in _GROUPS.strip().splitlines()
    for name, _, codes in [line.partition(": ")]
    for code in codes.split()
}


def related(first: str, second: str) -> bool:
    """Whether two ISO 639-3 codes are one language or of one group."""
    return first == second or (first in GROUP and GROUP[first] == GROUP.get(second))
