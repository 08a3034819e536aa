"""The shared files as people and programs write them: what botocore reads, this library reads, and to the same effect.

Both read thousands of generated files in this process, CASES of them from SEED on (`make test-files`). Where the
library differs on purpose stands in `REASONS`, `DIFFERENCES` and `SOURCE_REASONS`.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.configprovider
import botocore.credentials
import botocore.exceptions
import botocore.session
import pytest
import trustme
from configured_world import LIBRARY

FILES = int(os.environ.get("CASES", "3200"))
SEED = int(os.environ.get("SEED", "0"))
TIMEOUT_S = max(240, FILES // 10)
# Tests that run side by side share them.
PARTS = 4
# Where a file that botocore rejects is read, and why that is on purpose.
REASONS = {
    "already exists": "a property or section is there twice; the last value counts, as in the AWS SDKs",
    "Source contains parsing errors": "a line is not valid, but in another profile than the selected one",
    "not enough values to unpack": "lines below a property are not NAME = VALUE, and the property is none of ours",
}


class Library:
    """Returns what lambda_client_describe returns in this process, or the message of lambda_client_new."""

    def __init__(self) -> None:
        self._c = ctypes.CDLL(str(LIBRARY / "liblambda_invoke.so"))
        self._c.lambda_client_describe.restype = ctypes.c_void_p
        self._c.lambda_error_message.restype = ctypes.c_char_p
        self._c.lambda_config_new.restype = ctypes.c_void_p
        self._c.lambda_config_set_profile.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self._c.lambda_client_new.argtypes = [ctypes.c_void_p] * 3
        for name in ("client_describe", "client_free", "string_free", "error_message", "error_free", "config_free"):
            getattr(self._c, f"lambda_{name}").argtypes = [ctypes.c_void_p]

    def describe(self, profile: str | None = None) -> dict[str, Any] | str:
        """The profile is set in code, or else AWS_PROFILE counts."""
        client, error = ctypes.c_void_p(), ctypes.c_void_p()
        config = self._c.lambda_config_new()
        self._c.lambda_config_set_profile(config, None if profile is None else profile.encode())
        status = self._c.lambda_client_new(config, ctypes.byref(client), ctypes.byref(error))
        self._c.lambda_config_free(config)
        if status != 0:
            message: bytes = self._c.lambda_error_message(error)
            self._c.lambda_error_free(error)
            return message.decode()
        text = self._c.lambda_client_describe(client)
        described: dict[str, Any] = json.loads(ctypes.string_at(text))
        self._c.lambda_string_free(text)
        self._c.lambda_client_free(client)
        return described


@dataclass
class Files:
    """The two files, and who reads them."""

    folder: Path
    library: Library
    patch: pytest.MonkeyPatch

    def write(self, config: str | bytes, credentials: str = "") -> None:
        (self.folder / "config").write_bytes(config if isinstance(config, bytes) else config.encode())
        (self.folder / "credentials").write_bytes(credentials.encode())

    def by_library(self, profile: str) -> dict[str, Any] | str:
        self.patch.setenv("AWS_PROFILE", profile)
        return self.library.describe()

    def by_botocore(self, profile: str) -> dict[str, Any] | str:
        """The same members as far as botocore has them."""
        session = botocore.session.Session(profile=profile)
        try:
            config = session.get_scoped_config()
            endpoint = botocore.configprovider.ConfiguredEndpointProvider(
                full_config=session.full_config, scoped_config=config, client_name="lambda"
            ).provide()
        except botocore.exceptions.BotoCoreError as error:
            return f"{type(error).__name__}: {error.kwargs.get('error', error)}"
        except AttributeError as error:
            # `lambda = x` in a services section.
            return f"AttributeError: {error}"
        return {"app_id": config.get("sdk_ua_app_id"), "endpoint_url": endpoint, "all": config}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA", "AWS_SDK_UA_APP_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nobody-signs-here")
    # A system that trusts one authority is quick to read.
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return Files(tmp_path, Library(), monkeypatch)


NAMES = ["default", "a", "b", "a b", "a%20b", "p\u00f6d", "me@example.com/x+y", "A", "'", "x]"]
BLANKS = ["", "", "", " ", "  ", "\t", "    "]


def quoted(name: str, pick: random.Random) -> str:
    plain = not any(c in " '\"\\" for c in name)
    forms = [f'"{name}"', *([name, name, f" {name} "] if plain else []), *([f"'{name}'"] if "'" not in name else [])]
    return pick.choice(forms)


@dataclass
class Writer:
    """Writes a file that is valid for somebody, in a style of its own."""

    pick: random.Random
    is_config: bool

    def __post_init__(self) -> None:
        self.indent = self.pick.choice(["", "", "  ", "\t"])
        self.deeper = self.pick.choice(["", "", "", "  "])
        self.end = self.pick.choice(["\n", "\n", "\n", "\r\n", "\r"])

    def text(self) -> str:
        self.names = self.pick.sample(NAMES, k=self.pick.randint(1, 4))
        lines = [line for name in self.names for line in self.section(name)]
        if self.pick.random() < 0.15:
            # What all sections have that do not say otherwise.
            lines += [f"{self.indent}[DEFAULT]", *self.property("sdk_ua_app_id"), *self.property("endpoint_url")]
        if self.is_config and self.pick.random() < 0.9:
            lines += self.services()
        return self.end.join([*self.noise(), *lines, *self.pick.choice([[""], [], ["", ""]])])

    def section(self, name: str) -> Iterator[str]:
        header = name
        if self.is_config:
            prefix = self.pick.choice(["profile ", "profile ", "profile\t", "profile  "])
            header = name if name == "default" and self.pick.random() < 0.7 else prefix + quoted(name, self.pick)
        yield f"{self.indent}[{header}]{self.pick.choice(['', '', '', ' # behind', 'behind', ' ; x = y'])}"
        properties = ["sdk_ua_app_id", "endpoint_url", "services", "s3", "output", "region"]
        for property in self.pick.sample(properties, k=self.pick.randint(0, len(properties))):
            yield from self.noise()
            yield from self.property(property)

    def property(self, name: str) -> Iterator[str]:
        before = self.indent + self.deeper
        values = {
            "endpoint_url": ["http://localhost:4566", "http://h/a?b", "", "http://h #x"],
            "services": ["here"] * 9 + ["nope"],
        }.get(name, ["x", "x y", "x # y", "x ; y", "x=y", "a: b", "[x]", "", '"x"', "\u00e9", "x \\"])
        name = self.pick.choice([name, name, name.upper(), name.title()])
        blank = self.pick.choice(BLANKS)
        separator = self.pick.choice(["=", "=", "=", ":"])
        if name.lower() == "s3" and self.pick.random() < 0.8:
            yield f"{before}{name}{blank}{separator}{self.pick.choice(BLANKS)}"
            yield from self.nested(before, ["a = b", "A= ", "c = d = e", "e =f"])
            return
        value = self.pick.choice(values)
        yield f"{before}{name}{blank}{separator}{self.pick.choice(BLANKS)}{value}{self.pick.choice(BLANKS)}"
        if name.lower() in ("sdk_ua_app_id", "output") and value and self.pick.random() < 0.3:
            yield from self.nested(before, ["more", "more = x", "[more]", "more # x"])

    def nested(self, before: str, lines: list[str]) -> Iterator[str]:
        for line in self.pick.sample(lines, k=self.pick.randint(1, 3)):
            yield from self.noise()
            yield f"{before}{self.pick.choice([' ', '  ', chr(9), '      '])}{line}{self.pick.choice(BLANKS)}"

    def services(self) -> Iterator[str]:
        for name in ["here", *self.pick.sample(["there", "default"], k=self.pick.randint(0, 2))]:
            yield f"{self.indent}[services {quoted(name, self.pick)}]"
            before = self.indent + self.deeper
            for service in self.pick.sample(["lambda", "dynamodb", "s3"], k=self.pick.randint(1, 3)):
                yield from self.noise()
                yield f"{before}{service}{self.pick.choice(BLANKS)}={self.pick.choice(BLANKS)}"
                yield from self.nested(
                    before, ["endpoint_url = http://service/1", "endpoint_url=http://service/2", "x = y"]
                )

    def noise(self) -> list[str]:
        line = self.pick.choice([None] * 8 + ["", "  ", "# x = y", "; [x]", "      # x", "\t;", self.indent + "# x"])
        return [] if line is None else [line]


def normal(described: dict[str, Any] | str) -> tuple[object, object] | str:
    """Empty is as good as not there; a URL has one form, and is not the endpoint that AWS has for the region."""
    if isinstance(described, str):
        return described
    app_id, endpoint = (described[name] for name in ("app_id", "endpoint_url"))
    app_id, endpoint = (member["value"] if isinstance(member, dict) else member for member in (app_id, endpoint))
    endpoint = "" if not endpoint or endpoint.endswith(".amazonaws.com") else endpoint.rstrip("/")
    return app_id or None, endpoint


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("part", range(PARTS))
def test_what_botocore_reads_is_read_to_the_same_effect(part: int, files: Files) -> None:
    seen = {"read": 0, "refused": 0, "services": 0, "lines": 0}
    for seed in range(SEED + part, SEED + FILES, PARTS):
        pick = random.Random(seed)
        writers = [Writer(pick, is_config=True), *([Writer(pick, is_config=False)] if pick.random() < 0.4 else [])]
        config, credentials = ([writer.text() for writer in writers] + [""])[:2]
        files.write(config, credentials)
        profile = pick.choice([*writers[0].names * 2, *writers[-1].names, pick.choice(NAMES)])
        expected, found = files.by_botocore(profile), files.by_library(profile)
        where = f"seed {seed}, profile {profile}:\n{config}\n---\n{credentials}\n---\n{expected}\n---\n{found}"
        if isinstance(expected, dict):
            endpoint = expected["endpoint_url"] or ""
            if isinstance(found, str) and ("?" in endpoint or " " in endpoint):
                # botocore's clients reject it later, or send a call to a path that Lambda does not have.
                continue
            assert normal(found) == normal(expected), where
            seen["read"] += 1
            seen["services"] += endpoint.startswith("http://service/")
            seen["lines"] += "\n" in (expected["app_id"] or "")
        elif expected.startswith("ProfileNotFound"):
            assert isinstance(found, str) or found["profile"]["source"].startswith("environment"), where
        elif isinstance(found, str):
            seen["refused"] += 1
        else:
            assert any(part in expected for part in REASONS), where
    assert seen["read"] * PARTS >= FILES * 0.6, seen
    assert min(seen.values()) * PARTS >= FILES / 80, seen


# Where the settings or the source of the credentials differ, and why that is on purpose.
SOURCE_REASONS = {
    "Infinite loop in credential": "a profile that is its own source may hold any source, not just an access key",
    "has aws_secret_access_key, but no aws_access_key_id": "half an access key is an error, be it either half",
}


@dataclass
class ProfileWriter:
    """Writes profiles that refer to each other, in both files."""

    pick: random.Random
    names = ("a", "b", "c", "d")

    def files(self) -> tuple[str, str]:
        config = [self.section(f"profile {name}", name, "config") for name in self.names if self.pick.random() < 0.9]
        config += [self.session(name) for name in ("s", "t") if self.pick.random() < 0.7]
        credentials = [self.section(name, name, "file") for name in self.names if self.pick.random() < 0.4]
        self.pick.shuffle(config)
        return "".join(config), "".join(credentials)

    def section(self, header: str, name: str, file: str) -> str:
        lines = [f"[{header}]"]
        kinds = [self.keys, self.role, self.role, self.process, self.sso, self.web_identity, self.settings]
        for kind in self.pick.sample(kinds, k=self.pick.choice([1, 1, 1, 2, 3])):
            lines += kind(name, file)
        # A property that is there twice is another test's.
        properties = {line.partition(" ")[0]: line for line in lines}
        return "\n".join(properties.values()) + "\n\n"

    def keys(self, name: str, file: str) -> list[str]:
        lines = [f"aws_access_key_id = AKID.{name}.{file}", "aws_secret_access_key = nobody-signs-here"]
        lines += self.pick.choice([[], ["aws_session_token = token"]])
        if self.pick.random() < 0.15:
            lines.pop(self.pick.randrange(2))
        return lines

    def role(self, name: str, file: str) -> list[str]:
        lines = [f"role_arn = arn:aws:iam::123456789012:role/{name}.{file}"]
        source = self.pick.choice([*self.names, *self.names, *self.names, name, "nobody"])
        if self.pick.random() < 0.85:
            lines.append(f"source_profile = {source}")
        if self.pick.random() < 0.25:
            lines.append(f"credential_source = {self.pick.choice(['Environment', 'Environment', 'Nowhere'])}")
        return lines + self.pick.choice([[], [], ["external_id = x"], ["duration_seconds = 900"]])

    def process(self, _name: str, _file: str) -> list[str]:
        document = json.dumps({"Version": 1, "AccessKeyId": "AKID.process", "SecretAccessKey": "s"})
        return [f"credential_process = printf %s '{document}'"]

    def sso(self, _name: str, _file: str) -> list[str]:
        account, role, start, region = "sso_account_id = 1", "sso_role_name = r", "sso_start_url = u", "sso_region = x"
        lines = self.pick.choice(
            [
                [f"sso_session = {self.pick.choice('sstn')}", account, role],
                [f"sso_session = {self.pick.choice('st')}", account, role, start, region],
                [start, region, account, role],
            ]
        )
        if self.pick.random() < 0.2:
            lines.pop(self.pick.randrange(len(lines)))
        return lines

    def session(self, name: str) -> str:
        lines = ["sso_start_url = u", "sso_region = x"]
        if self.pick.random() < 0.2:
            lines.pop(self.pick.randrange(2))
        return "\n".join([f"[sso-session {name}]", *lines]) + "\n\n"

    def web_identity(self, name: str, file: str) -> list[str]:
        lines = ["web_identity_token_file = /nowhere", f"role_arn = arn:aws:iam::123456789012:role/{name}.{file}"]
        return lines if self.pick.random() < 0.9 else lines[:1]

    def settings(self, _name: str, _file: str) -> list[str]:
        lines = [
            f"region = {self.pick.choice(['eu-west-1', 'us-east-1', 'sa-east-1'])}",
            f"max_attempts = {self.pick.randint(1, 9)}",
            f"retry_mode = {self.pick.choice(['legacy', 'standard', 'adaptive'])}",
        ]
        return self.pick.sample(lines, k=self.pick.randint(1, 3))


def source_by_botocore(profile: str) -> tuple[Any, Any, str]:
    """Returns region, attempts, and what the credentials of a profile come from; what fails is an error of any kind."""
    session = botocore.session.Session(profile=profile)
    try:
        region, attempts = (session.get_config_variable(name) for name in ("region", "max_attempts"))
        resolver = botocore.credentials.create_credential_resolver(session)
        for name in ("ec2-credentials-file", "boto-config", "container-role", "iam-role"):
            resolver.remove(name)
        return region, attempts, source_of(resolver.load_credentials())
    except botocore.exceptions.ProfileNotFound as error:
        return None, None, f"error: {error}"
    except (botocore.exceptions.BotoCoreError, KeyError) as error:
        return region, attempts, f"error: {error}"


def source_of(found: Any) -> str:
    """Follows the roles down to what they are assumed from."""
    if found is None:
        return "none"
    if found.method == "assume-role":
        fetcher = found._refresh_using.__self__
        return f"{source_of(fetcher._source_credentials)}, then role {fetcher._assume_kwargs['RoleArn']}"
    if found.method == "assume-role-with-web-identity":
        return f"web identity for {found._refresh_using.__self__._assume_kwargs['RoleArn']}"
    if found.method == "sso":
        fetcher = found._refresh_using.__self__
        return f"SSO role {fetcher._role_name} in account {fetcher._account_id}"
    if found.method in ("shared-credentials-file", "config-file"):
        return f"access key of profile {found.access_key.split('.')[1]}"
    return {"custom-process": "credential_process", "env": "credential_source Environment"}[found.method]


def source_by_library(files: Files, profile: str) -> tuple[Any, Any, str]:
    described = files.library.describe(profile)
    if isinstance(described, str):
        return None, None, f"error: {described}"
    region, attempts, source = (described[name]["value"] for name in ("region", "max_attempts", "credentials"))
    if source.startswith("none "):
        source = f"error: {source}"
    elif source.startswith("instance metadata "):
        source = "none"
    else:
        source = source.removeprefix(f"profile {profile}: ")
        base, *roles = source.split(", then ")
        if base == "access key":
            base = f"access key of profile {profile}"
        elif not base.startswith("access key"):
            base = base.partition(" of profile ")[0]
        source = ", then ".join([base, *roles])
    return region, attempts, source


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("part", range(PARTS))
def test_profiles_have_the_settings_and_credentials_that_botocore_finds(part: int, files: Files) -> None:
    files.patch.delenv("AWS_REGION")
    files.patch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    seen = {"error": 0, "none": 0, "then role": 0, "SSO": 0, "web identity": 0, "access key": 0, "process": 0}
    for seed in range(SEED + part, SEED + FILES // 4, PARTS):
        pick = random.Random(seed)
        config, credentials = ProfileWriter(pick).files()
        files.write(config, credentials)
        profile = pick.choice(ProfileWriter.names)
        expected, found = source_by_botocore(profile), source_by_library(files, profile)
        for kind in seen:
            seen[kind] += kind in found[2]
        where = f"seed {seed}, profile {profile}:\n{config}\n---\n{credentials}\n---\n{expected}\n---\n{found}"
        assert (expected[0], expected[1] or 3) == (found[0], found[1] or 3), where
        if expected[2] != found[2] and not (expected[2].startswith("error") and found[2].startswith("error")):
            assert any(reason in text for reason in SOURCE_REASONS for text in (expected[2], found[2])), where
    assert min(seen.values()) * PARTS >= FILES / 200, seen


def effect(files: Files, profile: str) -> tuple[object, object] | str:
    return normal(files.by_library(profile))


BAD_LINES = ["nonsense", "= x", "[never closed", "<<<<<<< HEAD", ": x", "\u00ff"]


@pytest.mark.parametrize("bad", BAD_LINES)
@pytest.mark.parametrize("file", ["config", "credentials"])
def test_what_is_wrong_in_one_profile_does_not_disturb_another(file: str, bad: str, files: Files) -> None:
    title = "profile bad" if file == "config" else "bad"
    text = f"[default]\nsdk_ua_app_id = good\n[{title}]\nsdk_ua_app_id = x\n{bad}\n[other]\nx = y\n"
    files.write(**{"config": "", file: text})
    assert isinstance(files.by_botocore("default"), str)
    assert effect(files, "default") == ("good", "")
    refusal = files.by_library("bad")
    assert isinstance(refusal, str)
    assert refusal.startswith(f"{files.folder / file}, line 5: ")
    assert bad not in refusal


def test_a_line_before_the_first_section_belongs_to_nobody(files: Files) -> None:
    files.write("# mine\n\nendpoint_url = http://localhost:4566\n[default]\nregion = x\n")
    assert isinstance(files.by_botocore("default"), str)
    refusal = files.by_library("default")
    assert isinstance(refusal, str)
    assert refusal.startswith(f"{files.folder / 'config'}, line 3: ")


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ("services = nope", "[services nope]"),
        ("services =\n[services here]\nlambda =\n endpoint_url = http://h", "[services ]"),
        ("services = here\n[services here]", "[services here]"),
        ("services = here\n[service here]\nlambda =\n endpoint_url = http://h", "[services here]"),
        ("services = here\n[services here]\nlambda =\nendpoint_url = http://h", "[services here]"),
        ("services = here\n[services here]\nendpoint_url = http://h", "[services here]"),
        ("services = here\n[services here]\nlambda = http://h", "[services here]"),
        ("services = here\n[services here]\nlambda =\n endpoint_url: http//h", "[services here]"),
        ("services = here\n[services here]\nlambda =\n  http://h", "[services here]"),
        (
            "services = here\n[services here]\nlambda =\n  endpoint_url = localhost",
            "endpoint_url of lambda in services here",
        ),
        ("services = here\n[services here]\nlambda =\n  endpoint_url = http://h\nnonsense", "line 6"),
    ],
)
def test_services_that_cannot_be_meant_do_not_send_calls_to_aws(config: str, part: str, files: Files) -> None:
    files.write(f"[default]\n{config}\n")
    refusal = files.by_library("default")
    assert isinstance(refusal, str)
    assert part in refusal
    assert str(files.folder / "config") in refusal
    # Where the endpoint is set nearer, the section is not looked at, as in botocore.
    files.patch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://nearer")
    assert effect(files, "default") == (None, "http://nearer")


# What botocore rejects, or reads in another way, and this library reads on purpose.
DIFFERENCES: dict[str, tuple[str | bytes, str, str]] = {
    "a byte order mark, which editors write": ("\ufeff[default]\nsdk_ua_app_id = x\n", "default", "x"),
    "a section twice, whose properties are merged": (
        "[default]\nsdk_ua_app_id = x\n[default]\nregion = y\n",
        "default",
        "x",
    ),
    "a property twice, of which the last counts": ("[default]\nsdk_ua_app_id = y\nsdk_ua_app_id = x\n", "default", "x"),
    "blanks inside the brackets": ("[ default ]\nsdk_ua_app_id = x\n", "default", "x"),
    "a blank before the word profile": ("[ profile p]\nsdk_ua_app_id = x\n", "p", "x"),
    "a value on the next line": ("[default]\nsdk_ua_app_id =\n  x\n", "default", "x"),
    "a comment that is not UTF-8": (b"[default]\n# \xff\nsdk_ua_app_id = x\n", "default", "x"),
    "a profile beside one that is not UTF-8": (
        b"[default]\nsdk_ua_app_id = x\n[profile b]\nx = \xff\n",
        "default",
        "x",
    ),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_more_is_read_than_by_botocore(difference: str, files: Files) -> None:
    config, profile, value = DIFFERENCES[difference]
    files.write(config)
    assert normal(files.by_botocore(profile)) != (value, "")
    assert effect(files, profile) == (value, "")


def test_two_names_are_one_profile_only_where_they_are_equal(files: Files) -> None:
    names = ["a b", "a%20b", "a+b", "A b", "a  b", "a\u00a0b", "a.b", "a_b"]
    for is_config in (True, False):
        text = "".join(
            f"[{f'profile {name!r}' if is_config else name}]\nsdk_ua_app_id = {index}\n"
            for index, name in enumerate(names)
        )
        files.write(text.replace("\\xa0", "\u00a0") if is_config else "", "" if is_config else text)
        for index, name in enumerate(names):
            assert effect(files, name) == normal(files.by_botocore(name)) == (str(index), "")


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
@pytest.mark.parametrize(
    "path",
    ["$HOME/x y/file", "${HOME}/x y/file", "~/x y/file", "$TILDE/x y/file", "$HOME/$SUB/file", " ${HOME}/x y/file\n"],
)
def test_variables_in_the_paths_of_the_files_are_expanded(path: str, variable: str, files: Files) -> None:
    (files.folder / "x y").mkdir()
    (files.folder / "x y/file").write_text("[default]\nsdk_ua_app_id = x\n")
    files.patch.setenv("TILDE", "~")
    files.patch.setenv("SUB", "x y")
    files.patch.setenv(variable, path)
    assert effect(files, "default") == ("x", "")
    if path == path.strip():
        assert normal(files.by_botocore("default")) == ("x", "")


@pytest.mark.parametrize("path", ["~{user}/{rest}", "${{TILDE}}{user}/{rest}"])
def test_the_home_of_another_user_is_expanded(path: str, files: Files) -> None:
    user = next(user for user in pwd.getpwall() if Path(user.pw_dir).is_dir())
    (files.folder / "file").write_text("[default]\nsdk_ua_app_id = x\n")
    files.patch.setenv("TILDE", "~")
    rest = os.path.relpath(files.folder / "file", Path(user.pw_dir).resolve())
    files.patch.setenv("AWS_CONFIG_FILE", path.format(user=user.pw_name, rest=rest))
    assert effect(files, "default") == normal(files.by_botocore("default")) == ("x", "")
    files.patch.setenv("AWS_CONFIG_FILE", path.format(user="nobody-has-this-name", rest=rest))
    # Neither finds a file.
    assert effect(files, "default") == (None, "")
    assert str(files.by_botocore("default")).startswith("ProfileNotFound")


@pytest.mark.parametrize(
    ("name", "content"),
    [("/dev/zero", None), ("config", lambda: b"[default]\n# " + b"x" * (16 << 20))],
    ids=["endless", "large"],
)
def test_a_file_that_is_too_large_is_refused(name: str, content: Callable[[], bytes] | None, files: Files) -> None:
    path = files.folder / name
    if content is not None:
        files.write(content())
    files.patch.setenv("AWS_CONFIG_FILE", str(path))
    refusal = files.by_library("default")
    assert isinstance(refusal, str)
    assert refusal.startswith(f"{path}: is larger than 16 MiB")
