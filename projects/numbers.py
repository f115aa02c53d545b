"""Numbers of standards, specifications and reference materials: their usual forms, and no more than that.

Whether a number exists is for the verifier; an unusual one is refused only where its form is fixed
(`domain.md` chapter 7). Of the twelve digits of a CMA number the inner parts warn and never refuse (3.10).
"""

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣", "-"))
# GB 5009-2016, GB/T 19001-2016, JB/T 1234.1-2020, DB32/T 4321-2022, T/CAS 500-2021, Q/ABC 001-2024,
# ISO 9001:2015
_STANDARD = re.compile(r"[A-Z]{1,5}\d{0,6}(/[A-Z0-9]{1,15})* ?[0-9A-Z][0-9A-Z./ -]*[-:]\d{2,4}([ /].*)?")
# JJG 1-1999, JJF 1001-2011, JJF(苏) 123-2020, JJG(交通) 015-2001
_METROLOGY = re.compile(r"JJ[GF] ?(\([^()]{1,10}\))? ?\d+(\.\d+)?-\d{4}")
# GBW 01101a, GBW(E)080001
_MATERIAL = re.compile(r"GBW ?(\( ?E ?\))? ?\d[0-9A-Z.-]*")
# 00 the nation, then the provinces and the corps in an order of their own.
_ISSUING_BODIES = range(33)


def tidy(number: str) -> str:
    """One kind of dash, bracket, digit and space."""
    return " ".join(unicodedata.normalize("NFKC", number).translate(_DASHES).split())


def checked(kind: str, number: str) -> str:
    """The number as it is stored; raises ValidationError with the usual forms when it has none of them."""
    plain = tidy(number)
    if kind not in _FORMS:
        return plain
    pattern, sentence = _FORMS[kind]
    if not pattern.fullmatch(plain.upper()):
        raise ValidationError(sentence())
    return plain


_FORMS = {
    "standard": (
        _STANDARD,
        lambda: _(
            "标准号由代号、顺序号和年份组成，例如 GB/T 19001-2016、DB32/T 4321-2022、T/CAS 500-2021、"
            "Q/ABC 001-2024。"
        ),
    ),
    "metrology": (
        _METROLOGY,
        lambda: _("计量技术规范编号由 JJG 或 JJF、顺序号和年份组成，例如 JJF 1001-2011、JJG(苏) 12-2020。"),
    ),
    "material": (
        _MATERIAL,
        lambda: _("标准物质编号以 GBW 或 GBW(E) 开头，后接数字，例如 GBW 01101、GBW(E) 080001。"),
    ),
}


def cma_warning(number: str) -> str:
    """What looks odd in a CMA number of twelve digits; nothing for none."""
    if len(number) != 12 or not number.isascii() or not number.isdecimal():
        return ""
    if int(number[2:4]) not in _ISSUING_BODIES:
        return _("资质认定编号第 3、4 位“%(body)s”不是常见的发证机关代码，请核对。") % {"body": number[2:4]}
    if int(number[:2]) > timezone.localdate().year % 100:
        return _("资质认定编号前两位“%(year)s”是发证年份，晚于今年，请核对。") % {"year": number[:2]}
    return ""
