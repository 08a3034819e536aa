"""What stack a call needs where the local endpoint cannot show it: over TLS, with every source of credentials."""

from __future__ import annotations

import hashlib
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import trustme
from conftest import EMULATOR, ROOT, Programs, environment

sys.path.insert(0, str(ROOT / "local"))

from lambda_local.eventstream import invoke_complete, payload_chunk  # noqa: E402

# What the header says is enough for any call, in KiB.
ENOUGH = "96"
# A trust store has more than one.
AUTHORITIES = 60
TOKEN = "t" * 2_000
ROLE = "arn:aws:iam::123456789012:role/r"
START_URL = "https://start.example"


def in_an_hour() -> str:
    return (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Handler(BaseHTTPRequestHandler):
    """Lambda, STS, SSO and a container's credentials."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/2015-03-31/"):
            self.respond(b"1")
        elif self.path.startswith("/2021-11-15/"):
            self.respond(payload_chunk(b"1") + payload_chunk(b"x" * 200_000) + invoke_complete({}))
        elif self.path == "/token":
            self.respond(json.dumps({"accessToken": TOKEN, "tokenType": "Bearer", "expiresIn": 3_600}).encode())
        else:
            (kind,) = parse_qs(body.decode())["Action"]
            self.respond(
                f"<{kind}Response xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><{kind}Result><AssumedRoleUser>"
                f"<AssumedRoleId>A:s</AssumedRoleId><Arn>{ROLE}</Arn></AssumedRoleUser><Credentials>"
                f"<AccessKeyId>AKID</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
                f"<SessionToken>{TOKEN}</SessionToken><Expiration>{in_an_hour()}</Expiration></Credentials>"
                f"</{kind}Result></{kind}Response>".encode()
            )

    def do_GET(self) -> None:
        if self.path.startswith("/federation/credentials"):
            expiration = int((datetime.now(timezone.utc) + timedelta(hours=1)).timestamp() * 1_000)
            credentials = {"accessKeyId": "AKID", "secretAccessKey": "secret", "sessionToken": TOKEN}
            document: object = {"roleCredentials": {**credentials, "expiration": expiration}}
        else:
            document = {
                **{"AccessKeyId": "AKID", "SecretAccessKey": "secret", "Token": TOKEN},
                **{"Expiration": in_an_hour(), "RoleArn": ROLE},
            }
        self.respond(json.dumps(document).encode())

    def respond(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    certificates = [authority, *(trustme.CA() for _ in range(AUTHORITIES - 1))]
    (tmp_path / "ca.pem").write_bytes(b"".join(one.cert_pem.bytes() for one in certificates))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def profile(folder: Path, text: str) -> dict[str, str]:
    (folder / "config").write_text(text)
    return {"AWS_CONFIG_FILE": str(folder / "config")}


def static(folder: Path, url: str) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}


def role(folder: Path, url: str) -> dict[str, str]:
    source = "[profile source]\naws_access_key_id = AKID\naws_secret_access_key = secret\n"
    return profile(folder, f"[default]\nrole_arn = {ROLE}\nsource_profile = source\n{source}")


def web_identity(folder: Path, url: str) -> dict[str, str]:
    (folder / "token").write_text(TOKEN)
    return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token"), "AWS_ROLE_ARN": ROLE}


def process(folder: Path, url: str) -> dict[str, str]:
    document = json.dumps({"Version": 1, "AccessKeyId": "AKID", "SecretAccessKey": "secret"})
    return profile(folder, f"[default]\ncredential_process = echo '{document}'\n")


def sso(folder: Path, url: str) -> dict[str, str]:
    """With a cached token that has to be renewed."""
    cached = folder / ".aws" / "sso" / "cache" / f"{hashlib.sha1(b'session').hexdigest()}.json"
    cached.parent.mkdir(parents=True)
    token = {"accessToken": TOKEN, "expiresAt": "2020-01-01T00:00:00Z", "refreshToken": TOKEN}
    registration = {"clientId": "id", "clientSecret": TOKEN, "registrationExpiresAt": in_an_hour()}
    cached.write_text(json.dumps({**token, **registration}))
    session = f"[sso-session session]\nsso_start_url = {START_URL}\nsso_region = us-east-1\n"
    account = "sso_account_id = 123456789012\nsso_role_name = r\n"
    return {"HOME": str(folder), **profile(folder, f"{session}[default]\nsso_session = session\n{account}")}


def container(folder: Path, url: str) -> dict[str, str]:
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN}


SOURCES = [static, role, web_identity, process, sso, container]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_the_headers_figure_is_enough_over_tls(
    source: Callable[[Path, str], dict[str, str]], programs: Programs, url: str, tmp_path: Path
) -> None:
    variables = {
        **environment(light=False),
        **source(tmp_path, url),
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
        "AWS_CA_BUNDLE": str(tmp_path / "ca.pem"),
        # Writing the events takes its part of the stack too.
        "LAMBDA_INVOKE_LOG": "trace",
    }
    command = [*EMULATOR, str(programs.build("stack")), ENOUGH]
    run = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
