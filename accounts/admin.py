from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.admin import TokenAdmin as DRFTokenAdmin
from rest_framework.authtoken.models import TokenProxy
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts import granting
from accounts.models import Grant, Invitation, Registration, Substitution, User
from accounts.security.admin import (
    ActsAsUser,
    refuse_to_act_as,
    reset_second_factor,
    sign_out_everywhere,
)
from common.admin import Inline, PortalAdmin, ReadOnlyAdmin
from common.scope import note_miss
from enterprises.models import Organization
from record.services import looked_at

# Rights follow from grants; Django's groups would be a second way that nobody looks after.
admin.site.unregister(Group)
admin.site.unregister(TokenProxy)


class GrantForm(forms.ModelForm):
    """Nobody gives away more than is under the own administration."""

    request: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offers what the administrator may see, so that a guessed key tells nobody's name.

        What the stored grant names stays: it may be ended although its user holds grants elsewhere too.
        """
        super().__init__(*args, **kwargs)
        for name in {"user", "organization"} & set(self.fields):
            field: Any = self.fields[name]
            seen = admin.site.get_model_admin(field.queryset.model).get_queryset(self.request)
            stored = getattr(self.instance, f"{name}_id")
            field.queryset = field.queryset.filter(Q(pk__in=seen.values("pk")) | Q(pk=stored))
            field.error_messages["invalid_choice"] = _("没有这条记录，或它不在您的管理范围内。")

    def _post_clean(self) -> None:
        """Judge the whole grant, as it would be stored."""
        super()._post_clean()  # type: ignore[misc]
        if self.errors or not self.has_changed():
            return
        try:
            granting.refuse_beyond(self.request.user, self.instance)
        except ValidationError as fault:
            for name, faults in fault.message_dict.items():
                self.add_error(name if name in self.fields else None, faults)
        if self.instance.pk is None:
            self.instance.granted_by = self.request.user


class PersonForm(UserChangeForm):
    def _get_validation_exclusions(self) -> set[str]:
        """A user name that stays is not judged anew: older ones may hold an @."""
        kept = {"username"} - set(self.changed_data)
        return super()._get_validation_exclusions() | kept


def grant_form_for(request: Any) -> type[GrantForm]:
    return type("GrantForm", (GrantForm,), {"request": request})


class GrantInline(Inline):
    model = Grant
    fk_name = "user"
    autocomplete_fields = ["bureau", "organization", "chain"]
    fields = ["role", "bureau", "organization", "chain", "starts_on", "expires_on"]

    def get_formset(self, request, obj=None, **kwargs):
        return super().get_formset(request, obj, form=grant_form_for(request), **kwargs)

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("bureau", "organization", "chain")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, PortalAdmin):
    form = PersonForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "name", "is_active", "is_superuser", "last_login"]
    list_filter = ["is_active", "is_superuser", "grants__role"]
    search_fields = ["username", "name", "email"]
    ordering = ["username"]
    actions = [reset_second_factor, sign_out_everywhere]
    filter_horizontal = []
    readonly_fields = ["last_login", "date_joined"]
    inlines = [GrantInline]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (_("本人"), {"fields": ["name", "email"]}),
        (
            _("状态"),
            {
                "fields": ["is_active", "is_superuser", "last_login", "date_joined"],
                "description": _("超级用户不受管理范围限制，只由超级用户设置。其他权限一律由授权决定。"),
            },
        ),
    ]
    add_fieldsets = [
        (
            None,
            {
                "classes": ["wide"],
                "fields": ["username", "name", "usable_password", "password1", "password2"],
            },
        ),
    ]

    def get_readonly_fields(self, request, obj=None):
        fixed = super().get_readonly_fields(request, obj)
        return fixed if request.user.is_superuser else [*fixed, "is_superuser"]

    def in_scope(self, rows: QuerySet, administrator: Any) -> QuerySet:
        """People all of whose grants, own and lent, are under this administration; no superusers.

        Whoever sets a person's password can act as this person. Hence an account that nobody has used yet is
        its maker's until the maker grants it something, and an applicant's that of the bureaus that decide.
        """
        granted = Grant.objects.filter(user=OuterRef("pk"))
        inside = granted.visible_to(administrator)
        foreign = granted.exclude(pk__in=Grant.objects.visible_to(administrator).values("pk"))
        asked = Registration.objects.judged("whose applicant it is").filter(user=OuterRef("pk"))
        decided_here = Registration.objects.visible_to(administrator).values("pk")
        asked_elsewhere = asked.pending().exclude(pk__in=decided_here)
        made_here = Q(created_by=administrator.user_id)
        unused = Q(last_login__isnull=True)
        new = unused & ~Exists(granted) & (made_here | Exists(asked.filter(pk__in=decided_here)))
        made_elsewhere = unused & Q(created_by__isnull=False) & ~made_here
        made_elsewhere &= ~Exists(granted.filter(granted_by=OuterRef("created_by")))
        lenders = Grant.objects.exclude(pk__in=Grant.objects.visible_to(administrator).values("pk"))
        lent = Substitution.objects.not_over(timezone.localdate()).filter(
            substitute=OuterRef("pk"), principal__in=lenders.values("user")
        )
        return rows.filter(
            Exists(inside) | new,
            ~Exists(foreign),
            ~Exists(lent),
            ~Exists(asked_elsewhere),
            is_superuser=False,
        ).exclude(made_elsewhere)

    def opened(self, row, by):
        """Name and address of who acts for a firm stand here in full."""
        held = row.grants.filter(organization__isnull=False).order_by("organization", "pk")
        for grant in {grant.organization_id: grant for grant in held}.values():
            looked_at(grant, grant.organization_id, by)

    def has_change_permission(self, request, obj=None):
        allowed = super().has_change_permission(request, obj)
        return allowed and not (obj and granting.refusal_to_act_as(request.user, obj))

    def get_object(self, request, object_id, from_field=None):
        """Of people with more rights than one could give the page is to be read only."""
        person = super().get_object(request, object_id, from_field)
        if person and request.method == "POST":
            refuse_to_act_as(request.user, person)
        return person

    def user_change_password(self, request, id, form_url=""):
        person = self.get_object(request, unquote(id))
        if person is None:
            self._get_obj_does_not_exist_redirect(request, self.opts, id)
        refuse_to_act_as(request.user, person)
        return super().user_change_password(request, id, form_url)

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj and (refusal := granting.refusal_to_act_as(request.user, obj)):
            messages.warning(request, refusal)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def save_model(self, request, obj, form, change):
        if not change:
            obj.created_by = request.user
        if "email" in form.changed_data:
            obj.has_unproven_address = False
        super().save_model(request, obj, form, change)


@admin.register(Grant)
class GrantAdmin(PortalAdmin):
    list_display = ["user", "role", "bureau", "organization", "chain", "starts_on", "expires_on"]
    list_filter = ["role", "expires_on"]
    list_select_related = ["user", "bureau", "organization", "chain"]
    search_fields = ["user__username", "user__name", "bureau__name", "bureau__code", "organization__name"]
    autocomplete_fields = ["user", "bureau", "organization", "chain"]

    def opened(self, row, by):
        if row.organization_id:
            looked_at(row, row.organization_id, by)

    def get_form(self, request, obj=None, change=False, **kwargs):
        return super().get_form(request, obj, change, form=grant_form_for(request), **kwargs)


@admin.register(TokenProxy)
class TokenAdmin(ActsAsUser, DRFTokenAdmin, PortalAdmin):
    """Tokens for programs; whoever holds one acts with the rights of its user."""

    list_display = ["user", "created"]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__name"]
    autocomplete_fields = ["user"]
    readonly_fields = ["key", "created"]
    fields = ["user"]

    def get_fields(self, request, obj=None):
        return ["user", "key", "created"] if obj else ["user"]

    def _get_obj_does_not_exist_redirect(self, request, opts, object_id):
        """In addresses a token stands under the key of its user."""
        note_miss(TokenProxy, user__pk=object_id)
        raise Http404

    def in_scope(self, rows: QuerySet, administrator: Any) -> QuerySet:
        people = UserAdmin(User, self.admin_site).in_scope(User.objects.all(), administrator)
        return rows.filter(user__in=people)


@admin.register(Registration)
class RegistrationAdmin(ReadOnlyAdmin):
    """Decided at the desk of the bureau."""

    list_display = ["name", "user", "role", "bureau", "status", "created_at", "decided_at", "decided_by"]
    list_filter = ["status", "role"]
    list_select_related = ["user", "bureau", "decided_by"]
    search_fields = ["name", "organization__uscc__exact", "user__username"]

    def opened(self, row, by):
        looked_at(row, row.organization_id, by)


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    """Sent and withdrawn by the manager of the organisation."""

    list_display = ["email", "organization", "role", "invited_by", "created_at", "expires_at", "accepted_at"]
    list_filter = ["role"]
    list_select_related = ["organization", "invited_by"]
    search_fields = ["email", "organization__name", "organization__uscc__exact"]

    def opened(self, row, by):
        looked_at(row, row.organization_id, by)

    def in_scope(self, rows: QuerySet, administrator: Any) -> QuerySet:
        return rows.filter(organization__in=Organization.objects.visible_to(administrator))


@admin.register(Substitution)
class SubstitutionAdmin(ReadOnlyAdmin):
    """Named and ended on the page of people and grants."""

    list_display = ["principal", "substitute", "starts_on", "ends_on", "reason", "ended_at"]
    list_select_related = ["principal", "substitute"]
    search_fields = ["principal__name", "substitute__name"]
