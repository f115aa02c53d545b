"""Unified social credit codes (GB 32100-2015 with amendment 1 of 2016; `domain.md` 3.1)."""

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
WEIGHTS = tuple(pow(3, position, 31) for position in range(17))
# Second characters by registrar; None where the dossier lists the registrar but no kinds.
KINDS_BY_REGISTRAR: dict[str, str | None] = {
    "1": "1239",
    "2": None,
    "3": "123459",
    "4": None,
    "5": "1239",
    "6": None,
    "7": None,
    "8": None,
    "9": "123",
    "A": "19",
    "N": "1239",
    "Y": "1",
}
SHAPE = re.compile(rf"[{ALPHABET}]{{2}}\d{{6}}[{ALPHABET}]{{10}}")


def normalise(text: str) -> str:
    """Trim, turn full-width into half-width, upper-case; spaces and hyphens inside go too."""
    return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)).upper()


def check_character(first17: str) -> str:
    """The 18th character for the first 17, which must all be of `ALPHABET`."""
    total = sum(
        ALPHABET.index(character) * weight for character, weight in zip(first17, WEIGHTS, strict=True)
    )
    return ALPHABET[-total % 31]


def validate(code: str) -> None:
    """Raise ValidationError with what is wrong and what would be accepted."""
    if len(code) != 18:
        raise ValidationError(
            _("统一社会信用代码应为 18 位，现在是 %(length)d 位。"),
            code="length",
            params={"length": len(code)},
        )
    if not SHAPE.fullmatch(code):
        raise ValidationError(
            _("统一社会信用代码只含数字和大写字母（不用 I、O、S、V、Z），第 3 至 8 位为数字。"),
            code="characters",
        )
    kinds = KINDS_BY_REGISTRAR.get(code[0], "")
    if kinds is not None and code[1] not in kinds:
        raise ValidationError(
            _("统一社会信用代码前两位“%(prefix)s”不是登记管理部门与机构类别的代码，请对照营业执照。"),
            code="registrar",
            params={"prefix": code[:2]},
        )
    if code[17] != check_character(code[:17]):
        raise ValidationError(
            _("统一社会信用代码的校验位不符，可能有一位录错，请对照营业执照逐位核对。"), code="check"
        )
