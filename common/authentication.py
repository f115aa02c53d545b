"""How a person shows to the API who is asking."""

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request


class SessionLogin(SessionAuthentication):
    """The login of the pages, which protects what is sent with a token of its own."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as fault:
            raise PermissionDenied(
                _(
                    "没有执行：用登录会话提交时，请求头 X-CSRFToken 应与 Cookie 中的 %(cookie)s 一致。"
                    "程序请用令牌。"
                )
                % {"cookie": settings.CSRF_COOKIE_NAME},
                code="csrf_failed",
            ) from fault
