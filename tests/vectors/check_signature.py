#!/usr/bin/env python3
"""Check the SigV4 signature of a request as a server read it from the wire, with botocore's signer.

Standard input holds one JSON object:

    method              "POST"
    url_path            the path of the request line, raw
    query               the query of the request line, raw, without the question mark ("" for none)
    headers             [[name, value], ...] in any case and order, as they came
    body_base64         the body, without any transfer encoding
    region, access_key_id, secret_access_key

Optional: service ("lambda"). Prints {"ok": true} and exits with 0, or {"ok": false, "reason", "expected", "got",
"canonical_request"} and exits with 1; expected and canonical_request are null where the request is too broken for them.
"""

import base64
import hashlib
import hmac
import json
import re
import sys
from urllib.parse import unquote_to_bytes

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from botocore.utils import percent_encode

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<credential>[^, ]+), *SignedHeaders=(?P<signed>[^, ]+),"
    r" *Signature=(?P<signature>[0-9a-f]{64})"
)
# What a request line can carry; everything else has to be percent-encoded.
RAW_PATH = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
RAW_QUERY = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")


class Refused(Exception):
    """The request is not one whose signature could be right."""


class WireAuth(SigV4Auth):
    """botocore's signer, told by the request which headers were signed."""

    def __init__(self, credentials, service, region, signed):
        super().__init__(credentials, service, region)
        self.signed = signed

    def headers_to_sign(self, request):
        # botocore would add a host, and leave out headers that it never signs itself.
        headers = HTTPHeaders()
        for name, value in request.headers.items():
            headers[name.lower()] = value
        if sorted(set(headers.keys())) != sorted(self.signed):
            raise Refused("SignedHeaders names a header that was not sent")
        return headers


def single(headers, name):
    values = [value for key, value in headers if key.lower() == name]
    if len(values) != 1:
        raise Refused(f"{len(values)} {name} headers, not one")
    return values[0].strip()


def canonical_query(raw):
    """The query as a service reads and writes it: every key and value decoded and encoded again."""
    pairs = (pair.partition("=") for pair in raw.split("&") if pair)
    return "&".join(
        f"{percent_encode(unquote_to_bytes(key))}={percent_encode(unquote_to_bytes(value))}" for key, _, value in pairs
    )


def check(wire):
    answer = {"ok": False, "reason": None, "expected": None, "got": None, "canonical_request": None}
    try:
        verify(wire, answer)
    except Refused as refused:
        answer["reason"] = str(refused)
        return answer
    return {"ok": True}


def verify(wire, answer):
    headers = wire["headers"]
    body = base64.b64decode(wire["body_base64"], validate=True)
    service = wire.get("service", "lambda")

    authorization = AUTHORIZATION.fullmatch(single(headers, "authorization"))
    if not authorization:
        raise Refused("malformed Authorization header")
    answer["got"] = authorization["signature"]
    signed = authorization["signed"].split(";")
    if signed != sorted({name.lower() for name in signed}):
        raise Refused("SignedHeaders are not lower-case, sorted and unique")

    if not RAW_PATH.fullmatch(wire["url_path"]):
        raise Refused("the path holds characters that have to be percent-encoded")
    if not RAW_QUERY.fullmatch(wire["query"]):
        raise Refused("the query holds characters that have to be percent-encoded")
    single(headers, "host")
    timestamp = single(headers, "x-amz-date")
    if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", timestamp):
        raise Refused("malformed X-Amz-Date header")

    # botocore normalizes the path and quotes it once more: a %3A on the wire is %253A in the canonical request. The
    # host that it signs is that of the headers.
    url = f"https://host.invalid{wire['url_path']}"
    query = canonical_query(wire["query"])
    request = AWSRequest(wire["method"], f"{url}?{query}" if query else url, data=body)
    for name, value in headers:
        if name.lower() in signed:
            request.headers[name] = value
    request.context["timestamp"] = timestamp

    credentials = Credentials(wire["access_key_id"], wire["secret_access_key"])
    auth = WireAuth(credentials, service, wire["region"], signed)
    canonical_request = auth.canonical_request(request)
    expected = auth.signature(auth.string_to_sign(request, canonical_request), request)
    answer["canonical_request"] = canonical_request
    answer["expected"] = expected

    names = {name.lower() for name, _ in headers}
    unsigned = {name for name in names if name == "host" or name.startswith("x-amz-")}.difference(signed)
    if unsigned:
        raise Refused(f"not signed: {', '.join(sorted(unsigned))}")
    # botocore takes this header's word for the body.
    body_hash = hashlib.sha256(body).hexdigest()
    if "x-amz-content-sha256" in names and single(headers, "x-amz-content-sha256") != body_hash:
        raise Refused("X-Amz-Content-SHA256 is not the body's hash")
    if authorization["credential"] != auth.scope(request):
        raise Refused(f"the credential is {authorization['credential']}, not {auth.scope(request)}")
    if not hmac.compare_digest(expected, authorization["signature"]):
        raise Refused("the signature does not match")


def main():
    answer = check(json.load(sys.stdin.buffer))
    json.dump(answer, sys.stdout)
    print()
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
