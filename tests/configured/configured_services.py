"""The responses of AWS's servers: each checks its requests, and a 4xx names what is wrong with one."""

from __future__ import annotations

import json
import re
import sys
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from configured_servers import Answer, Request, Respond, json_answer

sys.path.append(str(Path(__file__).resolve().parents[1] / "vectors"))
from check_signature import check  # noqa: E402

HOUR = 3600.0


class Refused(Exception):
    """Says with which error code, and why."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code, self.why = code, why


@dataclass(frozen=True)
class Keys:
    access_key_id: str
    secret_access_key: str
    session_token: str | None


class Vault:
    """All keys that are good, and every secret of a world."""

    def __init__(self) -> None:
        self.keys: dict[str, Keys] = {}
        self.secrets: set[str] = set()
        # Access key ids that have expired, as far as Lambda is concerned.
        self.expired: set[str] = set()

    def make_secret(self, kind: str) -> str:
        secret = f"{kind}-{uuid.uuid4().hex}"
        self.secrets.add(secret)
        return secret

    def make_keys(self, session: bool = True) -> Keys:
        access_key_id = ("ASIA" if session else "AKIA") + uuid.uuid4().hex[:16].upper()
        token = self.make_secret("session-token") if session else None
        keys = Keys(access_key_id, self.make_secret("secret-key"), token)
        self.keys[access_key_id] = keys
        return keys

    def signer(self, request: Request, service: str, region: str) -> Keys:
        """Whose signature this is. Raises Refused."""
        claimed = re.search(r"Credential=([^/]+)/", request.header("authorization") or "")
        if claimed is None:
            raise Refused("MissingAuthenticationTokenException", "the request is not signed")
        keys = self.keys.get(claimed[1])
        if keys is None:
            raise Refused("UnrecognizedClientException", f"nobody has the access key {claimed[1]}")
        if request.header("x-amz-security-token") != keys.session_token:
            raise Refused("UnrecognizedClientException", f"not the session token of {claimed[1]}")
        checked = check(
            {
                "method": request.method,
                "url_path": request.path,
                "query": request.query,
                "headers": request.headers,
                "body_base64": b64encode(request.body).decode(),
                "region": region,
                "service": service,
                "access_key_id": keys.access_key_id,
                "secret_access_key": keys.secret_access_key,
            }
        )
        if not checked["ok"]:
            raise Refused("InvalidSignatureException", checked["reason"])
        return keys


class Functions:
    """The Invoke API: any function exists, and its response names the access key that signed."""

    def __init__(self, vault: Vault, region: str) -> None:
        self.vault = vault
        self.region = region
        # Of every call whose signature was right, in the order of arrival.
        self.signers: list[Keys] = []
        self.prefixes: list[str] = []

    def respond(self, request: Request) -> Answer:
        match = re.fullmatch(r"(.*)/2015-03-31/functions/([^/]+)/invocations", request.path)
        if match is None or request.method != "POST":
            return self._error(404, "UnknownOperationException", f"there is no {request.method} {request.path}")
        try:
            keys = self.vault.signer(request, "lambda", self.region)
        except Refused as refused:
            return self._error(403, refused.code, refused.why)
        self.signers.append(keys)
        self.prefixes.append(match[1])
        if keys.access_key_id in self.vault.expired:
            return self._error(403, "ExpiredTokenException", "The security token included in the request is expired")
        return json_answer(200, {"signed_by": keys.access_key_id}, x_amzn_RequestId=str(uuid.uuid4()))

    def _error(self, status: int, code: str, why: str) -> Answer:
        return json_answer(status, {"Type": "User", "message": why}, x_amzn_ErrorType=code)


@dataclass
class Role:
    """What STS hands out, to whom, and what must be asked for. None: any."""

    arn: str
    keys: Keys
    # Either these keys must have signed, or this token must have been sent.
    trusted: Keys | None = None
    token: str | None = None
    external_id: str | None = None
    session_name: str | None = None
    duration: int | None = None
    lifetime: float = HOUR


class Sts:
    def __init__(self, vault: Vault, region: str) -> None:
        self.vault = vault
        self.region = region
        self.roles: dict[str, Role] = {}

    def respond(self, request: Request) -> Answer:
        form = dict(parse_qsl(request.body.decode()))
        try:
            if (request.header("content-type") or "").split(";")[0] != "application/x-www-form-urlencoded":
                raise Refused("InvalidAction", "the request is no form")
            role = self._role(request, form)
        except Refused as refused:
            return sts_error(403, refused.code, refused.why)
        kind = form["Action"]
        document = (
            f'<{kind}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{kind}Result><AssumedRoleUser>'
            f"<AssumedRoleId>AROA:{form['RoleSessionName']}</AssumedRoleId><Arn>{role.arn}</Arn></AssumedRoleUser>"
            f"<Credentials><AccessKeyId>{role.keys.access_key_id}</AccessKeyId>"
            f"<SecretAccessKey>{role.keys.secret_access_key}</SecretAccessKey>"
            f"<SessionToken>{role.keys.session_token}</SessionToken><Expiration>{date(role.lifetime)}</Expiration>"
            f"</Credentials></{kind}Result><ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
            f"</{kind}Response>"
        )
        return Answer(200, document.encode(), {"Content-Type": "text/xml"})

    def _role(self, request: Request, form: dict[str, str]) -> Role:
        role = self.roles.get(form.get("RoleArn", ""))
        if role is None:
            raise Refused("AccessDenied", f"there is no role {form.get('RoleArn')}")
        if form.get("Action") == "AssumeRole" and role.trusted is not None:
            signer = self.vault.signer(request, "sts", self.region)
            self._same("signer", role.trusted.access_key_id, signer.access_key_id)
        elif form.get("Action") == "AssumeRoleWithWebIdentity" and role.token is not None:
            if request.header("authorization") is not None:
                raise Refused("InvalidClientTokenId", "this operation is not signed")
            if form.get("WebIdentityToken") != role.token:
                raise Refused("InvalidIdentityToken", "not the token of the file")
        else:
            raise Refused("InvalidAction", f"{form.get('Action')} does not lead to {role.arn}")
        if not re.fullmatch(r"[\w+=,.@-]{2,64}", form.get("RoleSessionName", "")):
            raise Refused("ValidationError", f"{form.get('RoleSessionName')!r} names no session")
        for name, wanted in {
            "ExternalId": role.external_id,
            "RoleSessionName": role.session_name,
            "DurationSeconds": role.duration,
        }.items():
            if wanted is not None:
                self._same(name, str(wanted), form.get(name))
        return role

    def _same(self, name: str, wanted: str, got: str | None) -> None:
        if wanted != got:
            raise Refused("AccessDenied", f"{name} must be {wanted}, not {got}")


def sts_error(status: int, code: str, why: str) -> Answer:
    document = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{why}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )
    return Answer(status, document.encode(), {"Content-Type": "text/xml"})


Issue = Callable[[], dict[str, str]]


def issue(*keys: Keys, lifetimes: Iterable[float] = ()) -> Issue:
    """Documents as containers and instances have them: the keys one after the other, the last ones again and again."""
    ages = [*lifetimes]
    given = 0

    def next_document() -> dict[str, str]:
        nonlocal given
        at = min(given, len(keys) - 1)
        given += 1
        return {
            "AccessKeyId": keys[at].access_key_id,
            "SecretAccessKey": keys[at].secret_access_key,
            "Token": keys[at].session_token or "",
            "Expiration": date(ages[at] if at < len(ages) else HOUR),
        }

    return next_document


def date(seconds_from_now: float) -> str:
    """Rounded up to a whole second: what lives shortly must not be dead on arrival."""
    when = datetime.now(timezone.utc) + timedelta(seconds=seconds_from_now + 0.999)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


ROLE_PATH = "/latest/meta-data/iam/security-credentials/"
ALL_MEMBERS = {"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z"}


def instance_metadata(vault: Vault, documents: Issue | None, extra: dict[str, str] = ALL_MEMBERS) -> Respond:
    """IMDSv2. Without documents it is an instance that has no role."""
    tokens: set[str] = set()

    def respond(request: Request) -> Answer:
        if request.path == "/latest/api/token":
            ttl = request.header("x-aws-ec2-metadata-token-ttl-seconds") or ""
            if request.method != "PUT" or not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
                return Answer(400, b"a token takes a PUT and a time to live")
            if request.header("x-forwarded-for") is not None:
                return Answer(403, b"this came through a proxy")
            token = vault.make_secret("imds-token")
            tokens.add(token)
            return Answer(200, token.encode(), {"X-aws-ec2-metadata-token-ttl-seconds": ttl})
        if request.method != "GET" or request.header("x-aws-ec2-metadata-token") not in tokens:
            return Answer(401, b"that takes a token of this server")
        if documents is not None and request.path == ROLE_PATH:
            return Answer(200, b"the-role", {"Content-Type": "text/plain"})
        if documents is not None and request.path == f"{ROLE_PATH}the-role":
            return Answer(200, json.dumps({**extra, **documents()}).encode(), {"Content-Type": "text/plain"})
        return Answer(404, b"there is no such document")

    return respond


def container(
    documents: Issue, authorization: Callable[[], str | None] = lambda: None, path: str = "/credentials"
) -> Respond:
    """The agent of ECS, or of EKS: `authorization` returns the token that it expects at this moment."""

    def respond(request: Request) -> Answer:
        if request.method != "GET" or request.path != path:
            return json_answer(404, {"code": "NotFound", "message": f"there is no {request.method} {request.path}"})
        if request.header("authorization") != authorization():
            return json_answer(403, {"code": "AccessDenied", "message": "that is not the authorization token"})
        return json_answer(200, documents())

    return respond


@dataclass
class Sso:
    """The portal hands out keys for a token, OIDC tokens for a refresh token."""

    vault: Vault
    keys: Keys
    account_id: str = "123456789012"
    role_name: str = "Reader"

    def __post_init__(self) -> None:
        self.token = self.vault.make_secret("sso-token")
        self.client_id = "the-client"
        self.client_secret = self.vault.make_secret("sso-client-secret")
        self.refresh_token = self.vault.make_secret("sso-refresh-token")
        self.renewed = self.vault.make_secret("sso-renewed-token")
        # The tokens that the portal takes.
        self.good = {self.token}

    def portal(self, request: Request) -> Answer:
        if (request.method, request.path) != ("GET", "/federation/credentials"):
            return sso_error(404, "ResourceNotFoundException", f"there is no {request.method} {request.path}")
        if dict(parse_qsl(request.query)) != {"role_name": self.role_name, "account_id": self.account_id}:
            return sso_error(403, "ForbiddenException", f"no access with {request.query}")
        if request.header("x-amz-sso_bearer_token") not in self.good:
            return sso_error(401, "UnauthorizedException", "Session token not found or invalid")
        keys = {
            "accessKeyId": self.keys.access_key_id,
            "secretAccessKey": self.keys.secret_access_key,
            "sessionToken": self.keys.session_token,
            "expiration": int((datetime.now(timezone.utc).timestamp() + HOUR) * 1000),
        }
        return json_answer(200, {"roleCredentials": keys})

    def oidc(self, request: Request) -> Answer:
        if (request.method, request.path) != ("POST", "/token"):
            return sso_error(404, "ResourceNotFoundException", f"there is no {request.method} {request.path}")
        body: dict[str, Any] = json.loads(request.body)
        wanted = {
            "clientId": self.client_id,
            "clientSecret": self.client_secret,
            "grantType": "refresh_token",
            "refreshToken": self.refresh_token,
        }
        if wrong := [name for name, value in wanted.items() if body.get(name) != value]:
            return sso_error(400, "InvalidGrantException", f"wrong: {', '.join(wrong)}")
        self.good.add(self.renewed)
        tokens = {"accessToken": self.renewed, "refreshToken": self.refresh_token}
        return json_answer(200, {**tokens, "tokenType": "Bearer", "expiresIn": int(HOUR)})


def sso_error(status: int, code: str, why: str) -> Answer:
    body = {"message": why, "error": "invalid_grant", "error_description": why}
    return json_answer(status, body, x_amzn_ErrorType=code)
