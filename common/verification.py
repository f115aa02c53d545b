"""Verification codes: what is printed on a document and typed in at `/verify/`.

Shape `ZLTB-XXXXX-XXXXX-XXXXC`; the prefix says what kind of document. The X are 14 letters and digits of
Crockford's base 32 (no I, L, O, U), 70 bits from the system's random source, so a code cannot be guessed. C
is the check character of ISO/IEC 7064:2003 MOD 37-2: it catches every single wrong character and every swap
of two. A code whose check character would be easily misread (or the standard's *) is never given out.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from functools import cached_property

_VALUES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAYLOAD = 14
LENGTH = _PAYLOAD + 1
_MISREAD = str.maketrans("OIL", "011")


def check_character(payload: str) -> str:
    """ISO/IEC 7064 MOD 37-2: the character that makes the weighted sum congruent to 1."""
    remainder = 0
    for character in payload:
        remainder = (remainder + _VALUES.index(character)) * 2 % 37
    return _VALUES[(1 - remainder) % 37]


def _cleaned(text: str) -> str:
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text).upper())


@dataclass(frozen=True)
class Codes:
    """The codes of one kind of document."""

    prefix: str

    @cached_property
    def _typed(self) -> re.Pattern[str]:
        return re.compile(rf"(?:{self.prefix.translate(_MISREAD)})?([{_ALPHABET}]{{{LENGTH}}})")

    def new_code(self) -> str:
        """A fresh code; whether it was given out before is for the unique constraint to judge."""
        while True:
            payload = "".join(secrets.choice(_ALPHABET) for _position in range(_PAYLOAD))
            check = check_character(payload)
            if check in _ALPHABET:
                return self._printed(payload + check)

    def _printed(self, characters: str) -> str:
        return "-".join((self.prefix, characters[:5], characters[5:10], characters[10:]))

    def normalise(self, text: str) -> str:
        """What was typed, as it is printed.

        Full-width and small letters, spaces, other or no hyphens, a missing prefix, and O, I, L for 0 and 1
        are forgiven. Text of another shape comes back cleaned but otherwise as it was.
        """
        cleaned = _cleaned(text)
        match = self._typed.fullmatch(cleaned.translate(_MISREAD))
        return self._printed(match[1]) if match else cleaned

    def is_well_formed(self, text: str) -> bool:
        """Whether this can be a code at all: right shape, right check character."""
        match = self._typed.fullmatch(_cleaned(text).translate(_MISREAD))
        return match is not None and check_character(match[1][:-1]) == match[1][-1]

    def begins(self, text: str) -> bool:
        """Whether the text has the prefix, however it is typed."""
        return _cleaned(text).translate(_MISREAD).startswith(self.prefix.translate(_MISREAD))


# 质量通报, 质量报告.
BULLETINS, REPORTS = Codes("ZLTB"), Codes("ZLBG")
