from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from conftest import Endpoint, Starter

ARN = "arn:aws:lambda:us-east-1:123456789012:function:context"


@pytest.mark.parametrize(
    "name",
    ["context", "function:context", "123456789012:function:context", ARN],
    ids=["name", "short", "partial", "arn"],
)
@pytest.mark.parametrize(
    ("qualifier", "version"), [(None, "$LATEST"), ("$LATEST", "$LATEST"), ("1", "1"), ("2", "2"), ("live", "2")]
)
@pytest.mark.parametrize("where", ["name", "query", "both"])
def test_every_form_of_name(endpoint: Endpoint, name: str, qualifier: str | None, version: str, where: str) -> None:
    parameters = {}
    if qualifier and where in ("query", "both"):
        parameters["Qualifier"] = qualifier
    if qualifier and where in ("name", "both"):
        name = f"{name}:{qualifier}"
    response = endpoint.invoke(name, **parameters)
    context = json.loads(response["Payload"])
    assert response["ExecutedVersion"] == version
    assert context["function_name"] == "context"
    assert context["function_version"] == version
    assert context["invoked_function_arn"] == (f"{ARN}:{qualifier}" if qualifier else ARN)


def refused(endpoint: Endpoint, name: str, **parameters: str) -> dict:
    with pytest.raises(ClientError) as caught:
        endpoint.invoke(name, **parameters)
    return caught.value.response


def test_different_qualifiers(endpoint: Endpoint) -> None:
    response = refused(endpoint, "context:1", Qualifier="2")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["Error"]["Code"] == "InvalidParameterValueException"
    assert (
        response["Error"]["Message"]
        == "The derived qualifier from the function name does not match the specified qualifier."
    )


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("nope", "arn:aws:lambda:us-east-1:123456789012:function:nope"),
        ("nope:7", "arn:aws:lambda:us-east-1:123456789012:function:nope:7"),
        ("context:7", ARN + ":7"),
        ("context:gone", ARN + ":gone"),
        ("210987654321:function:context", "arn:aws:lambda:us-east-1:210987654321:function:context"),
    ],
)
def test_not_found(endpoint: Endpoint, name: str, arn: str) -> None:
    response = refused(endpoint, name)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert response["Error"] == {"Code": "ResourceNotFoundException", "Message": f"Function not found: {arn}"}
    assert response["Type"] == "User"


def test_body_of_not_found(endpoint: Endpoint) -> None:
    answer = endpoint.exchange(endpoint.signed("/2015-03-31/functions/nope/invocations?Qualifier=x").encode())
    assert json.loads(answer.body) == {
        "Type": "User",
        "Message": "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nope:x",
    }


def test_no_name_at_all(endpoint: Endpoint) -> None:
    assert refused(endpoint, "a:b:c:d")["Error"]["Code"] == "ValidationException"
    assert refused(endpoint, "x" * 257)["Error"]["Code"] == "ValidationException"


def test_arn_of_another_region_is_signed_for_it(endpoint: Endpoint) -> None:
    name = "arn:aws-cn:lambda:cn-north-1:123456789012:function:context:live"
    response = endpoint.invoke_with(endpoint.client(region_name="cn-north-1"), name)
    assert json.loads(response["Payload"])["invoked_function_arn"] == name
    error = refused(endpoint, name)["Error"]
    assert error["Code"] == "InvalidSignatureException"
    assert error["Message"] == "Credential should be scoped to a valid region, not 'us-east-1'."


def test_region_and_account_of_the_endpoint(start: Starter) -> None:
    endpoint = start(
        "--region",
        "eu-central-1",
        "--account",
        "000000000042",
        context="def handler(e, c): return c.invoked_function_arn",
    )
    assert endpoint.region == "eu-central-1"
    assert endpoint.result("context") == "arn:aws:lambda:eu-central-1:000000000042:function:context"


@pytest.mark.parametrize("label", ["context:1", "$x", "a/b", "context@", "a+b"])
def test_a_label_that_is_not_encoded(endpoint: Endpoint, label: str) -> None:
    answer = endpoint.exchange(endpoint.signed(f"/2015-03-31/functions/{label}/invocations").encode())
    assert answer.status == 400
    assert "must be percent-encoded" in answer.message


@pytest.mark.parametrize("query", ["Qualifier=1&Qualifier=1", "Qualifier=%4", "Qualifier=%FF", "Qualifier="])
def test_a_bad_query(endpoint: Endpoint, query: str) -> None:
    answer = endpoint.exchange(endpoint.signed(f"/2015-03-31/functions/context/invocations?{query}").encode())
    assert answer.status == 400
