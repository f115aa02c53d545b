"""Sets of codes in one column."""

import pytest
from django.core.exceptions import ValidationError
from django.db import models

from common.fields import CodeSetField


class Colour(models.TextChoices):
    RED = "RED", "红"
    BLUE = "BLU", "蓝"


@pytest.fixture
def field():
    return CodeSetField("颜色", choices=Colour, blank=False)


def test_equal_sets_are_stored_as_equal_text(field):
    assert field.get_prep_value(["RED", "BLU", "RED"]) == field.get_prep_value("RED, BLU") == "BLU,RED"


def test_an_empty_set_is_empty_text_and_refused_where_one_is_needed(field):
    assert field.get_prep_value(()) == ""
    with pytest.raises(ValidationError):
        field.clean((), None)


def test_an_unknown_code_is_named_together_with_what_is_accepted(field):
    with pytest.raises(ValidationError) as refusal:
        field.clean(("RED", "GREEN"), None)
    assert "GREEN" in refusal.value.messages[0]
    assert "BLU, RED" in refusal.value.messages[0]


def test_labels_keep_the_order_of_the_list(field):
    assert field.labels(("BLU", "RED")) == ["红", "蓝"]
