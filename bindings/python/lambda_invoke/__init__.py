"""Invokes AWS Lambda functions. Every result tells whether the function ran, did not run, or cannot be known to have.

>>> import lambda_invoke
>>> with lambda_invoke.Client() as client:
...     print(client.invoke("hello", {"name": "Ada"}).json())
"""

from ._callback import Credentials
from ._client import Client, InvocationType, Retry
from ._errors import (
    CancelledError,
    ConfigError,
    ConnectError,
    ConnectionError,
    ConnectionLostError,
    CredentialsError,
    EncodeError,
    FunctionError,
    InternalError,
    InvalidArgumentError,
    LambdaError,
    NoMemoryError,
    ProtocolError,
    ResolveError,
    ServiceError,
    ThrottledError,
    TimeoutError,
    TlsError,
    TooLargeError,
)
from ._result import Execution, Result, Status
from ._stream import Stream
from ._table import PACKAGE_VERSION

__version__ = PACKAGE_VERSION

__all__ = [
    "CancelledError",
    "Client",
    "ConfigError",
    "ConnectError",
    "ConnectionError",
    "ConnectionLostError",
    "Credentials",
    "CredentialsError",
    "EncodeError",
    "Execution",
    "FunctionError",
    "InternalError",
    "InvalidArgumentError",
    "InvocationType",
    "LambdaError",
    "NoMemoryError",
    "ProtocolError",
    "ResolveError",
    "Result",
    "Retry",
    "ServiceError",
    "Status",
    "Stream",
    "ThrottledError",
    "TimeoutError",
    "TlsError",
    "TooLargeError",
]

# What tracebacks and pickles call them.
for _name in __all__:
    globals()[_name].__module__ = __name__
del _name
