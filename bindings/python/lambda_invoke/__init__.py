"""Invokes AWS Lambda functions, and says the truth about every call: did the function run?

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
    "ThrottledError",
    "TimeoutError",
    "TlsError",
    "TooLargeError",
]

# What tracebacks and pickles call them.
for _name in __all__:
    globals()[_name].__module__ = __name__
del _name
