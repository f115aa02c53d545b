"""Addresses of signing in and of one's own account, under the names by which allauth finds them.

Only what is used: there is no sign-up here, and sessions, second factor and links have pages of our own.
"""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.socialaccount import views as linked
from django.urls import path, re_path
from django.views.generic import RedirectView

from accounts.security import services, views

login = views.LoginView.as_view()

urlpatterns = [
    path("login/", login, name="login"),
    path("login/", login, name="account_login"),
    path("logout/", views.logout, name="logout"),
    path("logout/", views.logout, name="account_logout"),
    path("account/", views.security, name="account_security"),
    path("account/", views.security, name="mfa_index"),
    # Accounts begin with joining.
    path("account/signup/", RedirectView.as_view(url="/join/"), name="account_signup"),
    path("account/inactive/", account.account_inactive, name="account_inactive"),
    path("account/confirm/", account.reauthenticate, name="account_reauthenticate"),
    path("account/sessions/", views.session_list, name="usersessions_list"),
    path("account/email/", views.email_change, name="email_change"),
    path("account/email/<str:token>/", views.email_confirm, name="email_confirm"),
    path("account/password/change/", account.password_change, name="account_change_password"),
    path("account/password/set/", account.password_set, name="account_set_password"),
    path("account/password/reset/", account.password_reset, name="account_reset_password"),
    path("account/password/reset/sent/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^account/password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "account/password/reset/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("account/code/", mfa.authenticate, name="mfa_authenticate"),
    path("account/code/confirm/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("account/second-factor/on/", totp.activate_totp, name="mfa_activate_totp"),
    path("account/second-factor/off/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("account/recovery-codes/", recovery.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("account/recovery-codes/new/", recovery.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path(
        "account/recovery-codes/download/",
        recovery.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
    path(
        "account/linked/",
        linked.ConnectionsView.as_view(extra_context={"services": services.services}),
        name="socialaccount_connections",
    ),
    path("account/linked/cancelled/", linked.login_cancelled, name="socialaccount_login_cancelled"),
    path("account/linked/error/", linked.login_error, name="socialaccount_login_error"),
    path("account/service/<slug:provider_id>/", services.to_service, name="openid_connect_login"),
    path("account/service/<slug:provider_id>/back/", services.back, name="openid_connect_callback"),
]
