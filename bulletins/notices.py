"""Who is told that a bulletin is out, and whose turn it is with the figures of a period."""

from collections.abc import Iterable

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Grant, Notice, Role, User
from accounts.notices import Desks, Details, day_of, say, tell
from bulletins import periods
from bulletins.ladder import Rung, Standing
from bulletins.models import Bulletin, Excuse, Period, Submission
from enterprises.models import Bureau

READERS = (Role.OFFICER, Role.STATISTICIAN)
# Who freezes, and issues bulletins.
ISSUERS = (Role.ADMINISTRATOR, Role.STATISTICIAN)


def tell_of_issue(bulletin: Bulletin) -> None:
    """Officers and statisticians of the unit and of those right below it, to which it is addressed
    (`domain.md` 6.2); never who issued it. Whoever stands further down hears from its own superior.
    """
    grants = Grant.objects.judged("to be told").in_force(timezone.localdate())
    readers = grants.filter(
        Q(bureau=bulletin.bureau) | Q(bureau__parent=bulletin.bureau),
        role__in=READERS,
        user__is_active=True,
    )
    tell(
        set(readers.values_list("user_id", flat=True)) - {bulletin.issued_by_id},
        Notice.Kind.BULLETIN,
        f"bulletin:{bulletin.pk}",
        {
            "what": "bulletin",
            "row": str(bulletin.public_id),
            "number": bulletin.number,
            "title": bulletin.title,
            "unit": bulletin.bureau.name,
        },
    )


def tell_of_step(bulletin: Bulletin, what: str, roles: Iterable[Role]) -> None:
    """Whose turn it is with a bulletin: people of the unit who had no hand in it, or where nobody is, of the
    next one above."""
    path = bulletin.bureau.path
    readers = Desks([path], tuple(roles)).nearest(path, without=bulletin.had_a_hand)
    _tell_of_turn(readers, what, bulletin)


def tell_of_return_to_editors(bulletin: Bulletin, by: User | None) -> None:
    """Who worked on it is to put it right."""
    _tell_of_turn(bulletin.had_a_hand - {by and by.pk}, "bulletin_returned", bulletin)


def _tell_of_turn(readers: Iterable[int], what: str, bulletin: Bulletin) -> None:
    """It may be the turn of the same person again, hence the moment."""
    details = {
        "what": what,
        "row": str(bulletin.public_id),
        "title": bulletin.title,
        "reason": bulletin.returned_for,
    }
    tell(readers, Notice.Kind.WAITING, f"{what}:{bulletin.pk}:{timezone.now().timestamp():.0f}", details)


# --- Confirming figures -----------------------------------------------------------------------------------


def _details(what: str, period: Period, unit: Bureau, **more: str) -> dict[str, str]:
    return {"what": what, "period": period.code, "unit": unit.short_name, "row": unit.code, **more}


def _whose_turn(desks: Desks, what: str, period: Period, unit: Bureau) -> tuple[set[int], dict[str, str]]:
    """The people of a unit and what they are told; where it has none, those above, who can excuse it."""
    if not desks.officers[unit.path]:
        what = "figures_nobody"
    details = _details(what, period, unit, until=period.freeze_due.isoformat())
    return desks.nearest(unit.path), details


def _superior(bureau: Bureau) -> str:
    """The path of the bureau above."""
    return bureau.path.removesuffix(f"{bureau.code}/")


def tell_of_submission(row: Submission) -> None:
    """The superior is to approve; where nobody works there, the next one above."""
    above = _superior(row.bureau)
    readers = Desks([above], READERS).nearest(above, without={row.submitted_by_id})
    details = _details("figures_submitted", row.period, row.bureau)
    tell(readers, Notice.Kind.WAITING, f"figures_submitted:{row.pk}:{row.round}", details)


def tell_of_return(row: Submission) -> None:
    """The unit is to put its figures right and hand them in again."""
    desks = Desks([row.bureau.path], READERS)
    readers, details = _whose_turn(desks, "figures_returned", row.period, row.bureau)
    tell(readers, Notice.Kind.WAITING, f"figures_returned:{row.pk}:{row.round}", details)


def tell_of_turn(period: Period, rung: Rung) -> None:
    """All below the unit are settled, so it is its turn; of the nation, to freeze."""
    unit = rung.bureau
    if unit.parent_id:
        readers, details = _whose_turn(Desks([unit.path], READERS), "figures_turn", period, unit)
    else:
        readers = Desks([unit.path], ISSUERS).nearest(unit.path)
        details = _details("figures_complete", period, unit)
    tell(readers, Notice.Kind.WAITING, _source("begun", period, rung), details)


def tell_of_excuse(row: Excuse) -> None:
    """The unit need not confirm, one period or until a day."""
    readers = Desks([row.bureau.path], READERS).nearest(row.bureau.path, without={row.given_by_id})
    details = {
        "what": "figures_excused",
        "period": row.period.code if row.period else "",
        "until": row.until.isoformat() if row.until else "",
        "unit": row.bureau.short_name,
    }
    tell(readers, Notice.Kind.WAITING, f"excuse:{row.pk}", details)


def remind(period: Period, stage: str, rungs: Iterable[Rung]) -> None:
    """Whose turn it is, once for each stage: ``begun``, ``soon`` or ``due``."""
    found = [(rung, "review" if rung.standing == Standing.SUBMITTED else "submit") for rung in rungs]
    paths = {
        rung.bureau.pk: _superior(rung.bureau) if what == "review" else rung.bureau.path
        for rung, what in found
    }
    desks = Desks(paths.values(), READERS)
    for rung, what in found:
        kind = f"figures_{what}_{stage}"
        if what == "review":
            readers = desks.nearest(paths[rung.bureau.pk])
            details = _details(kind, period, rung.bureau, until=period.freeze_due.isoformat())
        else:
            readers, details = _whose_turn(desks, kind, period, rung.bureau)
        tell(
            readers,
            Notice.Kind.WAITING if stage == "begun" else Notice.Kind.AMBER,
            _source(stage, period, rung),
            details,
        )


def _source(stage: str, period: Period, rung: Rung) -> str:
    """Each turn is told of once at each stage."""
    return f"figures:{stage}:{period.pk}:{rung.bureau.pk}:{rung.standing}:{rung.round}"


# --- Words ------------------------------------------------------------------------------------------------


def _page(details: Details) -> str:
    return reverse("bulletins:bulletin_detail", args=[details["row"]])


def _unit_page(details: Details) -> str:
    return reverse("bulletins:period_unit", args=[details["period"], details["row"]])


def _freeze_page(details: Details) -> str:
    return reverse("bulletins:period_detail", args=[details["period"]])


def _named(details: Details) -> dict[str, str]:
    values = {"unit": details["unit"], "period": periods.name(details["period"])}
    return values | {"day": day_of(details, "until")} if details.get("until") else values


def _excused(details: Details) -> str:
    if details["period"]:
        return _("%(unit)s的%(period)s数字经批准免报。") % _named(details)
    return _("%(unit)s经批准免报，到 %(day)s 为止。") % {
        "unit": details["unit"],
        "day": day_of(details, "until"),
    }


def declare() -> None:
    say("bulletin", lambda details: _("%(unit)s印发%(number)s：%(title)s。") % details, _page)
    say("bulletin_review", lambda details: _("《%(title)s》等您审核。") % details, _page)
    say("bulletin_signing", lambda details: _("《%(title)s》已审核通过，等您签发。") % details, _page)
    say("bulletin_returned", lambda details: _("《%(title)s》被退回修改：%(reason)s") % details, _page)
    say(
        "figures_submitted",
        lambda details: _("%(unit)s提交了%(period)s的数字，等您审核。") % _named(details),
        _unit_page,
    )
    say(
        "figures_returned",
        lambda details: _("%(unit)s的%(period)s数字被退回，请查看原因，改正后重新提交。") % _named(details),
        _unit_page,
    )
    say(
        "figures_turn",
        lambda details: _("下级的%(period)s数字已全部通过，轮到%(unit)s提交。") % _named(details),
        _unit_page,
    )
    say(
        "figures_complete",
        lambda details: _("各地区的%(period)s数字已全部通过，可以冻结。") % _named(details),
        _freeze_page,
    )
    say(
        "figures_nobody",
        lambda details: (
            _("%(unit)s没有经办人员，%(period)s的数字无人提交；请安排人员，或批准免报，%(day)s 冻结。")
            % _named(details)
        ),
        _unit_page,
    )
    say("figures_excused", _excused, lambda details: reverse("bulletins:period_list"))
    say(
        "figures_submit_begun",
        lambda details: _("%(period)s已截止，请核对%(unit)s的数字并提交，%(day)s 冻结。") % _named(details),
        _unit_page,
    )
    say(
        "figures_submit_soon",
        lambda details: _("%(unit)s的%(period)s数字还没有提交，%(day)s 就要冻结。") % _named(details),
        _unit_page,
    )
    say(
        "figures_submit_due",
        lambda details: _("%(unit)s的%(period)s数字没有提交，%(day)s 起随时冻结。") % _named(details),
        _unit_page,
    )
    say(
        "figures_review_soon",
        lambda details: _("%(unit)s的%(period)s数字还在等您审核，%(day)s 就要冻结。") % _named(details),
        _unit_page,
    )
    say(
        "figures_review_due",
        lambda details: _("%(unit)s的%(period)s数字没有审核，%(day)s 起随时冻结。") % _named(details),
        _unit_page,
    )
