"""A machine as a program finds it: its environment, its home with the shared AWS files, and the servers around it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import textwrap
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from configured_servers import Request, Server
from configured_services import Functions, Keys, Role, Sso, Sts, Vault, container, instance_metadata, issue

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIBRARY = ROOT / "build" / "lib"

BOTOCORE, LIBRARY_CLIENT = "botocore", "library"
CLIENTS = [BOTOCORE, LIBRARY_CLIENT]

REGION = "eu-central-1"
# No scenario takes as long.
PATIENCE = 30


@dataclass
class Round:
    """The output of a program for one round of calls."""

    describe: dict[str, Any]
    calls: list[dict[str, Any]]
    stderr: str = ""
    # How many forked children made a good call.
    forked: int = 0

    def __getattr__(self, name: str) -> Any:
        """Returns a field of the first call."""
        return self.calls[0][name]

    @property
    def signed_by(self) -> str | None:
        return json.loads(self.payload)["signed_by"] if self.status == "LAMBDA_OK" else None

    def __str__(self) -> str:
        return f"{self.calls}\n{self.stderr}"


class Leak(AssertionError):
    """A secret came out."""


class Secrets:
    """Every secret of every world of this run of the tests, in every form in which it could come out."""

    def __init__(self) -> None:
        self._forms: dict[str, str] = {}

    def add(self, secret: str) -> None:
        # In base64 whatever follows changes the last letters.
        whole = secret.encode()[: len(secret) // 3 * 3]
        for form in (secret, quote(secret, safe=""), b64encode(whole).decode()):
            self._forms[form] = secret

    def check(self, *texts: str) -> None:
        for text in texts:
            for form, secret in self._forms.items():
                if form in text:
                    raise Leak(f"{secret} came out: {text}")


def build(folder: Path) -> Path:
    program = folder / "invoke"
    command = [
        *shlex.split(os.environ.get("CC", "cc")),
        *("-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1", "-g", "-pthread"),
        *("-Wall", "-Wextra", "-pedantic", "-Werror"),
        f"-I{ROOT / 'include'}",
        str(HERE / "invoke.c"),
        f"-L{LIBRARY}",
        "-llambda_invoke",
        f"-Wl,-rpath,{LIBRARY}",
        "-o",
        str(program),
    ]
    compiled = subprocess.run(command, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr
    return program


class World:
    def __init__(
        self,
        home: Path,
        program: Callable[[], Path],
        secrets: Secrets,
        listeners: Mapping[str, socket.socket] | None = None,
    ) -> None:
        self.home = home
        self.program = program
        self.vault = Vault()
        self._secrets = secrets
        # What starts the program.
        self.wrapper: list[str] = []

        self.functions = Functions(self.vault, REGION)
        self.sts = Sts(self.vault, REGION)
        responds = {
            "lambda": self.functions.respond,
            "sts": self.sts.respond,
            "imds": instance_metadata(self.vault, None),
            "container": nobody,
            "sso": nobody,
            "oidc": nobody,
        }
        listeners = listeners or {}
        self.servers = {name: Server(respond, listeners.get(name)) for name, respond in responds.items()}
        self.environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "LAMBDA_INVOKE_LOG": "trace",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_LAMBDA": self.servers["lambda"].url,
            "AWS_ENDPOINT_URL_STS": self.servers["sts"].url,
            "AWS_ENDPOINT_URL_SSO": self.servers["sso"].url,
            "AWS_ENDPOINT_URL_SSO_OIDC": self.servers["oidc"].url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.servers["imds"].url,
        }

    def close(self) -> None:
        for server in self.servers.values():
            server.close()

    # Setting it up.

    def set(self, **variables: object) -> None:
        """Variables of the environment; None unsets one."""
        for name, value in variables.items():
            self.environment.pop(name, None)
            if value is not None:
                self.environment[name] = str(value)

    def file(self, name: str, text: str) -> Path:
        """A file below the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip())
        return path

    def config(self, text: str) -> Path:
        return self.file(".aws/config", text)

    def credentials(self, text: str) -> Path:
        return self.file(".aws/credentials", text)

    def make_keys(self, session: bool = False) -> Keys:
        return self.vault.make_keys(session)

    def set_keys(self, keys: Keys) -> None:
        self.set(**variables_of(keys))

    def make_role(self, name: str, trusted: Keys | None = None, **wanted: Any) -> Role:
        """One that STS knows, for these keys or for a token."""
        arn = f"arn:aws:iam::123456789012:role/{name}"
        role = self.sts.roles[arn] = Role(arn, self.vault.make_keys(), trusted, **wanted)
        return role

    def make_instance(self, *keys: Keys, lifetimes: Iterable[float] = (), **options: Any) -> None:
        """This machine is an instance with a role."""
        documents = issue(*keys, lifetimes=lifetimes)
        self.servers["imds"].respond = instance_metadata(self.vault, documents, **options)

    def make_container(self, *keys: Keys, lifetimes: Iterable[float] = (), **options: Any) -> None:
        """This machine is a container with a role."""
        self.servers["container"].respond = container(issue(*keys, lifetimes=lifetimes), **options)
        self.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{self.servers['container'].url}/credentials")

    def make_sso(self, keys: Keys, cached_as: str, expires: str, **members: str) -> Sso:
        """Somebody has logged in, until `expires`; `members` are more of the file that the AWS CLI leaves behind."""
        sso = Sso(self.vault, keys)
        self.servers["sso"].respond = sso.portal
        self.servers["oidc"].respond = sso.oidc
        document = {"accessToken": sso.token, "expiresAt": expires, "startUrl": "https://start.invalid/", **members}
        document["region"] = REGION
        self.file(token_file(cached_as), json.dumps(document)).chmod(0o600)
        return sso

    # Running a program in it.

    def run(self, client: str, *flags: str) -> Round:
        with self.session(client, *flags, stdin=False) as session:
            return session.end()

    @contextlib.contextmanager
    def session(self, client: str, *flags: str, stdin: bool = True) -> Iterator[Session]:
        """A program that makes a round of calls whenever it is told to."""
        program = [str(self.program())] if client == LIBRARY_CLIENT else REFERENCE
        command = [*self.wrapper, *program, "hello", *flags, *(["--stdin"] if stdin else [])]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.home,
            start_new_session=True,
        )
        session = Session(process)
        try:
            yield session
        finally:
            session.kill()
            for secret in self.vault.secrets:
                self._secrets.add(secret)
            # botocore's own secrets are no business of ours.
            if client == LIBRARY_CLIENT:
                self._secrets.check(session.stdout, session.stderr)

    # What came of it.

    def asked(self) -> set[str]:
        """The servers that anybody connected to."""
        return {name for name, server in self.servers.items() if server.connections}

    def requests(self, server: str) -> list[Request]:
        return self.servers[server].requests


REFERENCE = [sys.executable, str(HERE / "reference.py")]


class Session:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.stdout = ""
        self.stderr = ""

    def round(self) -> Round:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        self.stdout += line
        assert line, f"the program ended: {self.end()}"
        return Round(**json.loads(line))

    def end(self) -> Round:
        stdout, stderr = self.process.communicate(timeout=PATIENCE)
        self.stdout += stdout
        self.stderr += stderr
        assert self.process.returncode == 0, f"{self.process.returncode}\n{stdout}{stderr}"
        lines = stdout.splitlines()
        return Round(**json.loads(lines[0]), stderr=stderr) if lines else Round({}, [], stderr)

    def kill(self) -> None:
        """Ends it if it still runs, and whatever it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        if not self.process.stdout.closed:
            stdout, stderr = self.process.communicate(timeout=PATIENCE)
            self.stdout += stdout
            self.stderr += stderr


def nobody(request: Request) -> None:
    """Hangs up."""


def variables_of(keys: Keys) -> dict[str, str | None]:
    return {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
    }


def lines_of(keys: Keys) -> str:
    """As in a profile."""
    return "\n".join(f"{name.lower()} = {value}" for name, value in variables_of(keys).items() if value is not None)


def token_file(cached_as: str) -> str:
    """Where the AWS tools keep the token of a session, or of a start URL."""
    return f".aws/sso/cache/{hashlib.sha1(cached_as.encode()).hexdigest()}.json"
