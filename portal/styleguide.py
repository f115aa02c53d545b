"""Every building block with plausible content, for those who build pages. Served in development only."""

from datetime import timedelta
from types import SimpleNamespace as Row
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from common import charts, formats, printing


class FilterForm(forms.Form):
    q = forms.CharField(
        label="关键词", required=False, widget=forms.TextInput(attrs={"placeholder": "编号、标题、企业"})
    )
    status = forms.ChoiceField(
        label="状态",
        required=False,
        choices=[("", "全部"), ("submitted", "待核实"), ("in_progress", "攻关中"), ("resolved", "已解决")],
    )
    chain = forms.ChoiceField(
        label="产业链",
        required=False,
        choices=[("", "全部"), ("battery", "动力电池"), ("ship", "高技术船舶"), ("robot", "工业机器人")],
    )
    clock = forms.ChoiceField(
        label="期限", required=False, choices=[("", "全部"), ("amber", "临近期限"), ("red", "已超期")]
    )


class FilingForm(forms.Form):
    title = forms.CharField(
        label="问题名称",
        max_length=60,
        help_text="用一句话说清哪个产品、哪项指标出了什么问题，办理人员据此判断由谁处理。",
        widget=forms.TextInput(attrs={"data-count": True}),
    )
    symptom = forms.CharField(
        label="问题表现",
        max_length=500,
        help_text="何时、何处、在什么条件下出现；写得越具体，越容易找到已有的解决办法。",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    chain = forms.ChoiceField(
        label="所在产业链",
        choices=[("", "请选择"), ("battery", "动力电池"), ("ship", "高技术船舶")],
        help_text="用于查找同链上已经解决的类似问题。",
    )
    present = forms.DecimalField(
        label="目前数值",
        help_text="现在能做到多少，作为解决前的对照。",
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )
    urgency = forms.ChoiceField(
        label="紧急程度",
        choices=[("critical", "特急"), ("urgent", "急"), ("normal", "一般")],
        widget=forms.RadioSelect,
        help_text="已造成停产或退货的选“特急”。",
    )
    nqi = forms.MultipleChoiceField(
        label="缺少哪类技术支撑",
        choices=[("MET", "计量"), ("STD", "标准"), ("TST", "检验检测"), ("CER", "认证"), ("ACC", "认可")],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="不确定可以不选，由市场监管部门核实时补充。",
    )
    due = forms.DateField(
        label="希望解决的日期", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    attachments = forms.FileField(
        label="附件", required=False, help_text="检测报告、照片、图纸，单个不超过 20 MB。"
    )
    not_secret = forms.BooleanField(label="我确认填报内容不涉及国家秘密和工作秘密")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["present"].suffix = "ppm"  # type: ignore[attr-defined]


def styleguide(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    filing = FilingForm(
        {
            "title": "动力电池隔膜耐高温收缩率检测方法不统一",
            "present": "三点五",
            "urgency": "urgent",
            "nqi": ["STD", "TST"],
        }
    )
    filing.is_valid()
    rows = [
        Row(
            code="DK-2024-320505-00017",
            title="动力电池隔膜耐高温收缩率检测方法不统一，上下游判定结果相差三成",
            firm="演示·苏州锦泽新材料有限公司",
            chain="动力电池",
            status=("submitted", "待核实"),
            clock={"state": "red", "remaining": -2, "share": 1.0},
            filed=now - timedelta(days=9),
            effect=12_345_678,
        ),
        Row(
            code="DK-2024-320505-00016",
            title="船用厚板焊缝相控阵超声检测缺少校准试块",
            firm="演示·南通海工装备有限公司",
            chain="高技术船舶",
            status=("in_progress", "攻关中"),
            clock={"state": "amber", "remaining": 3, "share": 0.8},
            filed=now - timedelta(days=34),
            effect=3_200_000,
        ),
        Row(
            code="DK-2024-320505-00015",
            title="减速器传动误差测量不确定度过大",
            firm="演示·昆山精驰传动有限公司",
            chain="工业机器人",
            status=("verification", "核验中"),
            clock={"state": "green", "remaining": 11, "share": 0.27},
            filed=now - timedelta(hours=5),
            effect=None,
        ),
        Row(
            code="DK-2024-320505-00012",
            title="出口电池组欧盟合格评定依据不明",
            firm="演示·常熟恒启能源有限公司",
            chain="动力电池",
            status=("returned", "退回补正"),
            clock={"state": "paused"},
            filed=now - timedelta(days=60),
            effect=860_000,
        ),
    ]
    figures = [
        ("实施项目", 952, 713, "个"),
        ("组建联合体", 889, 642, "个"),
        ("链主企业", 2087, 1833, "家"),
        ("链员企业", 180_000, 151_234, "家"),
        ("赋能机构", 2952, 2952, "家"),
        ("重点攻关项目", 3176, 0, "个"),
        ("解决堵点卡点问题", 14_391, 15_022, "个"),
    ]
    events = [
        Row(
            at=now - timedelta(hours=3),
            code="returned",
            sentence="演示·吴江区市场监督管理局退回补正，等企业在 2026-12-04 周五前补齐。",
            note="请补充：一、三批次收缩率原始记录；二、下游客户的判定标准编号。",
            actor="吴江区局 张演示",
            files=[],
            internal=False,
            other_side=True,
        ),
        Row(
            at=now - timedelta(days=2),
            code="submitted",
            sentence="演示·苏州锦泽新材料有限公司提交问题，编号 DK-2024-320505-00017。",
            note="",
            actor="李演示",
            files=[Row(url="#files", name="隔膜收缩率比对记录（三批次）.pdf", size=482_113, note="PDF")],
            internal=False,
            other_side=False,
        ),
        Row(
            at=now - timedelta(days=3),
            code="draft",
            sentence="开始填写。",
            note="",
            actor="李演示",
            files=[],
            internal=True,
            other_side=False,
        ),
    ]
    states = [
        ("draft", "草稿"),
        ("submitted", "待核实"),
        ("returned", "退回补正"),
        ("accepted", "已受理"),
        ("listed", "列入清单"),
        ("dispatched", "已派单"),
        ("in_progress", "攻关中"),
        ("suspended", "暂缓"),
        ("solution_filed", "待企业确认"),
        ("verification", "核验中"),
        ("partly", "阶段性解决"),
        ("resolved", "已解决"),
        ("reopened", "反弹重开"),
        ("rejected", "不予受理"),
        ("merged", "已归并"),
        ("withdrawn", "已撤回"),
    ]
    steps = [
        Row(label="发生了什么", state="done", href="#steps"),
        Row(label="有多严重", state="current", href=""),
        Row(label="需要什么帮助", state="fault", href="#steps"),
        Row(label="核对并提交", state="todo", href=""),
    ]
    return render(
        request,
        "styleguide.html",
        {
            "filter_form": FilterForm(request.GET, auto_id="filter-%s"),
            "filing": filing,
            "rows": rows,
            "page": Paginator(range(1268), 20).get_page(request.GET.get("page") or 7),
            "figures": [
                {
                    "label": label,
                    "value": formats.count(this),
                    "unit": unit,
                    "change": printing.change(this, last),
                    "sparkline": charts.render(
                        charts.Sparkline(label, (last, last * 1.05 + 20, this * 0.97, this))
                    ),
                }
                for label, this, last, unit in figures
            ],
            "events": events,
            "states": states,
            "steps": steps,
            "facts": [
                ("所在产业链", "动力电池 · 隔膜（中游）"),
                ("目前数值", "3.5 %"),
                ("目标", "不高于 1.0 %"),
                ("预计影响", formats.money(12_345_678)),
                ("承担机构", None),
            ],
            "tabs": [
                Row(label="待办", href="#tabs", current=True, number=12),
                Row(label="临近期限", href="#tabs", current=False, number=3),
                Row(label="全部", href="#tabs", current=False, number=None),
            ],
            "tasks": [
                Row(label="企业基本情况", href="#tasks", code="done", state="已填", hint=""),
                Row(
                    label="问题与目标",
                    href="#tasks",
                    code="running",
                    state="正在填",
                    hint="还差：目标值、期限",
                ),
                Row(label="附件", href="", code="queued", state="尚未开始", hint="填完上一项后可用"),
            ],
            "rail_counts": {
                "inbox": 12,
                "problems": 1268,
                "projects": 34,
                "consortia": 21,
                "key_projects": 57,
            },
        },
    )
