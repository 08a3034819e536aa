"""Does what by_environment.c does, with boto3: what works there is to work here. It does not know what ran."""

from __future__ import annotations

import sys

import boto3
from botocore.exceptions import ClientError


def call(function_name: str) -> tuple[str, int, str, str]:
    try:
        answer = client.invoke(FunctionName=function_name, Payload=b"{}")
    except ClientError as error:
        status = "LAMBDA_E_SERVICE" if error.operation_name == "Invoke" else "LAMBDA_E_CREDENTIALS"
        http_status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status, http_status, error.response["Error"]["Code"], str(error).replace("\n", " ")
    return "LAMBDA_OK", answer["StatusCode"], "", answer["Payload"].read().decode()


client = boto3.client("lambda")
for _ in range(2):
    status, http_status, code, text = call(sys.argv[1])
    print(status, "", http_status, code, text, sep="\t")
