"""A program with more rights than its caller does not follow the caller's environment and files (AT_SECURE)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from configured_world import LIBRARY_CLIENT, World, lines_of

GROUP = 1


def make_setgid(world: World) -> None:
    """The program gets another group than its caller's, for which the kernel asks for secure execution."""
    if os.geteuid() != 0 or GROUP in (os.getegid(), *os.getgroups()):
        pytest.skip("only root can give a program another group")
    program = world.home / "invoke-setgid"
    shutil.copy(world.program(), program)
    os.chown(program, -1, GROUP)
    program.chmod(0o2755)
    if os.statvfs(program).f_flag & os.ST_NOSUID:
        pytest.skip("the folder for the test's files is mounted nosuid")
    world.program = lambda: program


def set_up(world: World) -> None:
    ran = world.home / "ran"
    world.set_keys(world.make_keys(session=True))
    world.credentials(f"[prod]\n{lines_of(world.make_keys())}")
    world.config(f"[default]\nregion = eu-west-3\ncredential_process = touch {ran}")
    world.set(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{world.servers['container'].url}/credentials",
        AWS_WEB_IDENTITY_TOKEN_FILE=world.file("token", "x"),
        AWS_ROLE_ARN="arn:aws:iam::123456789012:role/worker",
        AWS_CA_BUNDLE=world.home / "nothing-here",
        SSL_CERT_FILE=world.home / "nothing-here",
        HTTPS_PROXY="http://127.0.0.1:1",
        AWS_SDK_UA_APP_ID="theirs",
    )


def test_a_setgid_program_follows_no_environment_and_no_file(world: World) -> None:
    set_up(world)
    make_setgid(world)
    run = world.run(LIBRARY_CLIENT, "--region", "us-east-1", "--describe-only")
    assert run.describe is not None, str(run)
    sources = {name: entry["source"] for name, entry in run.describe.items()}
    assert not [name for name, origin in sources.items() if "environment" in origin or str(world.home) in origin], (
        sources
    )
    assert run.describe["credentials"]["value"] == "instance metadata at http://169.254.169.254"
    assert run.stderr == ""


def test_the_same_program_without_more_rights_follows_them(world: World) -> None:
    set_up(world)
    world.set(AWS_CA_BUNDLE=None, SSL_CERT_FILE=None)
    run = world.run(LIBRARY_CLIENT, "--region", "us-east-1", "--describe-only")
    assert run.describe["app_id"]["value"] == "theirs"
    assert "environment" in run.describe["credentials"]["source"]
    assert Path(world.environment["HOME"]) == world.home
