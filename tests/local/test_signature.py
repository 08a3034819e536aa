from __future__ import annotations

import datetime
import email.utils
import json
import re

import botocore.auth
import pytest
from botocore.exceptions import ClientError
from conftest import Endpoint, SignedRequest, Starter

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


def refused(endpoint: Endpoint, request: SignedRequest) -> tuple[str | None, str]:
    answer = endpoint.exchange(request.encode())
    assert answer.status == 403
    assert email.utils.parsedate_to_datetime(answer.headers["date"])
    return answer.error, answer.message


def now(seconds: float = 0) -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: now(seconds))


def test_as_botocore_signs(endpoint: Endpoint) -> None:
    answer = endpoint.exchange(endpoint.signed(body=b'{"name": "wire"}').encode())
    assert answer.status == 200
    assert json.loads(answer.body) == {"hello": "wire"}


def test_wrong_secret(endpoint: Endpoint) -> None:
    with pytest.raises(ClientError) as caught:
        endpoint.client(aws_secret_access_key="wrong").invoke(FunctionName="hello")
    assert caught.value.response["Error"] == {"Code": "InvalidSignatureException", "Message": MISMATCH}


def test_wrong_key_id(endpoint: Endpoint) -> None:
    with pytest.raises(ClientError) as caught:
        endpoint.client(aws_access_key_id="wrong").invoke(FunctionName="hello")
    assert caught.value.response["Error"] == {
        "Code": "UnrecognizedClientException",
        "Message": "The security token included in the request is invalid.",
    }


def test_own_credentials(start: Starter) -> None:
    endpoint = start("--access-key-id", "AKIA/1", "--secret-access-key", "s/+=")
    assert (endpoint.access_key_id, endpoint.secret_access_key) == ("AKIA/1", "s/+=")
    assert endpoint.result("hello") == {"hello": "world"}


def test_no_authorization(endpoint: Endpoint) -> None:
    request = endpoint.signed()
    request.headers = [header for header in request.headers if header[0] != "Authorization"]
    assert refused(endpoint, request) == ("MissingAuthenticationTokenException", "Missing Authentication Token")


@pytest.mark.parametrize(
    "pattern", ["AWS4-HMAC-SHA256", "Credential=[^,]*, ", "SignedHeaders=[^,]*, ", ", Signature=.*", "/aws4_request"]
)
def test_incomplete_authorization(endpoint: Endpoint, pattern: str) -> None:
    request = endpoint.signed()
    request["Authorization"] = re.sub(pattern, "", request["Authorization"], count=1).strip()
    assert refused(endpoint, request)[0] == "IncompleteSignatureException"


def test_tampered_body(endpoint: Endpoint) -> None:
    request = endpoint.signed(body=b'{"name": "a"}')
    request.body = b'{"name": "b"}'
    assert refused(endpoint, request) == ("InvalidSignatureException", MISMATCH)


def test_tampered_header(endpoint: Endpoint) -> None:
    request = endpoint.signed(headers={"X-Amz-Invocation-Type": "DryRun"})
    request["X-Amz-Invocation-Type"] = "Event"
    assert refused(endpoint, request) == ("InvalidSignatureException", MISMATCH)


@pytest.mark.parametrize(
    "path", ["/2015-03-31/functions/echo/invocations", "/2015-03-31/functions/hello/invocations?Qualifier=1"]
)
def test_tampered_path_and_query(endpoint: Endpoint, path: str) -> None:
    request = endpoint.signed()
    request.path = path
    assert refused(endpoint, request) == ("InvalidSignatureException", MISMATCH)


def test_path_that_was_encoded_only_once_when_it_was_signed(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(botocore.auth.SigV4Auth, "_normalize_url_path", lambda _, path: path)
    request = endpoint.signed("/2015-03-31/functions/hello%3A%24LATEST/invocations")
    assert refused(endpoint, request) == ("InvalidSignatureException", MISMATCH)


def test_spaces_in_header_values_are_collapsed(endpoint: Endpoint) -> None:
    request = endpoint.signed("/2015-03-31/functions/context/invocations", headers={"X-Amz-Tenant-Id": "a  b   c"})
    answer = endpoint.exchange(request.encode())
    assert json.loads(answer.body)["tenant_id"] == "a  b   c"


def test_header_that_is_not_signed(endpoint: Endpoint) -> None:
    request = endpoint.signed()
    request["X-Amz-Log-Type"] = "Tail"
    assert refused(endpoint, request) == (
        "InvalidSignatureException",
        "'x-amz-log-type' must be a 'SignedHeader' in the AWS Authorization.",
    )


def test_headers_that_need_not_be_signed(endpoint: Endpoint) -> None:
    request = endpoint.signed("/2015-03-31/functions/context/invocations")
    request["X-Amzn-Trace-Id"] = "Root=1-5759e988-bd862e3fe1be46a994272793"
    request["User-Agent"] = "test"
    answer = endpoint.exchange(request.encode())
    assert json.loads(answer.body)["trace_header"] == "Root=1-5759e988-bd862e3fe1be46a994272793"


def test_signed_header_that_is_missing(endpoint: Endpoint) -> None:
    request = endpoint.signed(headers={"X-Extra": "1"})
    request.headers = [header for header in request.headers if header[0] != "X-Extra"]
    code, message = refused(endpoint, request)
    assert code == "InvalidSignatureException"
    assert "'x-extra'" in message


def test_host(endpoint: Endpoint) -> None:
    local = endpoint.signed(headers={"Host": f"localhost:{endpoint.port}"})
    assert endpoint.exchange(local.encode()).status == 200
    code, message = refused(endpoint, endpoint.signed(headers={"Host": "127.0.0.1"}))
    assert code == "InvalidSignatureException"
    assert f"127.0.0.1:{endpoint.port}" in message


def test_host_that_is_not_signed(endpoint: Endpoint) -> None:
    request = endpoint.signed()
    request["Authorization"] = request["Authorization"].replace("SignedHeaders=host;", "SignedHeaders=")
    assert refused(endpoint, request) == (
        "InvalidSignatureException",
        "'host' must be a 'SignedHeader' in the AWS Authorization.",
    )


@pytest.mark.parametrize("digest", ["UNSIGNED-PAYLOAD", "0" * 64])
def test_payload_hash_that_is_not_the_bodys(endpoint: Endpoint, digest: str) -> None:
    request = endpoint.signed(headers={"X-Amz-Content-SHA256": digest})
    code, message = refused(endpoint, request)
    assert code == "InvalidSignatureException"
    assert "x-amz-content-sha256" in message


def test_scope(endpoint: Endpoint) -> None:
    assert refused(endpoint, endpoint.signed(region="eu-west-1")) == (
        "InvalidSignatureException",
        "Credential should be scoped to a valid region, not 'eu-west-1'.",
    )
    assert refused(endpoint, endpoint.signed(service="s3")) == (
        "InvalidSignatureException",
        "Credential should be scoped to correct service: 'lambda'.",
    )


@pytest.mark.parametrize("seconds", [-290, 290])
def test_clock_that_is_nearly_right(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    set_clock(monkeypatch, seconds)
    assert endpoint.exchange(endpoint.signed().encode()).status == 200


def test_clock_that_is_late(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, -310)
    code, message = refused(endpoint, endpoint.signed())
    assert code == "InvalidSignatureException"
    stamp = r"\d{8}T\d{6}Z"
    assert re.fullmatch(rf"Signature expired: {stamp} is now earlier than {stamp} \({stamp} - 5 min\.\)", message)


def test_clock_that_is_early(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, 310)
    code, message = refused(endpoint, endpoint.signed())
    assert code == "InvalidSignatureException"
    stamp = r"\d{8}T\d{6}Z"
    assert re.fullmatch(
        rf"Signature not yet current: {stamp} is still later than {stamp} \({stamp} \+ 5 min\.\)", message
    )


def test_date_that_is_none(endpoint: Endpoint) -> None:
    request = endpoint.signed()
    request["X-Amz-Date"] = "20261399T000000Z"
    assert refused(endpoint, request)[0] == "InvalidSignatureException"
    request.headers = [header for header in request.headers if header[0] != "X-Amz-Date"]
    assert refused(endpoint, request)[0] == "IncompleteSignatureException"


def test_date_of_the_scope(endpoint: Endpoint) -> None:
    request = endpoint.signed()
    request["Authorization"] = re.sub(r"/\d{8}/", "/20010101/", request["Authorization"])
    code, message = refused(endpoint, request)
    assert code == "InvalidSignatureException"
    assert message.startswith("Date in Credential scope does not match")


def test_session_token(start: Starter) -> None:
    endpoint = start("--session-token", "token/1")
    assert endpoint.session_token == "token/1"
    assert endpoint.result("hello") == {"hello": "world"}
    for token in (None, "token/2"):
        with pytest.raises(ClientError) as caught:
            endpoint.client(aws_session_token=token).invoke(FunctionName="hello")
        assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_session_token_that_nobody_expects(endpoint: Endpoint) -> None:
    with pytest.raises(ClientError) as caught:
        endpoint.client(aws_session_token="token").invoke(FunctionName="hello")
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_session_token_that_is_expired(endpoint: Endpoint) -> None:
    with pytest.raises(ClientError) as caught:
        endpoint.client(aws_session_token="expired").invoke(FunctionName="hello")
    assert caught.value.response["Error"] == {
        "Code": "ExpiredTokenException",
        "Message": "The security token included in the request is expired",
    }
