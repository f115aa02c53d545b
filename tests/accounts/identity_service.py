"""An identity service of a bureau that runs in the test: OpenID Connect with the authorization code flow.

It keeps to the protocol where the portal could be wrong: it demands PKCE, the secret, the registered return
address, and takes a code once.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT_ID, SECRET = "portal", "secret-of-tests"


def new_key() -> Any:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Service:
    """What it is told to answer, and what it was asked."""

    port: int = 0
    called: str = ""
    person: str = "person-1"
    claims: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=new_key)
    signed_with: Any = None
    algorithm: str = "RS256"
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self) -> dict[str, Any]:
        """Of the portal, as they come from its environment."""
        app = {
            "provider_id": "jsamr",
            "name": "江苏省局统一身份",
            "client_id": CLIENT_ID,
            "secret": SECRET,
            "settings": {
                "server_url": self.issuer,
                "issuer": self.issuer,
                "scope": ["openid"],
                "fetch_userinfo": False,
            },
        }
        return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}

    def keys(self) -> dict[str, Any]:
        public = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": "1", "alg": "RS256", "use": "sig"}]}

    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.called or self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser is sent once the person has signed in over there."""
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, sent: dict[str, str]) -> dict[str, Any] | None:
        asked = self.codes.pop(sent.get("code", ""), None)
        verifier = sent.get("code_verifier", "")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        faults = {
            "code": asked is None,
            "secret": (sent.get("client_id"), sent.get("client_secret")) != (CLIENT_ID, SECRET),
            "pkce": asked is not None and asked.get("code_challenge") != challenge,
            "return": asked is not None and asked["redirect_uri"] != sent.get("redirect_uri"),
        }
        self.refusals += [name for name, wrong in faults.items() if wrong]
        if any(faults.values()):
            return None
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "sub": self.person, "iat": now, "exp": now + 60}
        signed_with = self.signed_with or self.key
        id_token = jwt.encode(
            claims | self.claims, signed_with, algorithm=self.algorithm, headers={"kid": "1"}
        )
        return {"access_token": secrets.token_urlsafe(8), "token_type": "Bearer", "id_token": id_token}


@contextmanager
def running() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            if address.path == "/.well-known/openid-configuration":
                return self.answer(service.configuration())
            if address.path == "/keys":
                return self.answer(service.keys())
            if address.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(address.query).items()}
                self.send_response(302)
                self.send_header("Location", service.authorize(asked))
                return self.end_headers()
            return self.send_error(404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = service.token({name: values[0] for name, values in parse_qs(body).items()})
            return self.answer(answer) if answer else self.answer({"error": "invalid_grant"}, 400)

        def answer(self, data: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.port = server.server_port
    # It looks so often whether it shall stop.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
