"""New passwords: long, and not put together from what is tried first."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from django.contrib.auth.password_validation import CommonPasswordValidator, MinimumLengthValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

RUNS = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm")
MARKS = re.compile(r"[\s!-/:-@\[-`{-~]")
LEET = str.maketrans("@$0134!", "asoleai")
# So many pieces, in whatever order, are tried by anybody who tries at all.
PIECES = 3
LONGEST = 40
SYLLABLE = (
    r"(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?(?:i?ang|i?ong|uang|[aeu]?ng|ing|eng|iao|ian|uai|uan"
    r"|ai|ei|ao|ou|an|en|in|un|ia|ie|iu|ua|uo|ui|ue|ve|er|[aoeiuv])"
)
# A name in pinyin and a number, such as a birthday.
NAME_AND_NUMBER = re.compile(rf"(?:{SYLLABLE}){{1,3}}\d{{0,10}}|\d{{1,10}}(?:{SYLLABLE}){{1,3}}")


class LengthValidator(MinimumLengthValidator):
    """Django's, whose sentence has no Chinese."""

    def get_error_message(self) -> str:
        return _("密码太短，至少要有 %(min_length)d 个字符。") % {"min_length": self.min_length}


class CommonPiecesValidator:
    """Refuses what falls apart into three or fewer common passwords, runs, repetitions, years."""

    def validate(self, password: str, user: Any = None) -> None:
        joined = MARKS.sub("", password.lower())
        letters = password.lower().rstrip("0123456789!@#$%^&*.")
        spelled = MARKS.sub("", letters.translate(LEET) + password.lower()[len(letters) :])
        if any(_pieces(text) <= PIECES for text in (joined, spelled)) or NAME_AND_NUMBER.fullmatch(joined):
            raise ValidationError(
                _("密码由姓名拼音、常见的密码、单词、年份或连续、重复的字符拼成，容易被猜到。"),
                code="password_of_common_pieces",
            )

    def get_help_text(self) -> str:
        return _("不要用姓名、常见的密码、拼音、年份和键盘顺序拼成密码；几个互不相干的词连在一起更好。")


def _pieces(text: str) -> int:
    """The smallest number of common pieces that make the text up; many if none do."""
    many = PIECES + 1
    if len(text) > PIECES * LONGEST:
        return many
    fewest = [0] + [many] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(max(0, end - LONGEST), end):
            if fewest[start] + 1 < fewest[end] and _is_common(text[start:end]):
                fewest[end] = fewest[start] + 1
    return fewest[-1]


def _is_common(piece: str) -> bool:
    if len(piece) < 3:
        return piece.isdigit()
    if len(set(piece)) == 1 or any(piece in run or piece in run[::-1] for run in RUNS):
        return True
    if re.fullmatch(r"(19|20)\d\d((0[1-9]|1[0-2])([0-2]\d|3[01])?)?", piece):
        return True  # years, months, birthdays
    half, odd = divmod(len(piece), 2)
    if not odd and piece[:half] == piece[half:] and half < 5:
        return True
    return piece in _common()


@cache
def _common() -> frozenset[str]:
    """Django's list of 20,000, and what stands in no list made elsewhere.

    Words in pinyin, names of the portal and its bureaus, keyboard walks, numbers that sound like words.
    """
    ours = Path(__file__).with_name("common_pieces.txt").read_text().split()
    return frozenset(CommonPasswordValidator().passwords).union(ours)
