"""Identity services of bureaus (OpenID Connect): allauth's flow, stricter where it trusts the way alone."""

import logging
from typing import Any

import jwt
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

# Public keys only: with a shared secret, or none, others could sign as well.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")

logger = logging.getLogger(__name__)


def services() -> list[dict[str, Any]]:
    """Those that are set up in the environment."""
    return settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]


class ServiceAdapter(openid_connect.OpenIDConnectOAuth2Adapter):
    @property
    def openid_config(self) -> dict[str, Any]:
        """What the service says of itself, if it is the one that was configured."""
        config = super().openid_config
        if config.get("issuer") != self.get_provider().app.settings["issuer"]:
            raise OAuth2Error("The metadata are those of another issuer")
        return config

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        """With its signature, although it came over TLS from the service itself."""
        if jwt.get_unverified_header(id_token).get("alg") not in ALGORITHMS:
            raise OAuth2Error("The token is not signed with a key of the service")
        return jwtkit.verify_and_decode(
            credential=id_token,
            keys_url=self.openid_config["jwks_uri"],
            issuer=self.openid_config["issuer"],
            audience=app.client_id,
            lookup_kid=jwtkit.lookup_kid_jwk,
        )


def to_service(request: HttpRequest, provider_id: str) -> HttpResponse:
    """To the sign-in page of a service, by a page of ours: a form may not lead to another house."""
    try:
        response = openid_connect.login(request, provider_id)
    except OSError:  # whatever `requests` cannot do
        logger.exception("Identity service %s does not answer", provider_id)
        return render(request, "socialaccount/authentication_error.html", status=502)
    if response.status_code != 302 or url_has_allowed_host_and_scheme(response["Location"], None):
        return response
    return render(request, "socialaccount/leaving.html", {"address": response["Location"]})


def back(request: HttpRequest, provider_id: str) -> HttpResponse:
    """From the service, with a code that is turned into an identity."""
    try:
        return OAuth2CallbackView.adapter_view(ServiceAdapter(request, provider_id))(request)
    except SocialApp.DoesNotExist as fault:
        raise Http404 from fault
    except (OAuth2Error, jwt.PyJWTError, LookupError, OSError, TypeError, ValueError):
        logger.exception("Identity service %s did not answer as agreed", provider_id)
        return render(request, "socialaccount/authentication_error.html", status=401)
