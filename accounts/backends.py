"""Rights of administrators in the admin site, derived from their grants."""

from typing import Any

from django.contrib.auth.backends import BaseBackend

from accounts.models import Role, User

# What an administrator of any subtree repairs there.
LOCAL = frozenset(
    {
        "accounts.user",
        "accounts.grant",
        "enterprises.organization",
        "enterprises.enterprise",
        "enterprises.institution",
        "enterprises.organizationcontact",
        "enterprises.institutionprofile",
        "projects.chainproject",
        "projects.projectregion",
        "projects.projectgoal",
        "projects.participation",
        "projects.consortium",
        "projects.consortiummembership",
        "projects.keyproject",
        "projects.milestone",
        "projects.projectresult",
        "projects.investment",
        "projects.bottleneck",
        "projects.beneficiary",
        "authtoken.tokenproxy",
        "socialaccount.socialaccount",
    }
)
# Reference data of the whole country: for administrators of the national bureau.
NATIONAL = frozenset(
    {
        "enterprises.division",
        "enterprises.bureau",
        "enterprises.industrychain",
        "enterprises.chainsegment",
        "bulletins.period",
        "projects.technicalcommittee",
    }
)
OURS = frozenset({"accounts", "record", "enterprises", "projects", "bulletins", "authtoken", "socialaccount"})
# Rows that are struck out or ended, never deleted, and those without a history of their own, which may go.
DELETABLE = frozenset(
    {
        "accounts.grant",
        "authtoken.tokenproxy",
        "socialaccount.socialaccount",
        "projects.projectregion",
        "projects.projectgoal",
        "projects.milestone",
        "projects.projectresult",
        "projects.investment",
        "projects.beneficiary",
    }
)


class GrantBackend(BaseBackend):
    """`user.has_perm` for administrators; superusers and passwords are the business of `ModelBackend`."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        if not isinstance(user_obj, User) or not user_obj.grants_of(Role.ADMINISTRATOR):
            return False
        app, _dot, codename = perm.partition(".")
        action, _bar, name = codename.partition("_")
        model = f"{app}.{name}"
        if action == "view":
            return app in OURS
        if action == "delete":
            return model in DELETABLE
        if model in NATIONAL:
            return user_obj.administered.scope.everything
        return model in LOCAL

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return (
            isinstance(user_obj, User) and bool(user_obj.grants_of(Role.ADMINISTRATOR)) and app_label in OURS
        )
