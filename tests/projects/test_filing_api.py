"""A whole filing in one request, as a program of the firm sends it."""

import json
import uuid
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.authtoken.models import Token

from accounts.models import Notice, Role, User
from enterprises.models import NumberSeries
from projects import services
from projects.models import Bottleneck, BottleneckContact, Gram, Measure, Transition
from projects.similar import take_in
from record.models import Event
from tests.factories import MEASURE, Cast, at_once, draft, filing_values, grant, organization, user
from tests.pages import browser
from tests.worlds import world

ADDRESS = "/api/v1/bottlenecks/"
S = Bottleneck.Status


@world
def cast() -> Cast:
    return Cast()


PLAIN_MEASURE = {name: str(value) for name, value in MEASURE.items()}


def filing(cast: Cast, **fields: Any) -> dict[str, Any]:
    """The same that `factories.draft` says."""
    values = filing_values()
    text = {name: value for name, value in values.items() if isinstance(value, str)}
    place = {"chain": values["chain"].code, "segment": values["segment"].name}
    codes = {name: list(values[name]) for name in ("nqi_elements", "help_wanted")}
    return (
        {"public_id": str(uuid.uuid4()), "organization": cast.firm.uscc, "visibility": "parties"}
        | {"measures": [PLAIN_MEASURE], "contact_name": "王敏", "contact_phone": "13800000000"}
        | {**text, **place, **codes}
        | fields
    )


def post(by: User | Client, body: dict[str, Any]) -> Any:
    client = by if isinstance(by, Client) else browser(by)
    return client.post(ADDRESS, json.dumps(body), content_type="application/json")


def nothing_is_stored() -> bool:
    return not any(
        model.objects.exists() for model in (Bottleneck, Measure, Transition, Notice, NumberSeries)
    )


def columns(row: Bottleneck) -> dict[str, Any]:
    own = ("id", "public_id", "code", "version", "created_at", "updated_at")
    moments = ("submitted_at", "status_changed_at")
    return {
        field.attname: getattr(row, field.attname)
        for field in Bottleneck._meta.concrete_fields
        if field.name not in (*own, *moments)
    }


def test_it_leaves_what_a_filing_step_by_step_leaves(cast: Cast):
    user(Role.FILER, cast.firm, name="同事")
    stepwise = cast.filed(visibility="parties")
    answer = post(cast.filer, filing(cast))
    assert answer.status_code == 201
    row = Bottleneck.objects.get(public_id=answer.json()["public_id"])
    assert columns(row) == columns(stepwise)
    assert row.submitted_at == row.status_changed_at > stepwise.submitted_at
    assert row.code == stepwise.code[:-1] + "2"
    (one,), (two,) = row.measures.all(), stepwise.measures.all()
    for name in ("metric", "unit", "value_now", "comparison", "target", "method", "measured_on"):
        assert getattr(one, name) == getattr(two, name)
    assert (row.contact.name, row.contact.phone) == ("王敏", "13800000000")
    event, same = row.transitions.get(), stepwise.transitions.get()
    for name in ("move", "source", "target", "actor", "organization", "clock_due_on", "details", "sequence"):
        assert getattr(event, name) == getattr(same, name)
    told = [
        set(Notice.objects.filter(source=f"transition:{it.pk}").values_list("user", "kind"))
        for it in (event, same)
    ]
    assert told[0] == told[1] and len(told[0]) == 3
    take_in()
    grams = [set(Gram.objects.filter(bottleneck=it).values_list("gram", flat=True)) for it in (row, stepwise)]
    assert grams[0] == grams[1] != set()


def test_the_receipt_tells_number_state_and_limit(cast: Cast):
    told = post(cast.filer, filing(cast)).json()
    row = Bottleneck.objects.get()
    assert told == {
        "public_id": str(row.public_id),
        "code": row.code,
        "status": "submitted",
        "version": row.version,
        "submitted_at": row.submitted_at.isoformat().replace("+00:00", "Z"),
        "clock_due_on": row.clock_due_on.isoformat(),
    }


def test_the_record_tells_it_once_and_names_who_and_for_which_firm(cast: Cast):
    post(cast.filer, filing(cast))
    row = Bottleneck.objects.get()
    events = Event.objects.filter(topic_entity="projects.bottleneck", topic_row=str(row.pk)).order_by("pk")
    assert [(event.kind, event.entity) for event in events] == [
        ("created", "projects.bottleneck"),
        ("created", "projects.bottleneckcontact"),
        ("created", "projects.measure"),
    ]
    assert {(event.actor_id, event.office) for event in events} == {(cast.filer.pk, cast.firm.uscc)}
    assert {(event.path, event.firm) for event in events} == {(cast.county.path, cast.firm.uscc)}
    assert events[0].after["title"] == row.title
    assert events[1].after == {"name": "***", "phone": "***", "bottleneck": row.pk}


def test_sent_again_it_is_the_same_filing(cast: Cast):
    body = filing(cast)
    answers = [post(cast.filer, body), post(cast.filer, body), post(cast.filer, body | {"title": "别的题目"})]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert answers[0].json() == answers[1].json() == answers[2].json()
    row = Bottleneck.objects.get()
    assert (row.title, row.transitions.count(), NumberSeries.objects.get().last) == (body["title"], 1, 1)


def test_sent_again_after_its_days_are_over_it_still_is_the_same_filing(cast: Cast):
    today = timezone.localdate()
    body = filing(cast, expected_by=today.isoformat())
    told = post(cast.filer, body)
    assert told.status_code == 201
    chain = Bottleneck.objects.get().chain
    chain.valid_to = today
    chain.save()
    with patch("django.utils.timezone.now", return_value=timezone.now() + timedelta(days=2)):
        again, other = (post(cast.filer, it) for it in (body, body | {"public_id": str(uuid.uuid4())}))
    assert (again.status_code, again.json()) == (200, told.json())
    assert other.status_code == 400


def test_refusals_are_said_in_the_language_of_each_caller(cast: Cast):
    body = filing(cast, title="长" * 61)
    said = []
    for language in ("zh-hans", "en", "zh-hans"):
        client = browser(cast.filer)
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
        said.append(post(client, body).json()["error"]["fields"]["title"][0])
    assert said[0] == said[2] == "最多 60 个字，现在是 61 个，请删减。"
    assert said[1] == "At most 60 characters; there are 61 now. Please shorten it."


def test_who_files_for_two_firms_acts_for_the_one_named(cast: Cast):
    other = organization("演示第二家有限公司", at=cast.county)
    grant(cast.filer, Role.FILER, other)
    for firm in (cast.firm, other):
        assert post(cast.filer, filing(cast, organization=firm.uscc)).status_code == 201
        row = Bottleneck.objects.get(organization=firm)
        events = Event.objects.filter(topic_entity="projects.bottleneck", topic_row=str(row.pk))
        assert {(event.office, event.firm) for event in events} == {(firm.uscc, firm.uscc)}


@pytest.mark.django_db(transaction=True)
def test_sent_many_times_at_once_it_has_one_effect():
    cast = Cast()
    body = filing(cast)
    clients = [browser(cast.filer) for _n in range(8)]
    answers = at_once(*[lambda client=client: post(client, body) for client in clients])
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.content for answer in answers}) == 1
    row = Bottleneck.objects.get()
    assert (row.transitions.count(), row.measures.count(), NumberSeries.objects.get().last) == (1, 1, 1)
    assert Notice.objects.count() == 2  # the two officers of the county


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"title": ""}, {"title": ["该字段不能为空。"]}),
        ({"title": "长" * 61}, {"title": ["最多 60 个字，现在是 61 个，请删减。"]}),
        ({"title": "\u200b"}, {"title": ["该字段不能为空。"]}),
        (
            {"measures": [PLAIN_MEASURE, PLAIN_MEASURE | {"metric": MEASURE["metric"] + "\u200b"}]},
            {"measures": ["同一问题的指标不能重复。"]},
        ),
        ({"measures": [PLAIN_MEASURE | {"measured_on": "2099-01-01"}]}, {"measures": ["不能晚于今天。"]}),
        ({"measures": []}, {"measures": ["请至少填写一项指标的现值和目标值。"]}),
        (
            {"measures": [PLAIN_MEASURE] * 2},
            {"measures": ["同一问题的指标不能重复。"]},
        ),
        ({"nqi_elements": []}, {"nqi_elements": ["类别为“质量基础设施”时，至少选择一项所缺要素。"]}),
        ({"help_wanted": []}, {"help_wanted": ["请填写“希望的帮助方式”。"]}),
        ({"loss_estimate": "12.50"}, {"": ["填写损失估计时，请写明测算依据，金额不能为负数。"]}),
        ({"expected_by": "2020-01-01"}, {"expected_by": ["希望解决日期已过，请改为今天或以后。"]}),
        ({"chain": "C99"}, {"segment": ["现行目录中没有代码为“C99”的产业链。"]}),
        (
            {"segment": "没有"},
            {
                "segment": [
                    "产业链“C01”没有环节“没有”，可选：工业机器人核心零部件、工业机器人本体制造、工业机器人系统集成。"
                ]
            },
        ),
        (
            {"contact_phone": "打电话"},
            {"contact_phone": ["请填写手机号或带区号的座机，例如 13800000000、0512-63000000 转 801。"]},
        ),
        ({"urgency": "soon"}, {"urgency": ["“soon”不在可选项中，可选：critical、urgent、normal。"]}),
    ],
)
def test_what_cannot_stand_is_refused_at_its_field_and_nothing_is_stored(
    cast: Cast, fields: dict[str, Any], refusal: dict[str, list[str]]
):
    answer = post(cast.filer, filing(cast, **fields))
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["fields"] | ({"": [error["message"]]} if "" in refusal else {}) == refusal
    assert nothing_is_stored()
    # The number of the next one leaves no gap.
    assert post(cast.filer, filing(cast)).json()["code"].endswith("-00001")


def test_a_measurement_before_the_firm_was_founded_is_refused(cast: Cast):
    today = timezone.localdate()
    cast.firm.founded_on = today - timedelta(days=10)
    cast.firm.save()
    early, right = (
        filing(cast, measures=[PLAIN_MEASURE | {"measured_on": str(today - timedelta(days=days))}])
        for days in (11, 10)
    )
    answer = post(cast.filer, early)
    assert answer.status_code == 400 and "早于该组织的成立日期" in str(answer.json()["error"]["fields"])
    assert post(cast.filer, right).status_code == 201


def test_nobody_files_for_a_firm_of_others(cast: Cast):
    other = organization("演示别家有限公司", at=cast.county)
    answer = post(cast.filer, filing(cast, organization=other.uscc))
    assert answer.status_code == 400
    (sentence,) = answer.json()["error"]["fields"]["organization"]
    assert sentence == f"您没有为“{other.uscc}”填报的权限，可填：{cast.firm.uscc}。"
    assert nothing_is_stored()
    refused = Event.objects.get(kind=Event.Kind.REFUSED)
    assert (refused.actor_id, refused.entity, refused.row) == (
        cast.filer.pk,
        "enterprises.organization",
        str(other.pk),
    )


def test_only_those_who_file_for_firms_send_filings(cast: Cast):
    for person in (cast.county_officer, cast.engineer):
        answer = post(person, filing(cast))
        assert answer.status_code == 403
        assert answer.json()["error"]["message"] == "只有企业的填报人和链主联络人可以填报问题。"
    assert post(browser(), filing(cast)).status_code == 401
    assert nothing_is_stored()


def test_a_key_that_another_problem_has_is_refused_and_tells_nothing_of_it(cast: Cast):
    sketch = draft(cast.filer, title="还没写完")
    foreign = draft(title="别家的题目")
    services.move(foreign, "submit", by=foreign.filer)
    for taken in (sketch, foreign):
        answer = post(cast.filer, filing(cast, public_id=str(taken.public_id)))
        assert answer.status_code == 400
        assert answer.json()["error"]["fields"] == {"public_id": ["这个标识已经用于另一个问题，请换一个。"]}
    assert not BottleneckContact.objects.exclude(bottleneck__in=[sketch, foreign]).exists()
    sketch.refresh_from_db()
    assert (sketch.status, sketch.title) == (S.DRAFT, "还没写完")


def test_it_takes_as_many_queries_for_five_metrics_and_long_texts(
    cast: Cast, django_assert_max_num_queries: Any
):
    five = [PLAIN_MEASURE | {"metric": f"指标 {n}"} for n in range(5)]
    client = browser(cast.filer)
    post(client, filing(cast))
    with django_assert_max_num_queries(20 + 4):
        assert post(client, filing(cast, symptom="裂" * 1000, measures=five)).status_code == 201


def test_of_a_program_it_asks_three_questions_before_it_stores(cast: Cast):
    """Who files with what grants, the segment, and whom to tell."""
    program = Client(headers={"Authorization": f"Token {Token.objects.create(user=cast.filer).key}"})
    body = filing(cast)
    with CaptureQueriesContext(connection) as asked:
        assert post(program, body).status_code == 201
    stored = [number for number, query in enumerate(asked) if "INSERT" in query["sql"]]
    before = [query["sql"] for query in asked.captured_queries[: stored[0]] if "SELECT" in query["sql"]]
    assert len(before) == 3, before
