"""What administrators do for people who cannot get in, and nothing that would show a secret."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import granting
from accounts.models import User
from accounts.security.services import services
from common.admin import PortalAdmin

# allauth's own pages show keys of the second factor, and services are set up in the environment.
for model in (Authenticator, EmailAddress, SocialAccount, SocialApp, SocialToken, UserSession):
    admin.site.unregister(model)


def end_all_sessions(user: User) -> None:
    for session in UserSession.objects.filter(user=user):
        session.end()


def refuse_to_act_as(by: Any, person: User) -> None:
    """Raise PermissionDenied when the person holds more than the administrator could give."""
    if refusal := granting.refusal_to_act_as(by, person):
        raise PermissionDenied(refusal)


class ActsAsUser:
    """Pages of rows with which somebody acts as their user."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)  # type: ignore[misc]
        if row:
            refuse_to_act_as(request.user, row.user)
        return row

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        refuse_to_act_as(request.user, obj.user)
        super().save_model(request, obj, form, change)  # type: ignore[misc]


@admin.action(description=_("解除两步验证（手机和恢复码都丢失时）"), permissions=["change"])
def reset_second_factor(model_admin: Any, request: HttpRequest, people: QuerySet[User]) -> None:
    """The person signs in with the password and sets the second factor up anew."""
    done = 0
    chosen = people.exclude(pk=request.user.pk).filter(authenticator__isnull=False).distinct()
    for user in chosen:
        refuse_to_act_as(request.user, user)
    for user in chosen:
        with transaction.atomic():
            for authenticator in Authenticator.objects.filter(user=user):
                authenticator.delete()
            end_all_sessions(user)
        get_adapter().send_notification_mail("mfa/email/totp_deactivated", user)
        done += 1
    words = ngettext("已解除 %d 人的两步验证。", "已解除 %d 人的两步验证。", done) % done
    messages.add_message(request, messages.SUCCESS if done else messages.WARNING, words)


@admin.action(description=_("退出所有设备上的登录"), permissions=["change"])
def sign_out_everywhere(model_admin: Any, request: HttpRequest, people: QuerySet[User]) -> None:
    for user in people:
        end_all_sessions(user)
    messages.success(request, _("所选用户的登录已全部退出。"))


class LinkForm(forms.ModelForm):
    provider = forms.ChoiceField(
        label=_("身份服务"),
        choices=lambda: [(service["provider_id"], service["name"]) for service in services()],
    )

    class Meta:
        labels = {"user": _("用户"), "uid": _("身份服务中的标识（sub）")}


@admin.register(SocialAccount)
class LinkAdmin(ActsAsUser, PortalAdmin):
    """Links between accounts here and people of an identity service; only the page of a link shows which."""

    form = LinkForm
    fields = ["user", "provider", "uid"]
    # Those act on many, also on people for whom the administrator may do nothing.
    actions = None
    list_display = ["user", "provider", "date_joined", "last_login"]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__name"]
    autocomplete_fields = ["user"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A link is made and removed, not turned to somebody else."""
        return False

    def in_scope(self, rows: Any, administrator: Any) -> QuerySet:
        people: Any = self.admin_site._registry[User]
        return rows.filter(user__in=people.in_scope(User.objects.all(), administrator))
