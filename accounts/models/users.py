"""Users, what they were granted, and who stands in for whom (`domain.md` 2.2, design decision 3)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Self

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.db.models.lookups import LessThan
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.dates import DaysBetween
from common.prepared import Prepared
from common.scope import Reach, Scope, Scoped, Viewer, right, widest, widest_reaches
from enterprises.models import Bureau, IndustryChain, Organization


@dataclass(frozen=True)
class Administrator:
    """A viewer with the scope of administrator grants alone, and who it is."""

    scope: Scope
    user_id: int


class User(AbstractUser):
    """A person; what the person may see and do stands in the grants."""

    first_name = None
    last_name = None
    username = models.CharField(
        _("用户名"),
        max_length=150,
        unique=True,
        # No @: whoever gives roles names people by user name or address, and one must not pass for the other.
        validators=[RegexValidator(r"^[\w.+-]+\Z", _("用户名只能用文字、数字和 . + - _，不能有 @ 和空格。"))],
        help_text=_("登录时用，可以用文字、数字和 . + - _，不能用邮箱。"),
        error_messages={"unique": _("已有这个用户名，请换一个。")},
    )
    # Chosen when names might still hold an @; it stays good for signing in.
    has_old_name = models.BooleanField(_("沿用旧用户名"), default=False, editable=False)
    name = models.CharField(_("姓名"), max_length=60)
    email = models.EmailField(_("邮箱"), blank=True)
    # Typed by the person when joining: nobody knows so far whether mail to it reaches this person.
    has_unproven_address = models.BooleanField(_("邮箱未经验证"), default=False, editable=False)
    created_by = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        verbose_name=_("开户人"),
    )

    objects = UserManager()

    REQUIRED_FIELDS = ["name", "email"]

    class Meta:
        verbose_name = _("用户")
        verbose_name_plural = _("用户")
        constraints = [
            models.CheckConstraint(
                name="user_name_is_no_address",
                condition=Q(has_old_name=True) | ~Q(username__contains="@"),
                violation_error_message=_("用户名不能有 @，以免与邮箱混淆。"),
            ),
        ]

    def __str__(self):
        return self.name or self.username

    def get_full_name(self):
        return self.name

    def get_short_name(self):
        return self.name

    @cached_property
    def grants_in_force(self) -> list["Grant"]:
        """Today's grants with their bureaus and organisations, the widest bureau first, own before lent.

        Lent are those of officers whose substitute the user is today, and which they hold themselves: nobody
        lends on what was lent to him. Nothing is lent to whoever no longer works for a bureau.
        """
        if not self.is_active:
            return []
        return self.as_held(grants_at_hand(user=self.pk, today=timezone.localdate()))

    def as_held(self, grants: list["Grant"]) -> list["Grant"]:
        """The `grants_in_force` among those that are `at_hand`."""
        lenders = User.objects.in_bulk({grant.user_id for grant in grants} - {self.pk})
        for grant in grants:
            grant.user = lenders.get(grant.user_id, self)
            grant.principal = lenders.get(grant.user_id)
        own = [grant for grant in grants if grant.principal is None]
        if not any(grant.role in SEEING_ROLES for grant in own):
            grants = own
        return sorted(
            grants, key=lambda grant: (grant.level, grant.role, grant.principal is not None, grant.pk)
        )

    @cached_property
    def scope(self) -> Scope:
        scope = _scope_of(self.grants_in_force)
        if self.grants_of(Role.EXPERT):
            scope = replace(scope, expert_id=self.pk)
        return scope if scope.is_of_bureau else replace(scope, person_id=self.pk)

    @cached_property
    def administered(self) -> "Administrator":
        """What the user may see and repair in the admin site: other roles lend nothing to it."""
        if self.is_superuser:
            return Administrator(Scope(everything=True), self.pk)
        return Administrator(_scope_of(self.grants_of(Role.ADMINISTRATOR)), self.pk)

    @cached_property
    def is_administrator(self) -> bool:
        """Whether the admin site is open to the user."""
        return self.is_active and (self.is_superuser or bool(self.grants_of(Role.ADMINISTRATOR)))

    def grants_of(self, *roles: str) -> list["Grant"]:
        return [grant for grant in self.grants_in_force if grant.role in roles]

    def holds_over(self, bureau: Bureau, *roles: str, chain_id: int | None = None) -> bool:
        """Whether one of the roles is held for a subtree in which the bureau lies, or for a chain there."""
        return any(grant.covers(bureau, chain_id) for grant in self.grants_of(*roles))

    def acts_for(self, organization_id: int | None, *roles: str) -> bool:
        """Whether one of the roles is held for the organisation."""
        return organization_id is not None and any(
            grant.organization_id == organization_id for grant in self.grants_of(*roles)
        )

    def may_call(self, *parties: Organization | Bureau | None, chain_id: int | None = None) -> bool:
        """Whether contact data of these parties stand in full (design decision 12).

        They do for the people of one of the organisations and the officers over one of the bureaus, where
        their grant is limited to a chain for rows of that chain.
        """
        return any(
            self.holds_over(party, Role.OFFICER, chain_id=chain_id)
            if isinstance(party, Bureau)
            else party is not None and party.pk in self.scope.organization_ids
            for party in parties
        )


def _scope_of(grants: Iterable["Grant"]) -> Scope:
    grants = list(grants)
    bureaus = [
        (grant.bureau, grant.chain_id) for grant in grants if grant.bureau and grant.role in SEEING_ROLES
    ]
    paths = widest({bureau.path for bureau, chain_id in bureaus if chain_id is None})
    reaches = {Reach(bureau.path, chain_id) for bureau, chain_id in bureaus if chain_id is not None}
    return Scope(
        bureau_paths=paths,
        organization_ids=frozenset(grant.organization_id for grant in grants if grant.organization_id),
        everything=any(
            bureau.level == Bureau.Level.NATIONAL for bureau, chain_id in bureaus if chain_id is None
        ),
        reaches=widest_reaches(reaches, paths),
    )


class GrantQuerySet(Scoped["Grant"]):
    wholes = ("user",)

    @right
    def visible_to(self, viewer: Viewer) -> Self:
        """Grants for the bureaus of a subtree and for the organisations that they serve."""
        scope = viewer.scope
        if scope.everything:
            return self
        return self.filter(scope.within("bureau__path") | scope.within("organization__bureau__path"))

    def search(self, text: str) -> Self:
        """Grants of people whose name contains the text, or who log in with it."""
        return self.filter(Q(user__name__contains=text) | Q(user__username__iexact=text))

    def not_over(self, day: date) -> Self:
        """Neither ended nor run out on the day, begun or not."""
        return self.filter(Q(expires_on__isnull=True) | Q(expires_on__gte=day), ended_at__isnull=True)

    def in_force(self, day: date) -> Self:
        return self.not_over(day).filter(starts_on__lte=day)


class Role(models.TextChoices):
    """Roles of `domain.md` 2.2: the first four for an organisation, the others for a bureau subtree."""

    FILER = "filer", _("企业填报人")
    COORDINATOR = "coordinator", _("链主联络人")
    SECRETARY = "secretary", _("联合体秘书")
    INSTITUTION = "institution", _("赋能机构经办人")
    EXPERT = "expert", _("专家")
    OFFICER = "officer", _("经办人员")
    STATISTICIAN = "statistician", _("统计员")
    AUDITOR = "auditor", _("督查人员")
    ADMINISTRATOR = "administrator", _("管理员")


ORGANIZATION_ROLES = (Role.FILER, Role.COORDINATOR, Role.SECRETARY, Role.INSTITUTION)
BUREAU_ROLES = (Role.EXPERT, Role.OFFICER, Role.STATISTICIAN, Role.AUDITOR, Role.ADMINISTRATOR)
# Organisations whose people may file bottlenecks.
FILING_ROLES = (Role.FILER, Role.COORDINATOR)
# Whose people read the rows of their subtree; an expert reads what it is asked to review and nothing else.
SEEING_ROLES = (Role.OFFICER, Role.STATISTICIAN, Role.AUDITOR, Role.ADMINISTRATOR)
# Roles that may be held for one chain only; figures, periods and administration are whole.
CHAIN_ROLES = (Role.EXPERT, Role.OFFICER, Role.AUDITOR)
# What a substitute, who holds one of the `SEEING_ROLES` itself, may do in an officer's place.
LENDABLE_ROLES = (Role.OFFICER,)
# How long somebody may stand in, first and last day counted: a quarter. Who is away for longer hands over.
SUBSTITUTION_DAYS = 92


class Grant(models.Model):
    """User × role × bureau subtree or organisation × time, where wanted for one chain only."""

    user = models.ForeignKey(User, models.CASCADE, related_name="grants", verbose_name=_("用户"))
    role = models.CharField(_("角色"), max_length=14, choices=Role)
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, null=True, blank=True, related_name="grants", verbose_name=_("单位（含下级）")
    )
    organization = models.ForeignKey(
        Organization, models.PROTECT, null=True, blank=True, related_name="grants", verbose_name=_("组织")
    )
    chain = models.ForeignKey(
        IndustryChain,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="grants",
        verbose_name=_("限于产业链"),
        help_text=_("留空表示不限产业链。"),
    )
    is_manager = models.BooleanField(
        _("组织管理员"), default=False, help_text=_("可以邀请和移出本组织的同事。")
    )
    starts_on = models.DateField(_("生效日期"), default=timezone.localdate)
    expires_on = models.DateField(_("失效日期"), null=True, blank=True)
    granted_by = models.ForeignKey(
        User,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        verbose_name=_("授权人"),
    )
    ended_at = models.DateTimeField(_("终止时间"), null=True, blank=True, editable=False)

    objects = GrantQuerySet.as_manager()

    # Whose grant it is when the user at hand holds it as a substitute; set by `User.grants_in_force`.
    principal: User | None = None

    class Meta:
        verbose_name = _("授权")
        verbose_name_plural = _("授权")
        constraints = [
            models.CheckConstraint(
                name="grant_bureau_or_organization",
                condition=Q(role__in=ORGANIZATION_ROLES, organization__isnull=False, bureau__isnull=True)
                | Q(role__in=BUREAU_ROLES, organization__isnull=True, bureau__isnull=False),
                violation_error_message=_(
                    "企业和机构的角色要指定组织，市场监管部门的角色要指定单位，二者只填其一。"
                ),
            ),
            models.CheckConstraint(
                name="grant_dates_in_order",
                condition=Q(expires_on__isnull=True) | Q(expires_on__gte=F("starts_on")),
                violation_error_message=_("授权的失效日期不能早于生效日期。"),
            ),
            models.CheckConstraint(
                name="grant_manager_of_organization",
                condition=Q(is_manager=False) | Q(organization__isnull=False),
                violation_error_message=_("只有企业和机构的授权可以设为组织管理员。"),
            ),
            models.CheckConstraint(
                name="grant_chain_for_some_roles",
                condition=Q(chain__isnull=True) | Q(role__in=CHAIN_ROLES),
                violation_error_message=_("只有经办人员、督查人员和专家的授权可以限于一条产业链。"),
            ),
            models.CheckConstraint(
                name="grant_by_another",
                condition=Q(granted_by__isnull=True) | ~Q(granted_by=F("user")),
                violation_error_message=_("不能给本人授权，请由另一名管理员办理。"),
            ),
            models.UniqueConstraint(
                "user",
                "role",
                Coalesce("bureau", 0),
                Coalesce("organization", 0),
                Coalesce("chain", 0),
                name="grant_once",
                condition=Q(ended_at__isnull=True),
                violation_error_message=_("该用户已有同样的授权。"),
            ),
        ]

    def __str__(self):
        return f"{self.get_role_display()} · {self.bureau or self.organization}"

    def clean(self) -> None:
        """Nobody oversees firms and acts for one; experts come from firms and institutions."""
        super().clean()
        if self.expires_on and self.expires_on < timezone.localdate():
            return  # a way to end what was held at once
        if clash := self.clash():
            raise ValidationError(clash)

    def clash(self) -> str:
        """Why the person may not hold this role, beside what it holds; empty when it may."""
        if self.role in BUREAU_ROLES and self._is_unknown():
            return _("账号由对方自行注册，尚未核实是何人，不能授予市场监管部门的角色；请由管理员另开账号。")
        others = Grant.objects.judged("the person itself").not_over(timezone.localdate())
        others = others.filter(user=self.user_id)
        if self.role in ORGANIZATION_ROLES and others.filter(role__in=SEEING_ROLES).exists():
            return _("市场监管部门的人员不能同时担任企业或机构的角色。")
        if self.role in SEEING_ROLES and others.filter(role__in=ORGANIZATION_ROLES).exists():
            return _("企业或机构的人员不能同时担任市场监管部门的角色（专家除外）。")
        return ""

    def _is_unknown(self) -> bool:
        """Whether the person opened the account itself, and nobody has verified so far who that is."""
        opened_by_itself = User.objects.filter(
            pk=self.user_id, created_by__isnull=True, registrations__isnull=False, grants__isnull=True
        )
        return opened_by_itself.exists()

    @property
    def level(self) -> int:
        """The level of the bureau; organisations stand below every bureau."""
        return self.bureau.level if self.bureau else Bureau.Level.OUTPOST + 1

    def covers(self, bureau: Bureau, chain_id: int | None = None) -> bool:
        """Whether the bureau lies in the subtree of the grant; of a grant for one chain, with that chain."""
        return (
            self.bureau is not None
            and bureau.path.startswith(self.bureau.path)
            and self.chain_id in (None, chain_id)
        )

    @property
    def words(self) -> str:
        """Role, limit and whose substitute: what stands under the name of the office."""
        words = str(self.get_role_display())
        if self.chain:
            words = _("%(role)s（%(chain)s）") % {"role": words, "chain": self.chain.name}
        if self.principal:
            words = _("%(role)s，代%(principal)s") % {"role": words, "principal": self.principal}
        return words


class SubstitutionQuerySet(Scoped["Substitution"]):
    wholes = ("principal", "substitute")

    @right
    def visible_to(self, viewer: Viewer) -> Self:
        """Substitutions of people whose grants the viewer sees."""
        people = Grant.objects.visible_to(viewer).values("user")
        return self.filter(Q(principal__in=people) | Q(substitute__in=people))

    def not_over(self, day: date) -> Self:
        """Neither ended nor past its last day, begun or not."""
        return self.filter(ends_on__gte=day, ended_at__isnull=True)

    def in_force(self, day: date) -> Self:
        return self.filter(Substitution.in_force_at(day))


class Substitution(models.Model):
    """An officer's dated substitute, who acts with the officer's grants; both names stand in the record."""

    principal = models.ForeignKey(
        User, models.PROTECT, related_name="substitutes", verbose_name=_("被代理人")
    )
    substitute = models.ForeignKey(User, models.PROTECT, related_name="principals", verbose_name=_("代理人"))
    starts_on = models.DateField(_("开始日期"))
    ends_on = models.DateField(_("结束日期"))
    reason = models.CharField(_("事由"), max_length=100, blank=True)
    created_at = models.DateTimeField(_("登记时间"), auto_now_add=True)
    ended_at = models.DateTimeField(_("提前结束时间"), null=True, blank=True, editable=False)

    objects = SubstitutionQuerySet.as_manager()

    class Meta:
        verbose_name = _("代理")
        verbose_name_plural = _("代理")
        ordering = ["-starts_on", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="substitution_by_another",
                condition=~Q(principal=F("substitute")),
                violation_error_message=_("不能由本人代理本人。"),
            ),
            models.CheckConstraint(
                name="substitution_dates_in_order",
                condition=Q(ends_on__gte=F("starts_on")),
                violation_error_message=_("代理的结束日期不能早于开始日期。"),
            ),
            models.CheckConstraint(
                name="substitution_a_quarter_at_most",
                condition=LessThan(DaysBetween("ends_on", "starts_on"), SUBSTITUTION_DAYS),
                violation_error_message=_("一次代理最长 92 天，到期可以重新指定。"),
            ),
        ]

    def __str__(self):
        return f"{self.substitute} → {self.principal}"

    @staticmethod
    def in_force_at(day: date, relation: str = "") -> Q:
        """Begun, not ended and not past its last day; ``relation`` leads to it from another model."""
        begun = {f"{relation}starts_on__lte": day, f"{relation}ends_on__gte": day}
        return Q(**begun, **{f"{relation}ended_at__isnull": True})


def at_hand(user: int | models.Subquery, today: date) -> GrantQuerySet:
    """What the user holds, and what those might lend whose substitute it is."""
    lenders = Substitution.objects.in_force(today).filter(substitute=user, principal__is_active=True)
    # One list of people: to look a grant up by either of two, PostgreSQL would read all grants there are.
    people = User.objects.filter(pk=user).values("pk").union(lenders.order_by().values("principal"))
    return (
        Grant.objects.in_force(today)
        .judged("the person itself")
        .filter(Q(user=user) | Q(role__in=LENDABLE_ROLES), user__in=people)
        .select_related("bureau", "organization__bureau", "chain")
        .order_by()
    )


grants_at_hand = Prepared(at_hand)
