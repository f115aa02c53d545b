"""Field types that more than one app stores."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from common import formats


def normalise_codes(codes: Iterable[str]) -> tuple[str, ...]:
    """The one stored order of a set of codes, so that equal sets are equal text."""
    return tuple(sorted({code.strip() for code in codes if code and code.strip()}))


class CodeSetField(models.CharField):
    """A set of codes out of a fixed list, stored as sorted text such as ``MET,STD``.

    One column, so that check constraints can speak of it ("at least one element"). No code may be part
    of another code of the same list: rows are filtered by ``field__contains="MET"``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 120)
        kwargs.setdefault("default", "")
        kwargs.setdefault("blank", True)
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> tuple[str, ...] | None:
        return self.to_python(value)

    def to_python(self, value: Any) -> tuple[str, ...] | None:
        if value is None or isinstance(value, tuple):
            return value
        return normalise_codes(value.split(",") if isinstance(value, str) else value)

    def get_prep_value(self, value: Any) -> str:
        value = self.to_python(value)
        return "" if value is None else ",".join(value)

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj))

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        if not value and not self.blank:
            raise ValidationError(self.error_messages["blank"], code="blank")
        known = {code for code, _label in self.choices or ()}
        if unknown := [code for code in value or () if code not in known]:
            raise ValidationError(
                _("“%(value)s”不在可选项中，可选：%(accepted)s。"),
                code="invalid_choice",
                params={"value": ", ".join(unknown), "accepted": ", ".join(sorted(known))},
            )

    def run_validators(self, value: Any) -> None:
        super().run_validators(self.get_prep_value(value))

    def formfield(self, **kwargs: Any) -> forms.MultipleChoiceField:
        return forms.MultipleChoiceField(
            required=kwargs.get("required", not self.blank),
            label=kwargs.get("label", self.verbose_name),
            help_text=kwargs.get("help_text", self.help_text),
            choices=list(self.choices or ()),
            widget=kwargs.get("widget", forms.CheckboxSelectMultiple),
        )

    def labels(self, value: Iterable[str]) -> list[str]:
        """The labels of the chosen codes in the order of the code list."""
        chosen = set(value or ())
        return [str(label) for code, label in self.choices or () if code in chosen]

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        models.Field.contribute_to_class(self, cls, name, private_only=private_only)
        setattr(cls, f"get_{name}_display", lambda row: formats.listed(self.labels(getattr(row, name))))
