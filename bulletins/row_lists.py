"""The rows behind a figure as they are listed: for each ledger its columns."""

from typing import Any

from django.utils.translation import gettext_lazy

from common import listing
from common.listing import Column, Day, Title, Wan, Words
from projects.models import (
    Bottleneck,
    ChainProject,
    Consortium,
    Investment,
    KeyProject,
    Participation,
    ProjectRegion,
    ProjectResult,
    QualityMap,
    SpecDemand,
)


def _unit(label: Any, path: str = "bureau") -> Column:
    return Column("unit", label, f"{path}__short_name", order=(f"{path}__code",), css="tight")


BY_PROJECT = Column("unit", gettext_lazy("受理单位"), "project__bureau__short_name")

ROW_LISTS: dict[type, tuple[Column, ...]] = {
    ChainProject: (
        Title(
            "name",
            gettext_lazy("项目"),
            "name",
            url="projects:project_detail",
            key="code",
            sub=Column("code", gettext_lazy("项目编号"), "code", css="code"),
        ),
        Column("chain", gettext_lazy("产业链"), "chain__name"),
        _unit(gettext_lazy("受理单位")),
        Day("start", gettext_lazy("开始日期"), "start_on"),
        Day("closed", gettext_lazy("结项日期"), "closed_on"),
    ),
    ProjectRegion: (
        Title(
            "name",
            gettext_lazy("项目"),
            "project__name",
            url="projects:project_detail",
            key="project__code",
            sub=Column("code", gettext_lazy("项目编号"), "project__code", css="code"),
        ),
        Column("led_by", gettext_lazy("牵头单位"), "project__bureau__short_name", css="tight"),
        _unit(gettext_lazy("参与单位")),
        Day("start", gettext_lazy("开始日期"), "project__start_on"),
    ),
    Consortium: (
        Title(
            "name",
            gettext_lazy("联合体"),
            "name",
            url="projects:consortium_detail",
            key="code",
            sub=Column("code", gettext_lazy("联合体编号"), "code", css="code"),
        ),
        Column("chain", gettext_lazy("产业链"), "chain__name"),
        _unit(gettext_lazy("受理单位")),
        Day("founded", gettext_lazy("组建日期"), "founded_on"),
        Day("dissolved", gettext_lazy("解散日期"), "dissolved_on"),
    ),
    Participation: (
        Title(
            "name",
            gettext_lazy("组织"),
            "organization__name",
            url="enterprises:organization_detail",
            key="organization__uscc",
            sub=Column("uscc", gettext_lazy("统一社会信用代码"), "organization__uscc", css="code"),
        ),
        Column("project", gettext_lazy("项目"), "project__name"),
        _unit(gettext_lazy("接纳单位")),
        Day("joined", gettext_lazy("加入日期"), "joined_on"),
        Day("left", gettext_lazy("退出日期"), "left_on"),
    ),
    KeyProject: (
        Title(
            "name",
            gettext_lazy("攻关项目"),
            "name",
            url="projects:key_project_detail",
            key="code",
            sub=Column("code", gettext_lazy("攻关编号"), "code", css="code"),
        ),
        Column("project", gettext_lazy("所属项目"), "project__name"),
        _unit(gettext_lazy("受理单位"), "project__bureau"),
        Day("contract", gettext_lazy("签约日期"), "contract_on"),
        Day("accepted", gettext_lazy("验收日期"), "accepted_on"),
    ),
    ProjectResult: (
        Column("name", gettext_lazy("成果名称"), "title"),
        Words("kind", gettext_lazy("成果类型"), "kind", choices=ProjectResult.Kind.choices),
        Column("number", gettext_lazy("发布编号"), "number", css="code"),
        Title(
            "project",
            gettext_lazy("所属项目"),
            "project__name",
            url="projects:project_detail",
            key="project__code",
        ),
        _unit(gettext_lazy("受理单位"), "project__bureau"),
        Day("published", gettext_lazy("发布日期"), "published_on"),
    ),
    SpecDemand: (
        Title(
            "title",
            gettext_lazy("标准或规范"),
            "title",
            url="projects:spec_demand",
            key="code",
            sub=Column("code", gettext_lazy("需求单编号"), "code", css="code"),
        ),
        Column("number", gettext_lazy("发布编号"), "published_no", css="code"),
        Column("chain", gettext_lazy("产业链"), "chain__name"),
        _unit(gettext_lazy("提出单位")),
        Day("published", gettext_lazy("发布日期"), "published_on"),
    ),
    Investment: (
        Title(
            "key_project",
            gettext_lazy("攻关项目"),
            "key_project__name",
            url="projects:key_project_detail",
            key="key_project__code",
            sub=Column("voucher", gettext_lazy("入账凭证号"), "voucher", css="code"),
        ),
        Column("firm", gettext_lazy("投入企业"), "organization__name"),
        _unit(gettext_lazy("受理单位"), "key_project__project__bureau"),
        Wan("amount", gettext_lazy("金额（万元）"), "amount"),
        Day("booked", gettext_lazy("入账日期"), "booked_on"),
    ),
    QualityMap: (
        Column("chain", gettext_lazy("产业链"), "chain__name"),
        listing.Number("version", gettext_lazy("版本"), "version"),
        _unit(gettext_lazy("编制单位")),
        listing.Number("sheets", gettext_lazy("张数"), "sheet_count"),
        Day("drawn", gettext_lazy("绘制日期"), "drawn_on"),
    ),
    Bottleneck: (
        Title(
            "title",
            gettext_lazy("问题"),
            "title",
            url="projects:bottleneck_detail",
            key="public_id",
            sub=Column("code", gettext_lazy("问题编号"), "code", css="code"),
        ),
        Column("firm", gettext_lazy("企业"), "organization__name"),
        _unit(gettext_lazy("受理单位")),
        listing.State("status", gettext_lazy("现在的状态"), "status", model=Bottleneck),
        Day("submitted", gettext_lazy("提交日期"), "submitted_at"),
        Day("resolved", gettext_lazy("解决日期"), "resolved_at"),
    ),
}
