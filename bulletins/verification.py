"""Verification codes: what is printed on a bulletin and typed in at `/verify/`.

Shape `ZLTB-XXXXX-XXXXX-XXXXC` (质量通报). The X are 14 letters and digits of Crockford's base 32 (no I, L, O,
U), 70 bits from the system's random source, so a code cannot be guessed. C is the check character of ISO/IEC
7064:2003 MOD 37-2: it catches every single wrong character and every swap of two. A code whose check
character would be one that is easily misread (or the standard's *) is never given out.
"""

from __future__ import annotations

import re
import secrets
import unicodedata

PREFIX = "ZLTB"
_VALUES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAYLOAD = 14
_MISREAD = str.maketrans("OIL", "011")
_TYPED = re.compile(rf"(?:{PREFIX.translate(_MISREAD)})?([{_ALPHABET}]{{{_PAYLOAD + 1}}})")


def check_character(payload: str) -> str:
    """ISO/IEC 7064 MOD 37-2: the character that makes the weighted sum congruent to 1."""
    remainder = 0
    for character in payload:
        remainder = (remainder + _VALUES.index(character)) * 2 % 37
    return _VALUES[(1 - remainder) % 37]


def new_code() -> str:
    """A fresh code; that it was never given out before is for the database's unique constraint to judge."""
    while True:
        payload = "".join(secrets.choice(_ALPHABET) for _position in range(_PAYLOAD))
        check = check_character(payload)
        if check in _ALPHABET:
            return _printed(payload + check)


def _printed(characters: str) -> str:
    return "-".join((PREFIX, characters[:5], characters[5:10], characters[10:]))


def _cleaned(text: str) -> str:
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text)).upper()


def normalise(text: str) -> str:
    """What was typed, as it is printed.

    Full-width and small letters, spaces, other or no hyphens, a missing prefix, and O, I, L for 0 and 1 are
    forgiven. Text of another shape comes back cleaned but otherwise as it was.
    """
    cleaned = _cleaned(text)
    match = _TYPED.fullmatch(cleaned.translate(_MISREAD))
    return _printed(match[1]) if match else cleaned


def is_well_formed(text: str) -> bool:
    """Whether this can be a code at all: right shape, right check character."""
    match = _TYPED.fullmatch(_cleaned(text).translate(_MISREAD))
    return match is not None and check_character(match[1][:-1]) == match[1][-1]
