"""An expert beside the verifier of problems of province and nation: who is asked, and what follows."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Notice, Role, User
from projects import opinions, services
from projects.models import Attachment, Bottleneck, ExpertOpinion
from tests import factories
from tests.factories import Cast, opinion, png, user, verification
from tests.pages import browser, text_of
from tests.worlds import world

pytestmark = pytest.mark.django_db
S = Bottleneck.Status


class Judged(Cast):
    """A problem of the province in verification, an officer of the city who may verify it, and an expert."""

    def __init__(self) -> None:
        super().__init__()
        self.row = self.bring_to(S.ACCEPTED)
        self.make(self.row, "list", grade="PROV")
        for move in ("dispatch", "take", "file_solution", "confirm"):
            self.make(self.row, move)
        self.officer = user(Role.OFFICER, self.city, name="市局核验人")
        self.expert = user(Role.EXPERT, self.city, name="专家甲")

    def verify(self) -> None:
        services.move(self.row, "verify", by=self.officer, data=verification(self.row))


@world
def cast() -> Judged:
    return Judged()


def anew(person: User) -> User:
    return User.objects.get(pk=person.pk)


# --- What verification demands -----------------------------------------------------------------------------


def test_without_an_expert_who_agrees_nothing_of_the_province_is_struck_off(cast: Judged) -> None:
    with pytest.raises(PermissionDenied, match="要有一名专家同意"):
        cast.verify()
    opinion(cast.row, cast.officer, expert=cast.expert)
    cast.verify()
    assert cast.row.status == S.RESOLVED


def test_one_who_disagrees_is_not_outvoted(cast: Judged) -> None:
    opinion(cast.row, cast.officer, "no", expert=cast.expert)
    opinion(cast.row, cast.officer, "yes")
    with pytest.raises(PermissionDenied, match="有专家不同意"):
        cast.verify()


def test_one_who_steps_aside_counts_for_nothing(cast: Judged) -> None:
    opinion(cast.row, cast.officer, "recused", expert=cast.expert)
    with pytest.raises(PermissionDenied, match="要有一名专家同意"):
        cast.verify()


def test_a_solution_filed_anew_is_looked_at_anew(cast: Judged) -> None:
    asked = opinion(cast.row, cast.officer, expert=cast.expert)
    services.move(cast.row, "rework", by=cast.officer, data={"reason": "缺第三批。"})
    asked.refresh_from_db()
    assert asked.closed_at
    for move in ("file_solution", "confirm"):
        cast.make(cast.row, move)
    with pytest.raises(PermissionDenied, match="要有一名专家同意"):
        cast.verify()
    opinion(cast.row, cast.officer, expert=cast.expert)
    cast.verify()


def test_city_problems_need_no_expert(cast: Judged) -> None:
    row = cast.bring_to(S.VERIFICATION)
    assert opinions.grant_to_ask(row, cast.verifier) is None
    cast.make(row, "verify")


# --- Who is asked, and by whom ------------------------------------------------------------------------------


def test_who_has_a_part_in_it_is_not_asked(cast: Judged) -> None:
    of_firm, of_lab = (user(Role.EXPERT, cast.city) for _n in range(2))
    factories.grant(of_firm, Role.FILER, cast.firm)
    factories.grant(of_lab, Role.INSTITUTION, cast.lab)
    elsewhere = user(Role.EXPERT, factories.bureau("330000", parent=factories.bureau()))
    other_chain = user()
    factories.grant(other_chain, Role.EXPERT, cast.city, chain=factories.chain("C02", "集成电路"))
    ended = user()
    factories.grant(ended, Role.EXPERT, cast.city, expires_on=date(2021, 1, 1))
    assert opinions.experts_for(cast.row) == [cast.expert]
    for somebody in (of_firm, of_lab, elsewhere, other_chain, ended, cast.filer):
        with pytest.raises(ValidationError, match="与本问题无关"):
            opinions.ask(cast.row, somebody, by=cast.officer)


def test_who_has_moved_it_in_any_way_is_not_asked(cast: Judged) -> None:
    """Not only who handled it in the sense of another person who verifies."""
    officer = user(Role.OFFICER, cast.city)
    later = (cast.row.clock_due_on or timezone.localdate()) + timedelta(days=5)
    data = {"extended_to": later, "reason": "等第三批数据。"}
    services.move(cast.row, "extend", by=officer, data=data)
    factories.grant(officer, Role.EXPERT, cast.city)
    assert opinions.experts_for(cast.row) == [cast.expert]


def test_who_has_a_part_in_what_was_merged_into_it_is_not_asked(cast: Judged) -> None:
    firm, of_firm = factories.organization(at=cast.county), user(Role.EXPERT, cast.city)
    filer = user(Role.FILER, firm)
    factories.grant(of_firm, Role.FILER, firm)
    factories.grant(filer, Role.EXPERT, cast.city)
    child = factories.draft(filer)
    services.move(child, "submit", by=filer)
    filer.grants.filter(role=Role.FILER).update(expires_on=date(2021, 1, 1))
    assert opinions.experts_for(cast.row) == sorted(
        [cast.expert, of_firm, filer], key=lambda it: (str(it), it.pk)
    )
    Bottleneck.objects.judged("test").filter(pk=child.pk).update(status=S.MERGED, merged_into=cast.row)
    assert opinions.experts_for(cast.row) == [cast.expert]


def test_the_answer_reaches_whoever_may_verify_when_the_asker_is_gone(cast: Judged) -> None:
    asked = opinions.ask(cast.row, cast.expert, by=cast.officer)
    cast.officer.is_active = False
    cast.officer.save()
    successor = user(Role.OFFICER, cast.city)
    opinions.answer(asked, by=anew(cast.expert), answer="yes", no_conflict=True, text="三批均达标。")
    told = set(Notice.objects.filter(details__what="opinion").values_list("user", flat=True))
    assert successor.pk in told and cast.expert.pk not in told


def test_only_who_may_verify_asks(cast: Judged) -> None:
    for somebody in (cast.filer, cast.engineer, cast.city_officer, cast.verifier, cast.expert):
        with pytest.raises(PermissionDenied):
            opinions.ask(cast.row, cast.expert, by=somebody)


def test_nobody_judges_and_verifies(cast: Judged) -> None:
    both = user(Role.OFFICER, cast.city)
    factories.grant(both, Role.EXPERT, cast.city)
    with pytest.raises(ValidationError):
        opinions.ask(cast.row, both, by=both)
    opinion(cast.row, cast.officer, expert=both)
    for move, data in (("verify", verification(cast.row)), ("rework", {"reason": "缺第三批。"})):
        with pytest.raises(PermissionDenied, match="出具专家意见"):
            services.move(cast.row, move, by=anew(both), data=data)


def test_an_expert_is_asked_once_and_answers_once(cast: Judged) -> None:
    asked = opinions.ask(cast.row, cast.expert, by=cast.officer, question="看寿命试验。")
    with pytest.raises(ValidationError, match="尚未请过"):
        opinions.ask(cast.row, cast.expert, by=cast.officer)
    told = Notice.objects.get(details__what="question")
    assert told.user == cast.expert
    with pytest.raises(PermissionDenied):
        opinions.answer(asked, by=cast.officer, answer="yes", no_conflict=True, text="好。")
    expert = anew(cast.expert)
    for wrong in ({"no_conflict": False}, {"text": " "}):
        with pytest.raises(ValidationError):
            opinions.answer(
                asked, by=expert, **({"answer": "yes", "no_conflict": True, "text": "好。"} | wrong)
            )
    opinions.answer(asked, by=expert, answer="yes", no_conflict=True, text="三批均达标。")
    assert Notice.objects.get(details__what="opinion").user == cast.officer
    with pytest.raises(PermissionDenied):
        opinions.answer(asked, by=expert, answer="no", no_conflict=True, text="改主意。")


def test_who_is_an_expert_no_more_answers_no_more(cast: Judged) -> None:
    asked = opinions.ask(cast.row, cast.expert, by=cast.officer)
    cast.expert.grants.update(ended_at=timezone.now())
    cast.expert.grants.update(expires_on=date(2021, 1, 1))
    with pytest.raises(PermissionDenied):
        opinions.answer(asked, by=anew(cast.expert), answer="yes", no_conflict=True, text="好。")
    assert not Bottleneck.objects.visible_to(anew(cast.expert)).exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"answer": "yes", "no_conflict": True, "answered_at": timezone.now()},
        {"answer": "yes", "text": "好", "answered_at": timezone.now()},
        {"answer": "recused", "no_conflict": True, "text": "任职", "answered_at": timezone.now()},
        {"answer": "no", "no_conflict": True, "text": "不好"},
        {"text": "好"},
    ],
)
def test_the_database_keeps_impossible_opinions_out(cast: Judged, fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ExpertOpinion.objects.create(
            bottleneck=cast.row,
            expert=cast.expert,
            asked_by=cast.officer,
            bureau=cast.city,
            asked_at=timezone.now(),
            **fields,
        )


# --- What the expert sees ----------------------------------------------------------------------------------


def test_the_expert_reads_the_problem_and_its_files_while_it_is_asked(cast: Judged) -> None:
    file = Attachment.objects.create(
        bottleneck=cast.row, file=png(), name="照片.png", size=1, mime="image/png", sha256="0" * 64
    )
    addresses = (f"/bottlenecks/{cast.row.public_id}/", f"/attachments/{file.public_id}/")

    def answers() -> set[int]:
        client = browser(anew(cast.expert))
        responses = [client.get(address) for address in addresses]
        for response in responses:
            if response.streaming:
                b"".join(response.streaming_content)
        return {response.status_code for response in responses}

    assert answers() == {404}
    opinions.ask(cast.row, cast.expert, by=cast.officer)
    assert answers() == {200}
    page = text_of(browser(cast.expert).get(addresses[0]))
    assert "提交意见" in page and "W2026-0001" in page and "13800000000" not in page
    assert not Bottleneck.objects.visible_to(user(Role.EXPERT, cast.city)).exists()
    services.move(cast.row, "rework", by=cast.officer, data={"reason": "缺第三批。"})
    assert answers() == {404}


def test_who_steps_aside_reads_no_more(cast: Judged) -> None:
    opinion(cast.row, cast.officer, "recused", expert=cast.expert)
    assert not Bottleneck.objects.visible_to(anew(cast.expert)).exists()


def test_asking_and_answering_on_the_page(cast: Judged) -> None:
    officer, expert = browser(cast.officer), browser(cast.expert)
    page = f"/bottlenecks/{cast.row.public_id}/"
    assert "专家甲" in text_of(officer.get(page)) and "要有一名专家同意" in text_of(officer.get(page))
    assert "送请专家" not in text_of(browser(cast.filer).get(page))
    nobody = officer.post(f"{page}opinions/", {"expert": ""}, follow=True)
    assert not cast.row.opinions.exists() and nobody.status_code == 200
    asked_page = officer.post(f"{page}opinions/", {"expert": cast.expert.pk}, follow=True)
    assert "已送请专家" in text_of(asked_page) and "还没有答复" in text_of(asked_page)
    asked = cast.row.opinions.get()
    without = expert.post(f"/opinions/{asked.pk}/", {"answer": "yes", "text": "好。"}, follow=True)
    assert "请声明没有利益关系" in text_of(without)
    given = {"answer": "yes", "text": "三批均达标。", "no_conflict": "on"}
    assert officer.post(f"/opinions/{asked.pk}/", given).status_code == 403
    assert "同意核验为已解决" in text_of(expert.post(f"/opinions/{asked.pk}/", given, follow=True))
    firm = text_of(browser(cast.filer).get(page))
    assert "专家意见：同意核验为已解决" in firm and "三批均达标" in firm
