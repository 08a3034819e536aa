"""check_signature.py, proved with requests that botocore signed, and with the same requests tampered with."""

import base64
import copy
import json
import pathlib
import socket
import subprocess
import sys
import threading

import botocore
import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from check_signature import check

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = json.loads((HERE / "invoke.json").read_text(encoding="utf-8"))
CASES = {one["name"]: one for one in VECTORS["cases"]}
KEYS = {name: VECTORS[name] for name in ("access_key_id", "secret_access_key")}


def wire_of(one):
    """The request of one vector as a server would have read it."""
    made = one["expected"]
    headers = {**made["headers"], **made["unsigned_headers"], "Authorization": made["authorization"]}
    return {
        "method": "POST",
        "url_path": made["path"],
        "query": made["query"],
        "headers": [list(header) for header in headers.items()],
        "body_base64": one["input"].get("payload", ""),
        "region": one["region"],
        **KEYS,
    }


def signed_by_botocore(url, headers=(), body=b"", method="POST", region="us-east-1"):
    """A request made by hand and signed by botocore's signer, with the clock of today."""
    request = AWSRequest(method, url, data=body)
    for name, value in headers:
        request.headers[name] = value
    auth = SigV4Auth(Credentials(KEYS["access_key_id"], KEYS["secret_access_key"]), "lambda", region)
    auth.add_auth(request)
    host, _, target = url.partition("://")[2].partition("/")
    path, _, query = f"/{target}".partition("?")
    return {
        "method": method,
        "url_path": path,
        "query": query,
        "headers": [["Host", host], *map(list, request.headers.items())],
        "body_base64": base64.b64encode(body).decode(),
        "region": region,
        **KEYS,
    }


def edit_header(wire, name, value):
    """Give the header of this name another value, or take it away."""
    headers = [header for header in wire["headers"] if header[0].lower() != name]
    assert len(headers) == len(wire["headers"]) - 1
    wire["headers"] = headers if value is None else [*headers, [name, value]]


def edit_authorization(wire, old, new):
    (value,) = (value for name, value in wire["headers"] if name == "Authorization")
    assert old in value
    edit_header(wire, "authorization", value.replace(old, new))
    wire["headers"][-1][0] = "Authorization"


@pytest.mark.parametrize("name", CASES)
def test_accepts_every_vector(name):
    assert check(wire_of(CASES[name])) == {"ok": True}


@pytest.mark.parametrize("name", CASES)
def test_computes_what_botocore_computed(name):
    made = CASES[name]["expected"]
    wire = wire_of(CASES[name])
    edit_authorization(wire, made["signature"], "0" * 64)
    assert check(wire) == {
        "ok": False,
        "reason": "the signature does not match",
        "expected": made["signature"],
        "got": "0" * 64,
        "canonical_request": made["canonical_request"],
    }


def set_path(old, new):
    def tamper(wire):
        assert old in wire["url_path"]
        wire["url_path"] = wire["url_path"].replace(old, new)

    return tamper


def set_header(name, value):
    return lambda wire: edit_header(wire, name, value)


def set_authorization(old, new):
    return lambda wire: edit_authorization(wire, old, new)


def set_member(name, value):
    return lambda wire: wire.update({name: value})


def add_header(name, value):
    return lambda wire: wire["headers"].append([name, value])


MISMATCH = "the signature does not match"
TAMPERED = {
    "method": (set_member("method", "PUT"), MISMATCH),
    "function": (set_path("my-function", "my-functioN"), MISMATCH),
    "colon not encoded": (set_path("%3Alambda", ":lambda"), MISMATCH),
    "colon encoded twice": (set_path("%3Alambda", "%253Alambda"), MISMATCH),
    "lower-case hexadecimal in the path": (set_path("%3Alambda", "%3alambda"), MISMATCH),
    "prefix": (set_path("/lambda/prod", "/lambda"), MISMATCH),
    "no prefix": (set_path("/lambda/prod/", "/"), MISMATCH),
    "path not ASCII": (set_path("my-function", "\u00e9"), "the path holds characters that have to be percent-encoded"),
    "path with a space": (set_path("my-", "my "), "the path holds characters that have to be percent-encoded"),
    "path with a fragment": (set_path("my-", "my#"), "the path holds characters that have to be percent-encoded"),
    "path with a query": (set_path("my-", "my?"), "the path holds characters that have to be percent-encoded"),
    "path with a lone %": (set_path("my-", "my%"), "the path holds characters that have to be percent-encoded"),
    "qualifier": (set_member("query", "Qualifier=live"), MISMATCH),
    "no qualifier": (set_member("query", ""), MISMATCH),
    "second parameter": (set_member("query", "Qualifier=%24LATEST&x=y"), MISMATCH),
    "qualifier encoded twice": (set_member("query", "Qualifier=%2524LATEST"), MISMATCH),
    "query with a space": (set_member("query", "a b"), "the query holds characters that have to be percent-encoded"),
    "body": (set_member("body_base64", base64.b64encode(bytes(range(1, 256))).decode()), MISMATCH),
    "no body": (set_member("body_base64", ""), MISMATCH),
    "host": (set_header("host", "127.0.0.1:9002"), MISMATCH),
    "host without its port": (set_header("host", "127.0.0.1"), MISMATCH),
    "no host": (set_header("host", None), "0 host headers, not one"),
    "two hosts": (add_header("host", "127.0.0.1:9001"), "2 host headers, not one"),
    "tenant": (set_header("x-amz-tenant-id", "tenant  two @ y"), MISMATCH),
    "no tenant": (set_header("x-amz-tenant-id", None), "SignedHeaders names a header that was not sent"),
    "two tenants": (add_header("x-amz-tenant-id", "x"), MISMATCH),
    "tenant without a space": (set_header("x-amz-tenant-id", "tenanttwo @ x"), MISMATCH),
    "token": (set_header("x-amz-security-token", "another"), MISMATCH),
    "log type": (set_header("x-amz-log-type", "None"), MISMATCH),
    "unsigned x-amz- header": (add_header("X-Amz-Other", "x"), "not signed: x-amz-other"),
    "tenant not signed": (set_authorization(";x-amz-tenant-id", ""), "not signed: x-amz-tenant-id"),
    "host not signed": (set_authorization("=host;", "="), "not signed: host"),
    "signed headers not sorted": (
        set_authorization("=host;x-amz-client-context", "=x-amz-client-context;host"),
        "SignedHeaders are not lower-case, sorted and unique",
    ),
    "signed headers in upper case": (
        set_authorization("=host", "=Host"),
        "SignedHeaders are not lower-case, sorted and unique",
    ),
    "later, the same day": (set_header("x-amz-date", "20260102T030406Z"), MISMATCH),
    "later by a day": (
        set_header("x-amz-date", "20260103T030405Z"),
        "the credential is AKIDEXAMPLE/20260102/eu-west-3/lambda/aws4_request, "
        "not AKIDEXAMPLE/20260103/eu-west-3/lambda/aws4_request",
    ),
    "malformed date": (set_header("x-amz-date", "2026-01-02T03:04:05Z"), "malformed X-Amz-Date header"),
    "no date": (set_header("x-amz-date", None), "0 x-amz-date headers, not one"),
    "another region": (
        set_member("region", "eu-west-1"),
        "the credential is AKIDEXAMPLE/20260102/eu-west-3/lambda/aws4_request, "
        "not AKIDEXAMPLE/20260102/eu-west-1/lambda/aws4_request",
    ),
    "another service": (
        set_authorization("/lambda/", "/s3/"),
        "the credential is AKIDEXAMPLE/20260102/eu-west-3/s3/aws4_request, "
        "not AKIDEXAMPLE/20260102/eu-west-3/lambda/aws4_request",
    ),
    "another access key": (
        set_member("access_key_id", "AKIDOTHER"),
        "the credential is AKIDEXAMPLE/20260102/eu-west-3/lambda/aws4_request, "
        "not AKIDOTHER/20260102/eu-west-3/lambda/aws4_request",
    ),
    "another secret": (set_member("secret_access_key", "other"), MISMATCH),
    "no authorization": (set_header("authorization", None), "0 authorization headers, not one"),
    "another scheme": (set_authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), "malformed Authorization header"),
    "signature too long": (set_authorization("Signature=", "Signature=0"), "malformed Authorization header"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_refuses_tampered(name):
    tamper, reason = TAMPERED[name]
    wire = wire_of(CASES["everything-endpoint"])
    assert check(copy.deepcopy(wire)) == {"ok": True}
    tamper(wire)
    answer = check(wire)
    assert (answer["ok"], answer["reason"]) == (False, reason)
    if reason == MISMATCH:
        assert answer["expected"] != answer["got"] == CASES["everything-endpoint"]["expected"]["signature"]


def test_unsigned_headers_do_not_matter():
    wire = wire_of(CASES["everything-endpoint"])
    edit_header(wire, "x-amzn-trace-id", "Root=1-00000000-000000000000000000000000")
    edit_header(wire, "content-length", None)
    wire["headers"] += [["User-Agent", "x"], ["Transfer-Encoding", "chunked"], ["amz-sdk-request", "attempt=1"]]
    wire["headers"].reverse()
    wire["headers"] = [[name.upper(), value] for name, value in wire["headers"]]
    assert check(wire) == {"ok": True}


def test_runs_of_spaces_are_one_space():
    wire = wire_of(CASES["everything-endpoint"])
    edit_header(wire, "x-amz-tenant-id", " tenant   two @ x ")
    assert check(wire) == {"ok": True}


def test_the_query_is_read_and_written_again():
    # A service takes a raw $ for what it stands for; so does a client that signs %24 and sends $.
    wire = wire_of(CASES["everything-endpoint"])
    wire["query"] = "Qualifier=$LATEST"
    assert check(wire) == {"ok": True}
    # botocore's signer takes the query of a URL as it stands. This client signs a raw $, which no service accepts.
    assert not check(signed_by_botocore("http://127.0.0.1:9001/f?Qualifier=$LATEST"))["ok"]


@pytest.mark.parametrize(
    ("target", "canonical"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a:b", "/a%3Ab"),
        ("/a%3Ab", "/a%253Ab"),
        ("/a%3ab", "/a%253ab"),
        ("/a%253Ab", "/a%25253Ab"),
        ("/a%2Fb", "/a%252Fb"),
        ("/a$(b)'*!~", "/a%24%28b%29%27%2A%21~"),
        ("/a%C3%A9b", "/a%25C3%25A9b"),
        ("//a//b/", "/a/b/"),
        ("/a/./b/../c", "/a/c"),
        ("/a%2E%2E/b", "/a%252E%252E/b"),
    ],
)
def test_accepts_any_path(target, canonical):
    wire = signed_by_botocore(f"http://127.0.0.1:9001{target}", [("Content-Type", "text/plain")], b"body")
    assert check(wire) == {"ok": True}
    edit_header(wire, "x-amz-date", "20260102T030405Z")
    assert check(wire)["canonical_request"].split("\n")[1] == canonical


def test_the_query_is_sorted():
    wire = signed_by_botocore("http://127.0.0.1:9001/f?b=2&a=1&a=0&c=")
    assert check(wire) == {"ok": True}
    wire["query"] = "c&a=0&b=2&a=1"
    assert check(wire) == {"ok": True}
    wire["query"] = "c&a=0&b=2&a=2"
    assert check(wire)["canonical_request"].split("\n")[2] == "a=0&a=2&b=2&c="


def test_the_hash_in_a_header_is_not_believed():
    sha256 = CASES["payload-object"]["expected"]["payload_sha256"]
    url = "http://127.0.0.1:9001/f"
    assert check(signed_by_botocore(url, [("X-Amz-Content-SHA256", sha256)], b"{}")) == {"ok": True}
    wire = signed_by_botocore(url, [("X-Amz-Content-SHA256", sha256)], b"[]")
    assert check(wire)["reason"] == "X-Amz-Content-SHA256 is not the body's hash"
    wire = signed_by_botocore(url, [("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")], b"{}")
    assert check(wire)["reason"] == "X-Amz-Content-SHA256 is not the body's hash"


def serve_one(listener, seen):
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as stream:
        method, target, _ = stream.readline().decode("ascii").split(" ")
        headers = []
        while line := stream.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            headers.append([name, value.strip()])
        length = int({name.lower(): value for name, value in headers}["content-length"])
        body = stream.read(length)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    path, _, query = target.partition("?")
    seen.update(method=method, url_path=path, query=query, headers=headers, body=body)


@pytest.mark.parametrize(
    "name",
    [
        "name-plain",
        "arn-aws-colon-latest",
        "name-char-all",
        "name-char-dot-segment",
        "qualifier-char-all",
        "payload-absent",
        "payload-all-bytes",
        "endpoint-prefix-encoded",
        "everything",
        "everything-endpoint",
    ],
)
def test_what_botocore_really_sends(name, monkeypatch):
    """The vectors say what goes over the wire: botocore's client, this time with nothing in its way."""
    one = CASES[name]
    members = {
        "".join(part.capitalize() for part in key.split("_")): value
        for key, value in one["input"].items()
        if key != "trace_header"
    }
    members["Payload"] = base64.b64decode(members.get("Payload", ""))
    if "trace_header" in one["input"]:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "caller")
        monkeypatch.setenv("_X_AMZN_TRACE_ID", one["input"]["trace_header"])

    seen = {}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        server = threading.Thread(target=serve_one, args=(listener, seen))
        server.start()
        prefix = one["expected"]["path"].partition("/2015-03-31/")[0]
        port = listener.getsockname()[1]
        client = botocore.session.Session().create_client(
            "lambda",
            region_name=one["region"],
            endpoint_url=f"http://127.0.0.1:{port}{prefix}",
            aws_access_key_id=KEYS["access_key_id"],
            aws_secret_access_key=KEYS["secret_access_key"],
            aws_session_token=one["session_token"],
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )
        answer = client.invoke(**members)
        server.join()
    assert answer["StatusCode"] == 200

    body = seen.pop("body")
    wire = {**seen, "body_base64": base64.b64encode(body).decode(), "region": one["region"], **KEYS}
    assert check(wire) == {"ok": True}

    made = one["expected"]
    assert (wire["method"], wire["url_path"], wire["query"]) == ("POST", made["path"], made["query"])
    assert body == members["Payload"]
    headers = {header.lower(): value for header, value in seen["headers"]}
    assert headers.pop("host") == f"127.0.0.1:{port}"
    for header, value in {**made["headers"], **made["unsigned_headers"]}.items():
        if header not in ("host", "x-amz-date"):
            assert headers[header] == value
    assert f"SignedHeaders={made['signed_headers']}," in headers["authorization"]
    assert "content-type" not in headers


def run_checker(wire):
    done = subprocess.run(
        [sys.executable, HERE / "check_signature.py"], input=json.dumps(wire).encode(), capture_output=True, check=False
    )
    assert done.stderr == b""
    return done.returncode, json.loads(done.stdout)


def test_command_line():
    wire = wire_of(CASES["everything"])
    assert run_checker(wire) == (0, {"ok": True})
    wire["body_base64"] = ""
    status, answer = run_checker(wire)
    assert status == 1
    assert answer == check(wire)
    assert answer["ok"] is False
    assert answer["got"] == CASES["everything"]["expected"]["signature"]


@pytest.mark.parametrize("name", ["invoke", "endpoints"])
def test_vectors_can_be_made_anew(name):
    if botocore.__version__ != json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))["botocore"]:
        pytest.skip("another version of botocore made the vectors")
    subprocess.run([sys.executable, HERE / f"make_{name}_vectors.py", "--check"], check=True)
