"""Bureaus, divisions, industrial chains and organisations (`domain.md` 2.1, 3.2, 3.6, 3.7, 3.10)."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Length
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from common import uscc
from common.fields import CodeSetField
from common.inserting import answered
from enterprises.querysets import (
    BoundaryChangeQuerySet,
    BureauQuerySet,
    ChainQuerySet,
    DivisionQuerySet,
    OrganizationQuerySet,
)
from enterprises.standing import InForce

models.CharField.register_lookup(Length)


class NqiElement(models.TextChoices):
    """The five elements of the national quality infrastructure (`domain.md` 3.4)."""

    METROLOGY = "MET", _("计量")
    STANDARDS = "STD", _("标准")
    TESTING = "TST", _("检验检测")
    CERTIFICATION = "CER", _("认证")
    ACCREDITATION = "ACC", _("认可")


class Division(models.Model):
    """An administrative division of GB/T 2260, dated: codes retire and are never given out again."""

    class Level(models.IntegerChoices):
        NATION = 0, _("国家")
        PROVINCE = 1, _("省级")
        CITY = 2, _("地级")
        COUNTY = 3, _("县级")

    code = models.CharField(_("区划代码"), max_length=6, unique=True, validators=[RegexValidator(r"^\d{6}$")])
    name = models.CharField(_("名称"), max_length=60)
    short_name = models.CharField(_("简称"), max_length=30)
    level = models.PositiveSmallIntegerField(_("层级"), choices=Level)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("上级区划")
    )
    valid_from = models.DateField(_("启用日期"))
    valid_to = models.DateField(_("停用日期"), null=True, blank=True)
    replaced_by = models.ManyToManyField(
        "self", symmetrical=False, blank=True, related_name="replaces", verbose_name=_("由谁取代")
    )

    objects = DivisionQuerySet.as_manager()

    class Meta:
        verbose_name = _("行政区划")
        verbose_name_plural = _("行政区划")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                name="division_valid_order",
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                violation_error_message=_("区划的停用日期应晚于启用日期。"),
            ),
        ]

    def __str__(self):
        return f"{self.code} {self.name}"


class Bureau(models.Model):
    """A market-supervision bureau: reporting line and statistical unit in one (`domain.md` 2.1).

    One that was merged or split up (``valid_to``) stays, right below the bureau that came in its place: what
    it did is that one's history, and counts there. It stands in no list of now. A code is never changed, for
    retired ones are not given out again: a unit with a new code is a new unit (`BoundaryChange`).
    """

    class Level(models.IntegerChoices):
        NATIONAL = 0, _("总局")
        PROVINCE = 1, _("省级局")
        CITY = 2, _("市级局")
        COUNTY = 3, _("县级局")
        OUTPOST = 4, _("派出机构")

    code = models.CharField(
        _("单位代码"), max_length=12, unique=True, validators=[RegexValidator(r"^\d{6,12}$")]
    )
    name = models.CharField(_("名称"), max_length=80)
    short_name = models.CharField(_("简称"), max_length=30, help_text=_("统计表中的地区名。"))
    level = models.PositiveSmallIntegerField(_("层级"), choices=Level, db_index=True)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("上级单位")
    )
    division = models.ForeignKey(
        Division, models.PROTECT, null=True, blank=True, related_name="bureaus", verbose_name=_("行政区划")
    )
    path = models.CharField(_("隶属路径"), max_length=80, unique=True, editable=False)
    is_separately_planned = models.BooleanField(
        _("计划单列市"), default=False, help_text=_("统计中列为所在省的“其中”项。")
    )
    valid_from = models.DateField(
        _("设立日期"), null=True, blank=True, editable=False, help_text=_("由区划变更设立的单位才有。")
    )
    valid_to = models.DateField(
        _("撤销日期"), null=True, blank=True, editable=False, help_text=_("从这一天起不再是现设单位。")
    )
    # The key, while it exists: that to which rows of now point (`InForce`).
    standing = models.GeneratedField(
        verbose_name=_("现设单位"),
        expression=models.Case(models.When(valid_to__isnull=True, then=F("id"))),
        output_field=models.BigIntegerField(),
        db_persist=True,
        unique=True,
    )

    objects = BureauQuerySet.as_manager()

    class Meta:
        verbose_name = _("市场监管部门")
        verbose_name_plural = _("市场监管部门")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                name="bureau_only_nation_has_no_parent",
                condition=Q(level=0, parent__isnull=True) | Q(level__gt=0, parent__isnull=False),
                violation_error_message=_("除总局外，每个单位都要有上级单位。"),
            ),
            models.CheckConstraint(
                name="bureau_not_its_own_parent",
                condition=Q(parent__isnull=True) | ~Q(parent=F("pk")),
                violation_error_message=_("单位不能以自己为上级。"),
            ),
            models.CheckConstraint(
                name="bureau_valid_order",
                condition=Q(valid_from__isnull=True)
                | Q(valid_to__isnull=True)
                | Q(valid_to__gte=F("valid_from")),
                violation_error_message=_("单位的撤销日期不能早于设立日期。"),
            ),
            models.CheckConstraint(
                name="bureau_nation_lasts",
                condition=Q(level__gt=0) | Q(valid_to__isnull=True),
                violation_error_message=_("总局不能撤销。"),
            ),
        ]

    def __str__(self):
        return self.name

    def save(self, *args, **kwargs):
        """Keep the stored path; a moved or renumbered bureau takes its subtree along."""
        old = self.path
        self.path = f"{self.parent.path if self.parent else ''}{self.code}/"
        with transaction.atomic():
            super().save(*args, **kwargs)
            if old and old != self.path:
                below = list(Bureau.objects.filter(path__startswith=old).exclude(pk=self.pk))
                for bureau in below:
                    bureau.path = self.path + bureau.path.removeprefix(old)
                Bureau.objects.bulk_update(below, ["path"])

    def clean(self):
        if self.parent is None:
            return
        if self.pk and self.parent.path.startswith(self.path):
            raise ValidationError({"parent": _("“%s”是本单位的下级，不能作为上级。") % self.parent})
        if self.parent.level >= self.level:
            raise ValidationError({"parent": _("上级单位的层级应高于本单位。")})

    @property
    def line(self) -> list[str]:
        """The codes of the bureaus from the top down to this one."""
        return self.path.strip("/").split("/")

    @property
    def heir(self) -> "Bureau":
        """The bureau that is in this one's place now; itself, while it exists."""
        return self if self.valid_to is None or self.parent is None else self.parent.heir


class BoundaryChange(models.Model):
    """Bureaus merge, split, move or are renamed from a date, by a document (`domain.md` 5.4 rule 12).

    Planned by an administrator and carried out on its day by `projects.boundaries`; the row is the job.
    """

    class Kind(models.TextChoices):
        MERGE = "merge", _("合并")
        SPLIT = "split", _("拆分")
        MOVE = "move", _("改变隶属")
        RENAME = "rename", _("更名")

    class State(models.TextChoices):
        PLANNED = "planned", pgettext_lazy("boundary change", "待生效")
        DONE = "done", pgettext_lazy("boundary change", "已生效")
        CANCELLED = "cancelled", pgettext_lazy("boundary change", "已取消")

    kind = models.CharField(_("类型"), max_length=6, choices=Kind)
    effective_on = models.DateField(_("生效日期"), help_text=_("从这一天零时起按新的区划办理和统计。"))
    document = models.CharField(
        _("依据"), max_length=200, help_text=_("批准文件的名称和文号，例如“国函〔2026〕12号”。")
    )
    # For lists: 甲区 + 乙区 → 丙区.
    summary = models.CharField(_("单位"), max_length=300, blank=True, editable=False)
    carries_grants = models.BooleanField(
        _("人员的授权转到新单位"),
        default=False,
        help_text=_("范围会变大的授权，只有在此确认才转；否则到期终止，由管理员重新授权。"),
    )
    state = models.CharField(_("状态"), max_length=9, choices=State, default=State.PLANNED)
    planned_at = models.DateTimeField(_("登记时间"), auto_now_add=True)
    planned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("登记人")
    )
    ended_at = models.DateTimeField(_("生效或取消的时间"), null=True, blank=True)
    refusal = models.CharField(_("未能生效的原因"), max_length=300, blank=True)
    # How many rows followed, by model; and how many of them to the first successor, for want of a mark.
    moved = models.JSONField(_("随之变动的记录"), default=dict, blank=True)

    objects = BoundaryChangeQuerySet.as_manager()

    class Meta:
        verbose_name = _("区划变更")
        verbose_name_plural = _("区划变更")
        ordering = ["-effective_on", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="boundary_change_by_document",
                condition=~Q(document=""),
                violation_error_message=_("区划变更要写明依据。"),
            ),
            models.CheckConstraint(
                name="boundary_change_ended_at",
                condition=Q(state="planned", ended_at__isnull=True)
                | Q(state__in=["done", "cancelled"], ended_at__isnull=False),
                violation_error_message=_("已生效或已取消的区划变更要有时间，待生效的没有。"),
            ),
        ]

    def __str__(self):
        return f"{self.effective_on} {self.get_kind_display()}"

    @property
    def sources(self) -> list["BoundaryPart"]:
        return [part for part in self.parts.all() if part.side == BoundaryPart.Side.FROM]

    @property
    def targets(self) -> list["BoundaryPart"]:
        return [part for part in self.parts.all() if part.side == BoundaryPart.Side.TO]


class BoundaryPart(models.Model):
    """A bureau from which a change takes, or one that comes of it, founded on the day if it has none yet.

    ``takes`` are the marks of what goes to one of several successors: codes of divisions, of bureaus below,
    of organisations, of projects and consortia. ``was`` is how the bureau stood before. ``is_open`` while the
    change is planned.
    """

    class Side(models.TextChoices):
        FROM = "from", pgettext_lazy("boundary change", "原单位")
        TO = "to", pgettext_lazy("boundary change", "新单位")

    change = models.ForeignKey(
        BoundaryChange, models.CASCADE, related_name="parts", verbose_name=_("区划变更")
    )
    side = models.CharField(_("原单位或新单位"), max_length=4, choices=Side)
    position = models.PositiveSmallIntegerField(_("顺序"), default=0)
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, null=True, blank=True, related_name="boundary_parts", verbose_name=_("单位")
    )
    code = models.CharField(
        _("单位代码"), max_length=12, blank=True, validators=[RegexValidator(r"^\d{6,12}$")]
    )
    name = models.CharField(_("名称"), max_length=80, blank=True)
    short_name = models.CharField(_("简称"), max_length=30, blank=True)
    takes = models.JSONField(_("划入"), default=list, blank=True)
    stays = models.BooleanField(_("保留"), default=False, help_text=_("拆分后仍是现设单位。"))
    was = models.JSONField(_("变更前"), default=dict, blank=True)
    is_open = models.BooleanField(default=True, editable=False)

    class Meta:
        verbose_name = _("变更涉及的单位")
        verbose_name_plural = _("变更涉及的单位")
        ordering = ["change", "side", "position"]
        constraints = [
            models.UniqueConstraint(name="boundary_part_in_order", fields=["change", "side", "position"]),
            models.UniqueConstraint(
                name="boundary_part_once",
                fields=["change", "side", "bureau"],
                violation_error_message=_("同一个单位只能写一次。"),
            ),
            models.UniqueConstraint(
                name="boundary_one_change_at_a_time",
                fields=["bureau"],
                condition=Q(side="from", is_open=True),
                violation_error_message=_("这个单位已有一项待生效的区划变更，请先取消或等它生效。"),
            ),
            models.UniqueConstraint(
                name="boundary_code_founded_once",
                fields=["code"],
                condition=Q(side="to", is_open=True) & ~Q(code=""),
                violation_error_message=_("另一项待生效的区划变更也要设立这个代码的单位。"),
            ),
            models.CheckConstraint(
                name="boundary_part_is_some_bureau",
                condition=Q(bureau__isnull=False) | ~Q(code="") & ~Q(name="") & ~Q(short_name=""),
                violation_error_message=_("新设立的单位要有代码、名称和简称。"),
            ),
        ]

    def __str__(self):
        return self.called

    @property
    def called(self) -> str:
        """The name in tables: before the change for those it takes from, after it for those that come."""
        if self.side == self.Side.FROM:
            return str(self.was.get("short_name") or (self.bureau.short_name if self.bureau else ""))
        return self.short_name or str(self.was.get("short_name") or getattr(self.bureau, "short_name", ""))


class NumberSeries(models.Model):
    """The last number given out under a prefix, so that business codes are gapless and never reused."""

    prefix = models.CharField(_("前缀"), max_length=80, unique=True)
    last = models.PositiveIntegerField(_("最后编号"), default=0)

    class Meta:
        verbose_name = _("编号序列")
        verbose_name_plural = _("编号序列")

    def __str__(self):
        return f"{self.prefix}: {self.last}"

    @classmethod
    def next(cls, prefix: str) -> int:
        """The next number under ``prefix``.

        Raises TransactionManagementError outside the transaction that uses it: a number would be lost.
        """
        if not connection.in_atomic_block:
            raise transaction.TransactionManagementError("A number is given out with the row that bears it.")
        table = connection.ops.quote_name(cls._meta.db_table)
        (number,) = answered(
            f"INSERT INTO {table} (prefix, last) VALUES (%s, 1)"  # noqa: S608
            f" ON CONFLICT (prefix) DO UPDATE SET last = {table}.last + 1 RETURNING last",
            [prefix],
        )
        return number


class IndustryChain(models.Model):
    """A named industrial chain of a bureau's catalogue; not a statistical class (`domain.md` 1.1, 3.7)."""

    class Klass(models.TextChoices):
        TRADITIONAL = "traditional", _("传统产业")
        STRATEGIC = "strategic", _("战略性新兴产业")
        FUTURE = "future", _("未来产业")
        LIVELIHOOD = "livelihood", _("民生消费")

    code = models.CharField(_("产业链代码"), max_length=20, unique=True)
    name = models.CharField(_("产业链名称"), max_length=60)
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, db_constraint=False, related_name="chains", verbose_name=_("目录管理单位")
    )
    klass = models.CharField(_("产业类别"), max_length=12, choices=Klass)
    steward = models.CharField(_("链长单位"), max_length=80, blank=True)
    gbt4754_classes = models.JSONField(
        _("国民经济行业小类"), default=list, help_text=_("GB/T 4754-2017 四位小类代码。")
    )
    valid_from = models.DateField(_("启用日期"))
    valid_to = models.DateField(_("停用日期"), null=True, blank=True)

    objects = ChainQuerySet.as_manager()

    class Meta:
        verbose_name = _("产业链")
        verbose_name_plural = _("产业链")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                name="chain_valid_order",
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                violation_error_message=_("产业链的停用日期应晚于启用日期。"),
            ),
            InForce(field="bureau", name="chain_bureau_in_force"),
        ]

    def __str__(self):
        return self.name


class ChainSegment(models.Model):
    """A node of the chain map: upstream, midstream or downstream (`domain.md` 3.7)."""

    class Stream(models.TextChoices):
        UP = "up", _("上游")
        MID = "mid", _("中游")
        DOWN = "down", _("下游")

    chain = models.ForeignKey(
        IndustryChain, models.CASCADE, related_name="segments", verbose_name=_("产业链")
    )
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("上级环节")
    )
    stream = models.CharField(_("位置"), max_length=4, choices=Stream)
    name = models.CharField(_("环节名称"), max_length=60)
    position = models.PositiveSmallIntegerField(_("顺序"), default=0)
    localisation_rate = models.DecimalField(
        _("国产化率（%）"), max_digits=5, decimal_places=2, null=True, blank=True
    )

    class Meta:
        verbose_name = _("产业链环节")
        verbose_name_plural = _("产业链环节")
        ordering = ["chain", "position", "pk"]
        constraints = [
            models.CheckConstraint(
                name="segment_localisation_is_a_share",
                condition=Q(localisation_rate__isnull=True)
                | Q(localisation_rate__gte=0, localisation_rate__lte=100),
                violation_error_message=_("国产化率应在 0 到 100 之间。"),
            ),
            models.CheckConstraint(
                name="segment_not_its_own_parent",
                condition=Q(parent__isnull=True) | ~Q(parent=F("pk")),
                violation_error_message=_("环节不能以自己为上级。"),
            ),
            models.UniqueConstraint(
                name="segment_name_once_per_chain",
                fields=["chain", "name"],
                violation_error_message=_("该产业链已有同名环节。"),
            ),
        ]

    def __str__(self):
        return f"{self.get_stream_display()} · {self.name}"

    @property
    def place(self):
        """Where a segment and what it consists of stand together."""
        return self.chain_id, self.stream

    def clean(self):
        parent, seen = self.parent, {self.pk}
        if parent is not None and parent.place != self.place:
            raise ValidationError({"parent": _("上级环节应在同一产业链的同一位置（上游、中游或下游）。")})
        if self.pk and self.children.exclude(chain=self.chain_id, stream=self.stream).exists():
            raise ValidationError(_("本环节有下级环节，不能改到别的产业链或位置；请先改下级环节的上级。"))
        while parent is not None:
            if parent.pk in seen:
                raise ValidationError({"parent": _("“%s”是本环节的下级，不能作为上级。") % self.parent})
            seen.add(parent.pk)
            parent = parent.parent


class Organization(models.Model):
    """One legal entity, one row, keyed by its unified social credit code (design decision 1)."""

    class LegalForm(models.TextChoices):
        ENTERPRISE = "enterprise", _("企业")
        PUBLIC = "public", _("机关事业单位")
        SOCIAL = "social", _("社会组织")
        OTHER = "other", pgettext_lazy("legal form", "其他")

    class Size(models.TextChoices):
        LARGE = "large", _("大型")
        MEDIUM = "medium", _("中型")
        SMALL = "small", _("小型")
        MICRO = "micro", _("微型")

    class Status(models.TextChoices):
        ACTIVE = "active", _("存续")
        DEREGISTERED = "deregistered", _("注销")
        REVOKED = "revoked", _("吊销")
        MOVED = "moved", _("迁出")
        # Registered on the portal, not yet verified by the bureau: nobody else sees it, nothing counts it.
        APPLYING = "applying", _("待核实")

        @classmethod
        def of_ledger(cls) -> list[tuple[str, Any]]:
            """The states that a verified organisation may have."""
            return [choice for choice in cls.choices if choice[0] != cls.APPLYING]

    class Source(models.TextChoices):
        SELF = "self", _("自填")
        IMPORT = "import", _("批量导入")
        INTERFACE = "interface", _("共享接口")

    class Tag(models.TextChoices):
        SPECIALISED = "ZJTX", _("专精特新")
        LITTLE_GIANT = "XJR", _("小巨人")
        CHAMPION = "DXGJ", _("单项冠军")
        HIGH_TECH = "GXJS", _("高新技术企业")
        ABOVE_SCALE = "GS", _("规上")

    uscc = models.CharField(
        _("统一社会信用代码"),
        max_length=18,
        unique=True,
        validators=[uscc.validate],
        help_text=_("18 位，见营业执照或法人证书。"),
    )
    name = models.CharField(_("名称"), max_length=200, help_text=_("与营业执照一致。"))
    former_names = models.JSONField(_("曾用名"), default=list, blank=True)
    legal_form = models.CharField(
        _("组织形式"), max_length=10, choices=LegalForm, default=LegalForm.ENTERPRISE
    )
    bureau = models.ForeignKey(
        Bureau,
        models.PROTECT,
        db_constraint=False,
        related_name="organizations",
        verbose_name=_("所属市场监管部门"),
    )
    registered_division = models.ForeignKey(
        Division, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("登记地")
    )
    operating_division = models.ForeignKey(
        Division, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("经营地")
    )
    address = models.CharField(_("地址"), max_length=200, blank=True)
    legal_rep = models.CharField(_("法定代表人"), max_length=60, blank=True)
    founded_on = models.DateField(_("成立日期"), null=True, blank=True)
    gbt4754_class = models.CharField(
        _("国民经济行业小类"),
        max_length=4,
        blank=True,
        validators=[RegexValidator(r"^\d{4}$", _("行业小类应为 GB/T 4754-2017 的 4 位数字代码。"))],
    )
    size = models.CharField(_("企业规模"), max_length=6, choices=Size, blank=True)
    tags = CodeSetField(_("企业称号"), choices=Tag)
    annual_output = models.DecimalField(
        _("年产值（元）"),
        max_digits=18,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )
    employees = models.PositiveIntegerField(_("从业人数"), null=True, blank=True)
    status = models.CharField(_("登记状态"), max_length=12, choices=Status, default=Status.ACTIVE)
    source = models.CharField(_("来源"), max_length=10, choices=Source, default=Source.SELF)
    is_test = models.BooleanField(_("测试数据"), default=False, help_text=_("测试数据不进入任何统计。"))
    created_at = models.DateTimeField(_("登记时间"), auto_now_add=True)
    updated_at = models.DateTimeField(_("更新时间"), auto_now=True)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        verbose_name = _("组织")
        verbose_name_plural = _("组织")
        ordering = ["uscc"]
        indexes = [
            # Lists are counted and paged out of these alone: all in the order of names, and a unit's part.
            models.Index(
                fields=["name", "id", "bureau", "status", "size", "legal_form"], name="organization_by_name"
            ),
            models.Index(
                fields=["bureau", "status", "size", "legal_form", "name", "id"], name="organization_by_bureau"
            ),
            # Every figure leaves these few out.
            models.Index(fields=["id"], condition=Q(is_test=True), name="organization_for_tests"),
        ]
        constraints = [
            models.CheckConstraint(
                name="organization_uscc_length",
                condition=Q(uscc__length=18),
                violation_error_message=_("统一社会信用代码应为 18 位。"),
            ),
            models.CheckConstraint(
                name="organization_output_not_negative",
                condition=Q(annual_output__isnull=True) | Q(annual_output__gte=0),
                violation_error_message=_("年产值不能为负数。"),
            ),
            InForce(field="bureau", name="organization_bureau_in_force"),
        ]

    def __str__(self):
        return self.name

    def clean_fields(self, exclude=None):
        self.uscc = uscc.normalise(self.uscc or "")
        super().clean_fields(exclude=exclude)


OrganizationManager = models.Manager.from_queryset(OrganizationQuerySet)


class EnterpriseManager(OrganizationManager):
    def get_queryset(self):
        return super().get_queryset().enterprises()


class InstitutionManager(OrganizationManager):
    def get_queryset(self):
        return super().get_queryset().institutions()


class Enterprise(Organization):
    """An organisation seen as a business."""

    objects = EnterpriseManager()

    class Meta:
        proxy = True
        verbose_name = _("企业")
        verbose_name_plural = _("企业")


class Institution(Organization):
    """An organisation seen as an enabling institution."""

    objects = InstitutionManager()

    class Meta:
        proxy = True
        verbose_name = _("赋能机构")
        verbose_name_plural = _("赋能机构")


class OrganizationContact(models.Model):
    """Personal data of an organisation, apart from its public row (`domain.md` 3.0)."""

    organization = models.OneToOneField(
        Organization, models.CASCADE, primary_key=True, related_name="contact", verbose_name=_("组织")
    )
    contact_name = models.CharField(_("联系人"), max_length=60, blank=True)
    contact_phone = models.CharField(_("联系电话"), max_length=30, blank=True)
    contact_email = models.EmailField(_("联系邮箱"), blank=True)
    cqo_name = models.CharField(_("首席质量官"), max_length=60, blank=True)
    cqo_phone = models.CharField(_("首席质量官电话"), max_length=30, blank=True)

    class Meta:
        verbose_name = _("联系信息")
        verbose_name_plural = _("联系信息")

    def __str__(self):
        return str(self.organization_id)


class InstitutionProfile(models.Model):
    """What only enabling institutions have (`domain.md` 3.10)."""

    class Kind(models.TextChoices):
        METROLOGY = "METR", _("计量技术机构")
        STANDARDS = "STAN", _("标准化机构")
        TESTING = "TEST", _("检验检测机构")
        CERTIFICATION = "CERT", _("认证机构")
        UNIVERSITY = "UNIV", _("高校")
        RESEARCH = "RSCH", _("科研院所")
        ASSOCIATION = "ASSO", _("行业协会商会")
        CONSULTING = "CONS", _("质量咨询机构")
        FINANCE = "FINA", _("金融机构")
        OTHER = "OTHR", pgettext_lazy("institution kind", "其他")

    organization = models.OneToOneField(
        Organization,
        models.CASCADE,
        primary_key=True,
        related_name="institution_profile",
        verbose_name=_("组织"),
    )
    kinds = CodeSetField(_("机构类型"), choices=Kind, blank=False)
    nqi_elements = CodeSetField(_("质量基础设施要素"), choices=NqiElement, blank=False)
    cma_no = models.CharField(
        _("资质认定（CMA）编号"),
        max_length=12,
        blank=True,
        validators=[RegexValidator(r"^\d{12}$", _("资质认定编号应为 12 位数字。"))],
    )
    cma_valid_to = models.DateField(_("资质认定有效期至"), null=True, blank=True)
    cnas_no = models.CharField(_("认可（CNAS）注册号"), max_length=30, blank=True)
    is_lighthouse_lab = models.BooleanField(_("灯塔实验室"), default=False)

    class Meta:
        verbose_name = _("机构能力")
        verbose_name_plural = _("机构能力")
        constraints = [
            models.CheckConstraint(
                name="institution_has_kind",
                condition=~Q(kinds=""),
                violation_error_message=_("请至少选择一种机构类型。"),
            ),
            models.CheckConstraint(
                name="institution_has_element",
                condition=~Q(nqi_elements=""),
                violation_error_message=_("请至少选择一项质量基础设施要素。"),
            ),
            models.CheckConstraint(
                name="institution_testing_needs_cma",
                condition=~Q(kinds__contains="TEST") | ~Q(cma_no=""),
                violation_error_message=_("检验检测机构应填写资质认定（CMA）编号。"),
            ),
        ]

    def __str__(self):
        return str(self.organization_id)
