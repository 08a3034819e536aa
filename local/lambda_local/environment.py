"""The environments of the command and of the functions' workers: neither leads to another endpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .signature import Credentials


def without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """Removes every setting of AWS clients: the variables, and the shared files and metadata service behind them.

    All AWS_ variables go, because a list of those that matter would be wrong with the next release of some SDK. The
    files are replaced instead of left unset, because the default is ~/.aws; the null device is empty for every reader,
    and remains empty when `aws configure` writes to it.
    """
    return {
        **{name: value for name, value in environment.items() if not name.startswith("AWS_")},
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def worker_environment(environment: Mapping[str, str], region: str) -> dict[str, str]:
    """Gives workers no credentials: a function that is tried out here must not reach a real account by accident."""
    return {**without_aws(environment), "AWS_REGION": region, "AWS_DEFAULT_REGION": region}


def client_environment(
    environment: Mapping[str, str], url: str, region: str, credentials: Credentials
) -> dict[str, str]:
    """Gives the command the settings of this endpoint, and no way to another host.

    Proxies are removed in every spelling that clients look for: urllib takes each name that ends in _proxy, in either
    case, and a proxy would be asked for the endpoint's own address.
    """
    kept = {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
    result = {
        **without_aws(kept),
        "AWS_ENDPOINT_URL_LAMBDA": url,
        # Other services fail here, instead of at AWS with credentials that AWS does not know.
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": region,
        # boto3 and the AWS command line read only this one.
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
    }
    if credentials.session_token is not None:
        result["AWS_SESSION_TOKEN"] = credentials.session_token
    return result
