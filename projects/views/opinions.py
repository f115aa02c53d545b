"""Asking an expert about a problem in verification, and the expert's answer."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import User
from common.steps import refusals_told
from projects import opinions
from projects.forms.opinions import AskForm, OpinionForm
from projects.models import Bottleneck, ExpertOpinion


def opinions_of(row: Bottleneck, user: User) -> dict[str, Any]:
    """For the page of a problem: what officers read of opinions, and a form for who has something to do."""
    asks = opinions.grant_to_ask(row, user) is not None
    question = opinions.question_for(row, user)
    known = row.opinions.select_related("expert")
    if not user.scope.is_of_bureau:
        known = known.filter(expert=user) if user.scope.expert_id else known.none()
    return {
        "opinions": list(known),
        "ask_form": AskForm(experts=opinions.experts_for(row, but=user)) if asks else None,
        "opinion_asked": question,
        "opinion_form": OpinionForm() if question else None,
    }


def _page(request: HttpRequest, row: Bottleneck) -> HttpResponse:
    """Back to the problem, or to the desk when it is no more the reader's."""
    if Bottleneck.objects.visible_to(request.user).filter(pk=row.pk).exists():
        return redirect(f"{reverse('projects:bottleneck_detail', args=[row.public_id])}#opinions")
    return redirect("projects:desk")


def _say_faults(request: HttpRequest, form: forms.Form) -> None:
    for sentence in [fault for faults in form.errors.values() for fault in faults]:
        messages.error(request, sentence)


@login_required
@require_POST
def ask(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    row = get_object_or_404(
        Bottleneck.objects.visible_to(request.user).select_related("bureau"), public_id=public_id
    )
    if opinions.grant_to_ask(row, request.user) is None:
        raise PermissionDenied(_("省级和国家级问题核验时，由可以核验的经办人送请专家出具意见。"))
    form = AskForm(request.POST, experts=opinions.experts_for(row, but=request.user))
    if not form.is_valid():
        _say_faults(request, form)
        return _page(request, row)
    with refusals_told(request):
        opinions.ask(row, form.chosen(), by=request.user, question=form.cleaned_data["question"])
        messages.success(request, _("已送请专家。专家答复前，问题不能核验通过。"))
    return _page(request, row)


@login_required
@require_POST
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    asked = get_object_or_404(
        ExpertOpinion.objects.visible_to(request.user).select_related("bottleneck"), pk=pk
    )
    question = opinions.question_for(asked.bottleneck, request.user)
    if question is None or question.pk != asked.pk:
        raise PermissionDenied(_("由被请的专家在核验期间答复，每次只答复一次。"))
    form = OpinionForm(request.POST)
    if not form.is_valid():
        _say_faults(request, form)
        return _page(request, asked.bottleneck)
    opinions.answer(asked, by=request.user, **form.cleaned_data)
    messages.success(request, _("已记录您的意见，送审的经办人会看到。"))
    return _page(request, asked.bottleneck)
