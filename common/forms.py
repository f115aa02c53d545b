"""Fields for what people type: one form of each character, numbers of telephones as they are written."""

import unicodedata
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _


def readable(text: str) -> str:
    """One form of each character, one kind of line end, and nothing that cannot be seen."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if text.isprintable():
        return text
    # Private and unassigned characters stay: rare names are written with them.
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


class Text(forms.CharField):
    """Text as people read it; limits count characters, a line end as one."""

    default_error_messages = {
        "max_length": _("最多 %(limit_value)d 个字，现在是 %(show_value)d 个，请删减。"),
        "required": _("请填写这一项。"),
    }

    def to_python(self, value: Any) -> str:
        return super().to_python(readable(value) if isinstance(value, str) else value) or ""

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """No maxlength: the browser would cut a pasted text off before anybody could see it."""
        return {name: value for name, value in super().widget_attrs(widget).items() if name != "maxlength"}


class Phone(Text):
    """A mobile number, or one with area code and extension; full-width digits are understood."""

    widget = forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "tel"})
    default_validators = [
        RegexValidator(
            r"^\+?[0-9][0-9 ()\-]{5,19}( ?[转x#] ?[0-9]{1,6})?$",
            _("请填写手机号或带区号的座机，例如 13800000000、0512-63000000 转 801。"),
        )
    ]

    def to_python(self, value: Any) -> str:
        return unicodedata.normalize("NFKC", super().to_python(value))
