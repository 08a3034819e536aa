"""Verification of AWS Signature Version 4, from what came over the wire."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, unquote_to_bytes

from .answers import refusal
from .message import Head

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "lambda"
TERMINATOR = "aws4_request"
TOLERANCE = timedelta(minutes=5)
DATE_FORMAT = "%Y%m%dT%H%M%SZ"

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
INVALID_TOKEN = "The security token included in the request is invalid."


@dataclass(frozen=True)
class Credentials:
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


@dataclass(frozen=True)
class Authorization:
    access_key_id: str
    date: str
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]
    signature: str


@dataclass(frozen=True)
class Verifier:
    credentials: Credentials

    def verify(self, head: Head, region: str, body: bytes | None) -> None:
        """Raises Refusal. A body of None has not been read: then only a hash in the headers can be checked."""
        authorization = parse_authorization(head)
        self._verify_identity(head, authorization)
        verify_scope(authorization, region)
        verify_date(head, authorization)
        self._verify_headers(head, authorization)
        declared = head.get("x-amz-content-sha256")
        if body is None:
            payload_hash = declared
        else:
            payload_hash = hashlib.sha256(body).hexdigest()
            if declared is not None and not hmac.compare_digest(declared.encode("latin-1"), payload_hash.encode()):
                raise refuse("The provided 'x-amz-content-sha256' header does not match what was computed.")
        if payload_hash is None:
            return
        expected = sign(head, authorization, payload_hash, self.credentials.secret_access_key)
        if not hmac.compare_digest(expected.encode(), authorization.signature.encode()):
            raise refuse(MISMATCH)

    def _verify_identity(self, head: Head, authorization: Authorization) -> None:
        token = head.get("x-amz-security-token")
        if token == "expired":
            raise refusal("ExpiredTokenException", "The security token included in the request is expired")
        given = (authorization.access_key_id, token or "", str(token is None))
        wanted_token = self.credentials.session_token
        wanted = (self.credentials.access_key_id, wanted_token or "", str(wanted_token is None))
        if not hmac.compare_digest("\n".join(given).encode("latin-1"), "\n".join(wanted).encode()):
            raise refusal("UnrecognizedClientException", INVALID_TOKEN)

    def _verify_headers(self, head: Head, authorization: Authorization) -> None:
        present = {name.lower() for name, _ in head.headers}
        signed = authorization.signed_headers
        if list(signed) != sorted(set(signed)):
            raise refuse("'SignedHeaders' must be unique and sorted by their lower-case names.")
        for name in signed:
            if name not in present:
                raise refuse(f"'{name}' is named in 'SignedHeaders', but the request does not have it.")
        for name in sorted(present):
            if (name == "host" or name.startswith("x-amz-")) and name not in signed:
                raise refuse(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def refuse(message: str) -> Exception:
    return refusal("InvalidSignatureException", message)


def parse_authorization(head: Head) -> Authorization:
    value = head.get("authorization")
    if value is None:
        raise refusal("MissingAuthenticationTokenException", "Missing Authentication Token")
    algorithm, _, rest = value.partition(" ")
    if algorithm != ALGORITHM:
        raise refusal("IncompleteSignatureException", f"The Authorization header must begin with '{ALGORITHM}'.")
    fields: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, content = part.strip(" ").partition("=")
        if not equals or name in fields:
            raise refusal("IncompleteSignatureException", "The Authorization header is not a list of key=value pairs.")
        fields[name] = content
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not fields.get(name):
            raise refusal("IncompleteSignatureException", f"Authorization header requires '{name}' parameter.")
    # A key id may hold slashes; the scope has exactly four parts.
    try:
        access_key_id, date, region, service, terminator = fields["Credential"].rsplit("/", 4)
    except ValueError:
        raise refusal(
            "IncompleteSignatureException",
            "Credential must have at least 5 slash-delimited parts: key id, date, region, service and terminator.",
        ) from None
    if not re.fullmatch("[0-9a-f]{64}", fields["Signature"]):
        raise refuse(MISMATCH)
    signed_headers = tuple(fields["SignedHeaders"].split(";"))
    return Authorization(access_key_id, date, region, service, terminator, signed_headers, fields["Signature"])


def verify_scope(authorization: Authorization, region: str) -> None:
    if authorization.region != region:
        raise refuse(f"Credential should be scoped to a valid region, not '{authorization.region}'.")
    if authorization.service != SERVICE:
        raise refuse(f"Credential should be scoped to correct service: '{SERVICE}'.")
    if authorization.terminator != TERMINATOR:
        raise refuse(
            f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{authorization.terminator}'."
        )


def verify_date(head: Head, authorization: Authorization) -> None:
    text = head.get("x-amz-date")
    if text is None:
        raise refusal(
            "IncompleteSignatureException", "Authorization header requires existence of a 'X-Amz-Date' header."
        )
    try:
        if not re.fullmatch(r"\d{8}T\d{6}Z", text, re.ASCII):
            raise ValueError
        date = datetime.strptime(text, DATE_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        raise refuse(f"Date must be in ISO-8601 'basic format'. Got '{text}'.") from None
    if authorization.date != text[:8]:
        raise refuse(
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{authorization.date}' != '{text[:8]}', from '{text}'."
        )
    now = datetime.now(timezone.utc).replace(microsecond=0)
    if date < now - TOLERANCE:
        earliest = (now - TOLERANCE).strftime(DATE_FORMAT)
        raise refuse(f"Signature expired: {text} is now earlier than {earliest} ({now.strftime(DATE_FORMAT)} - 5 min.)")
    if date > now + TOLERANCE:
        latest = (now + TOLERANCE).strftime(DATE_FORMAT)
        raise refuse(
            f"Signature not yet current: {text} is still later than {latest} ({now.strftime(DATE_FORMAT)} + 5 min.)"
        )


def sign(head: Head, authorization: Authorization, payload_hash: str, secret: str) -> str:
    canonical = "\n".join(
        [
            head.method,
            canonical_path(head.path),
            canonical_query(head.query),
            *(f"{name}:{canonical_value(head.get(name) or '')}" for name in authorization.signed_headers),
            "",
            ";".join(authorization.signed_headers),
            payload_hash,
        ]
    )
    scope = [authorization.date, authorization.region, authorization.service, authorization.terminator]
    text = "\n".join(
        [
            ALGORITHM,
            head.get("x-amz-date") or "",
            "/".join(scope),
            hashlib.sha256(canonical.encode("latin-1")).hexdigest(),
        ]
    )
    key = ("AWS4" + secret).encode()
    for part in scope:
        key = hmac.new(key, part.encode("latin-1"), hashlib.sha256).digest()
    return hmac.new(key, text.encode("latin-1"), hashlib.sha256).hexdigest()


def canonical_path(path: str) -> str:
    """The path as it was sent, normalised and, as for every service but S3, encoded once more."""
    parts: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del parts[-1:]
        elif segment not in ("", "."):
            parts.append(segment)
    normal = "/" + "/".join(parts)
    if parts and segments[-1] in ("", ".", ".."):
        normal += "/"
    return quote(normal, safe="/-_.~")


def canonical_query(query: str) -> str:
    pairs = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        pairs.append((quote(unquote_to_bytes(name), safe="-_.~"), quote(unquote_to_bytes(value), safe="-_.~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def canonical_value(value: str) -> str:
    return re.sub(" +", " ", value.strip(" \t"))
