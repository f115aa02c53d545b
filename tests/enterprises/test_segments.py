"""What a segment of a chain consists of stands in the same place, and no segment consists of itself."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from enterprises.models import ChainSegment
from tests import factories
from tests.pages import browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def three():
    """Segments of one place, each a part of the one before."""
    chain, above, rows = factories.chain(), None, []
    for name in ("材料", "钢材", "轴承钢"):
        above = ChainSegment.objects.create(chain=chain, stream="up", name=name, parent=above)
        rows.append(above)
    return rows


def posted(rows, **parents):
    """The page of the chain with other parents."""
    chain = rows[0].chain
    every = list(chain.segments.all())
    data = {"code": chain.code, "name": chain.name, "klass": chain.klass, "valid_from": chain.valid_from}
    data |= {"bureau": chain.bureau_id, "gbt4754_classes": '["3491"]'}
    data |= {"segments-TOTAL_FORMS": len(every), "segments-INITIAL_FORMS": len(every)}
    for place, row in enumerate(every):
        fields = {"id": row.pk, "chain": chain.pk, "stream": row.stream, "name": row.name, "position": 0}
        fields["parent"] = parents.get(row.name, row.parent_id or "")
        data |= {f"segments-{place}-{name}": value for name, value in fields.items()}
    return data


@pytest.mark.parametrize(
    ("parents", "allowed"),
    [
        (lambda a, b, c: {"轴承钢": a.pk}, True),
        (lambda a, b, c: {"钢材": c.pk, "轴承钢": a.pk}, False),
        (lambda a, b, c: {"材料": c.pk}, False),
        (lambda a, b, c: {"材料": c.pk, "钢材": "", "轴承钢": b.pk}, False),
        (lambda a, b, c: {"钢材": c.pk, "轴承钢": b.pk}, False),
        (lambda a, b, c: {"材料": b.pk, "钢材": a.pk, "轴承钢": ""}, False),
    ],
)
def test_parents_that_are_changed_together_make_no_ring(three, parents, allowed):
    client = browser(factories.user(is_superuser=True, is_staff=True))
    address = reverse("admin:enterprises_industrychain_change", args=[three[0].chain.pk])
    answer = client.post(address, posted(three, **parents(*three)))
    assert answer.status_code == (302 if allowed else 200), answer.context and answer.context["errors"]


def test_two_free_segments_are_not_made_parts_of_each_other(three):
    first, second = (
        ChainSegment.objects.create(chain=three[0].chain, stream="up", name=name) for name in ("甲", "乙")
    )
    client = browser(factories.user(is_superuser=True, is_staff=True))
    address = reverse("admin:enterprises_industrychain_change", args=[three[0].chain.pk])
    answer = client.post(address, posted(three, 甲=second.pk, 乙=first.pk))
    assert answer.status_code == 200 and "成了自己的下级" in answer.text
    assert not ChainSegment.objects.filter(pk__in=(first.pk, second.pk), parent__isnull=False).exists()


def test_a_ring_that_stands_already_is_named_and_not_walked_for_ever(three):
    first, second, third = three
    ChainSegment.objects.filter(pk=first.pk).update(parent=second)
    row = ChainSegment.objects.get(pk=third.pk)
    with pytest.raises(ValidationError) as refusal:
        row.clean()
    assert list(refusal.value.message_dict) == ["parent"]


@pytest.mark.parametrize("move", [{"stream": "mid"}, {"chain": "another"}])
def test_a_segment_leaves_its_place_only_without_its_parts(three, move):
    first, _second, third = three
    if "chain" in move:
        move = {"chain": factories.chain("C09", "高技术船舶")}
    for name, value in move.items():
        setattr(first, name, value)
        third.parent = None
        setattr(third, name, value)
    with pytest.raises(ValidationError, match="请先改下级环节的上级"):
        first.clean()
    third.clean()
