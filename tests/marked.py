"""Texts with what is to be masked marked: [E:a@b.org], [4:8.8.8.8], [P:...], [I:...], [C:...]."""

import re

from pipeline.privacy.masks import CARD_MASK, EMAIL_MASK, IBAN_MASK, IP_MASK, PHONE_MASK, Masked

MASKS = {"E": EMAIL_MASK, "4": IP_MASK, "P": PHONE_MASK, "I": IBAN_MASK, "C": CARD_MASK}


def masked(text: str) -> str:
    """With each [X:...] as its mask."""
    return re.sub(r"\[([E4PIC]):([^\]]*)\]", lambda item: MASKS[item[1]], text)


def unmasked(text: str) -> str:
    return re.sub(r"\[([E4PIC]):([^\]]*)\]", r"\2", text)


def counted(text: str) -> Masked:
    """What is expected of a text with marked items."""
    found = masked(text)
    return Masked(found, *(found.count(MASKS[kind]) for kind in "E4PIC"))
