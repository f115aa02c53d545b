"""The first page of the admin site: what needs an administrator's hand today."""

from datetime import timedelta
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Grant, User
from bulletins.models import Bulletin, Period, Snapshot
from common.jobs import Job
from enterprises.models import IndustryChain, Organization
from projects.models import Bottleneck, ChainProject, Consortium, KeyProject


class Figure(NamedTuple):
    label: str
    value: int
    href: str
    # What is to be done, when something is.
    note: str = ""


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Adds to the context of `admin/index.html`."""
    user: Any = request.user
    administrator = user.administered
    today = timezone.localdate()
    problems = Bottleneck.objects.visible_to(administrator).counted()
    grants = Grant.objects.visible_to(administrator)
    failed = Job.State.FAILED
    context["stock"] = [
        Figure(
            _("组织"),
            Organization.objects.visible_to(administrator).count(),
            _list("enterprises_organization"),
        ),
        Figure(
            _("质量强链项目"),
            ChainProject.objects.visible_to(administrator).counted().count(),
            _list("projects_chainproject"),
        ),
        Figure(
            _("联合体"),
            Consortium.objects.visible_to(administrator).counted().count(),
            _list("projects_consortium"),
        ),
        Figure(
            _("重点攻关项目"),
            KeyProject.objects.visible_to(administrator).counted().count(),
            _list("projects_keyproject"),
        ),
        Figure(_("在办问题"), problems.open().count(), _list("projects_bottleneck")),
        Figure(
            _("产业链"), IndustryChain.objects.valid_on(today).count(), _list("enterprises_industrychain")
        ),
    ]
    context["attention"] = [
        figure
        for figure in (
            Figure(
                _("超期问题"),
                problems.overdue_on(today).count(),
                reverse("projects:bottleneck_list", query={"clock": "overdue"}),
                _("时限已过，提醒办理单位"),
            ),
            Figure(
                _("失败的汇总或冻结"),
                Snapshot.objects.filter(job_state=failed).count(),
                _list("bulletins_snapshot", job_state__exact=failed),
                _("查看原因后重新汇总"),
            ),
            Figure(
                _("未生成 PDF 的通报"),
                Bulletin.objects.visible_to(user).filter(job_state=failed).count(),
                _list("bulletins_bulletin", job_state__exact=failed),
                _("查看原因后重新生成"),
            ),
            Figure(
                _("30 天内到期的授权"),
                grants.filter(expires_on__gte=today, expires_on__lte=today + timedelta(days=30)).count(),
                _list("accounts_grant"),
                _("需要延长的请修改失效日期"),
            ),
            Figure(
                _("没有授权的用户"),
                User.objects.filter(grants=None, is_active=True, is_superuser=False).count(),
                _list("accounts_user"),
                _("登录后什么也看不到"),
            ),
        )
        if figure.value
    ]
    context["periods"] = Period.objects.order_by("-end_on", "start_on")[:6]
    return context


def _list(name: str, **query: Any) -> str:
    return reverse(f"admin:{name}_changelist", query=query or None)
