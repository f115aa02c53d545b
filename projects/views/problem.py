"""The page of one problem for all its parties, and its files."""

import uuid
from collections.abc import Container
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from common import charts, downloads, formats
from common.steps import refusals_told
from enterprises.models import Organization
from projects import followups, services, specs, twins
from projects.clock import about_clock, clock_of, turn_of
from projects.facts import facts_of, plain, unit_of
from projects.field_classes import FIELDS, FieldClass, open_to, reader_of
from projects.forms.filing import UploadForm
from projects.forms.followups import FollowUpForm
from projects.instruments import offered_for
from projects.models import Attachment, Beneficiary, Bottleneck, ChainProject, FollowUp, KeyProject, Measure
from projects.proof import alarm_of
from projects.timeline import events_of, file_entry
from projects.views.opinions import opinions_of
from projects.views.specs import waits_of
from projects.workflow import MOVES, STATES, Choice, choices_for, judge
from record.services import looked_at

# Shown in the browser itself; everything else is saved. Neither can carry a script.
SHOWN_IN_BROWSER = ("image/jpeg", "image/png")
# Policies offered on the page of a problem; a link leads to all.
POLICIES_SHOWN = 5
# Children of a master listed on its page; the number says how many there are.
CHILDREN_SHOWN = 20


def posted_version(request: HttpRequest) -> int:
    """The revision that the page was made from; 0 fits no row."""
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


@login_required
@require_GET
def detail(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One problem: state, next step, facts, measures, evidence, files and record."""
    user = request.user
    rows = Bottleneck.objects.select_related(
        "organization", "chain", "segment", "bureau", "handler__parent", "assigned_to", "project",
        "merged_into", "list_owner", "escalated_to", "contact",
    )  # fmt: skip
    row = rows.visible_to(user).filter(public_id=public_id).first()
    if row is None:
        return _shared(request, get_object_or_404(rows.shared_with(user), public_id=public_id))
    if row.status == Bottleneck.Status.DRAFT and services.row_is_editable_by(row, user):
        return redirect("projects:bottleneck_edit", row.public_id, "check")
    looked_at(row, row.organization_id, user)
    measures = list(row.measures.all())
    contact, actions = row.contact_for(user), actions_for(row, user)
    children = Bottleneck.objects.visible_to(user).filter(merged_into=row).select_related("organization")
    master = row.merged_into and Bottleneck.objects.visible_to(user).filter(pk=row.merged_into.pk).first()
    helped = Organization.objects.judged("entered as helped by what the user reads")
    entered = twins.entered_beneficiaries(Beneficiary.objects.visible_to(user), row)
    evidence = list(row.evidence.select_related("attachment"))
    context = {
        "bottleneck": row,
        "state": STATES[row.status],
        "clock": clock_of(row),
        "turn": turn_of(row),
        "about_clock": about_clock(row),
        "may_refile": row.status in services.REFILED and services.files_for(row, user),
        "actions": actions,
        "yours": any(STATES[row.status].turn in action["parties"] for action in actions["allowed"]),
        "facts": {step: facts_of(row, step, measures, contact) for step in ("happening", "extent", "help")},
        "measures": [(measure, charts.render(bullet_of(measure))) for measure in measures],
        "decisions": decisions_of(row),
        "evidence": evidence,
        "alarm": alarm_of(evidence),
        "spec_waits": waits_of(row, user),
        "may_demand": not specs.why_not_wait(row, user),
        **opinions_of(row, user),
        **_follow_ups(row, user),
        "files": [file_entry(attachment) for attachment in row.attachments.all()],
        "events": events_of(row, master),
        "master": master,
        "firm_is_linked": Organization.objects.readable_by(user).filter(pk=row.organization_id).exists(),
        "children": children[:CHILDREN_SHOWN],
        "children_total": children.count(),
        "beneficiaries": twins.beneficiaries(row),
        "entered": helped.filter(pk__in=entered.order_by().values("organization"))[:CHILDREN_SHOWN],
        "twins": twins.waiting(row, user),
        "project": row.project and ChainProject.objects.visible_to(user).filter(pk=row.project.pk).first(),
        "key_projects": KeyProject.objects.visible_to(user).filter(bottlenecks=row),
        "policies": list(offered_for(row)[:POLICIES_SHOWN]),
        "upload_form": UploadForm(),
        "may_attach": services.may_attach(row, user),
    }
    return render(request, "projects/bottleneck_detail.html", context)


@login_required
@require_POST
def refile(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """A new draft from a withdrawn or lapsed problem, opened at its first step."""
    rows = Bottleneck.objects.visible_to(request.user).select_related("organization__bureau")
    row = get_object_or_404(rows, public_id=public_id)
    with refusals_told(request):
        draft = services.refile(row, by=request.user, public_id=uuid.uuid4())
        messages.success(request, _("已按原来的内容新建草稿，核对后提交，编号另起。"))
        return redirect("projects:bottleneck_edit", draft.public_id, "happening")
    return redirect("projects:bottleneck_detail", row.public_id)


def _shared(request: HttpRequest, row: Bottleneck) -> HttpResponse:
    """As much of the problem as may be read by somebody who is no party of it."""
    user = request.user
    reader = reader_of(user)
    readable = open_to(reader)
    if reader > FieldClass.PUBLIC:
        looked_at(row, row.organization_id, user)
    measures = list(row.measures.all()) if "measures" in readable else []
    contact = row.contact_for(user) if "contact" in readable else None
    facts = {
        step: [fact for fact in facts_of(row, step, measures, contact) if fact.name in readable and fact.text]
        for step in ("happening", "extent", "help")
    }
    context = {
        "bottleneck": row,
        "readable": readable,
        "by_bureau": reader == FieldClass.GOVERNMENT,
        "facts": facts,
        "measures": [(measure, charts.render(bullet_of(measure))) for measure in measures],
        "decisions": decisions_of(row, readable),
        "list_url": reverse(f"projects:{'shared' if reader == FieldClass.GOVERNMENT else 'published'}_list"),
    }
    return render(request, "projects/bottleneck_shared.html", context)


def actions_for(row: Bottleneck, user: User) -> dict[str, Any]:
    """The moves out of this state: those that the user may make, and the others by the reason why not."""
    allowed: list[dict[str, Any]] = []
    refused: dict[str, list[Choice]] = {}
    # What brings the problem furthest stands first, what ends it last.
    life = list(Bottleneck.Status)

    def last_first(choice: Choice) -> tuple[bool, bool, int]:
        move = choice.move
        return move.ends, move.target is None, -life.index(move.leads_to(row.status))

    for choice in sorted(choices_for(row, user), key=last_first):
        if not choice.allowed:
            refused.setdefault(choice.refusal, []).append(choice)
            continue
        # A filing is submitted from the page on which its answers are checked.
        href = (
            reverse("projects:bottleneck_edit", args=[row.public_id, "check"])
            if choice.move.name == "submit"
            else reverse("projects:bottleneck_move", args=[row.public_id, choice.move.name])
        )
        move = choice.move
        label = _("补正并重新提交") if move.name == "submit" else move.label
        allowed.append({"label": label, "href": href, "ends": move.ends, "parties": move.parties})
    return {"allowed": allowed, "refused": list(refused.items())}


def bullet_of(measure: Measure) -> charts.Bullet:
    """A metric as a drawing: present value, target, and the value after the solution."""
    return charts.Bullet(
        title=measure.metric,
        baseline=measure.value_now,
        target=measure.target,
        after=measure.value_after,
        baseline_text=plain(measure.value_now),
        target_text=f"{measure.get_comparison_display()} {plain(measure.target)}",
        after_text=plain(measure.value_after) or formats.BLANK,
        unit=unit_of(measure),
    )


def decisions_of(row: Bottleneck, readable: Container[str] = FIELDS) -> list[tuple[str, Any]]:
    """What the bureau has decided so far, as pairs of label and text; of the fields that are readable."""
    decided = [
        ("grade", _("级别"), row.get_grade_display()),
        ("is_common", _("共性问题"), _("是") if row.is_common else ""),
        ("route", _("解决路径"), row.get_route_display()),
        ("assigned_to", _("承担机构"), row.assigned_to),
        ("due_on", _("解决期限"), formats.day_weekday(row.due_on) if row.due_on else ""),
        ("list_owner", _("清单单位"), row.list_owner),
        ("result", _("解决类型"), row.get_result_display()),
    ]
    return [(label, value) for name, label, value in decided if value and name in readable]


# --- Does it last? ------------------------------------------------------------------------------------------


def _follow_ups(row: Bottleneck, user: User) -> dict[str, Any]:
    """What the firm answered, and the form of the question that waits for it."""
    if row.resolved_at is None:
        return {}
    waiting = followups.open_questions(row, user)
    return {
        "follow_ups": list(row.follow_ups.exclude(answer="").select_related("answered_by")),
        "question": waiting[0] if waiting else None,
        "question_form": FollowUpForm(),
    }


@login_required
@require_POST
def follow_up(request: HttpRequest, public_id: uuid.UUID, months: int) -> HttpResponse:
    """The firm answers whether the solution lasts; what has come back leads to the reopening."""
    row = get_object_or_404(Bottleneck.objects.visible_to(request.user), public_id=public_id)
    question = row.follow_ups.filter(months=months).last()
    if question is None:
        raise Http404
    if question not in followups.open_questions(row, request.user):
        raise PermissionDenied(_("这次回访由提出企业的填报人答复，每次只答复一次。"))
    form, page = FollowUpForm(request.POST), reverse("projects:bottleneck_detail", args=[row.public_id])
    if not form.is_valid():
        for sentence in [fault for faults in form.errors.values() for fault in faults]:
            messages.error(request, sentence)
        return redirect(f"{page}#follow-ups")
    followups.answer(question, by=request.user, **form.cleaned_data)
    messages.success(request, _("已记录您的答复，办理单位能看到。"))
    if question.answer == FollowUp.Answer.CAME_BACK:
        choice = judge(row, MOVES["reopen"], request.user)
        if choice.allowed:
            return redirect("projects:bottleneck_move", row.public_id, "reopen")
        messages.info(request, choice.refusal)
    return redirect(f"{page}#follow-ups")


# --- Files -------------------------------------------------------------------------------------------------


@login_required
@require_GET
def attachment(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """A file of a problem for those who may see the problem; never run by the browser."""
    row = get_object_or_404(
        Attachment.objects.visible_to(request.user).select_related(
            "bottleneck__bureau", "bottleneck__organization"
        ),
        public_id=public_id,
    )
    looked_at(row, row.bottleneck.organization_id, request.user)
    return downloads.uploaded(row.file, row.mime, row.name, shown=row.mime in SHOWN_IN_BROWSER)


@login_required
@require_POST
def attach(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Add files to a problem whose turn it is with the user."""
    row = get_object_or_404(
        Bottleneck.objects.visible_to(request.user).select_related("handler", "bureau"), public_id=public_id
    )
    if not services.may_attach(row, request.user):
        raise PermissionDenied(_("现在不轮到您补充材料。"))
    uploads = request.FILES.getlist("files")
    added = 0
    for upload in uploads:
        with refusals_told(request):
            services.attach(row, upload, by=request.user)
            added += 1
    if added:
        words = ngettext("已补充 %(n)s 个附件。", "已补充 %(n)s 个附件。", added) % {"n": added}
        messages.success(request, words)
    elif not uploads:
        messages.error(request, _("请先选择文件，再点“上传”。"))
    return redirect(f"{reverse('projects:bottleneck_detail', args=[row.public_id])}#files")
