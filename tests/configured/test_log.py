"""What the library tells of its work: as much as was asked for, and never a secret."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest
from configured_world import LIBRARY_CLIENT, Leak, Secrets, World

LEVELS = ["off", "error", "warn", "info", "debug", "trace"]


def lines(world: World, level: str | None, *flags: str) -> list[str]:
    world.set(LAMBDA_INVOKE_LOG=level)
    return world.run(LIBRARY_CLIENT, *flags).stderr.splitlines()


def test_a_good_call_says_where_its_keys_came_from_and_more_at_each_level(world: World) -> None:
    keys = world.make_keys(session=True)
    world.make_container(keys)
    told = {level: lines(world, level) for level in LEVELS}
    assert told["off"] == told["error"] == told["warn"] == []
    assert any("container" in line and keys.access_key_id in line for line in told["info"])
    assert len(told["info"]) < len(told["debug"]) <= len(told["trace"])


def test_a_bad_call_is_told_from_the_first_level_on(world: World) -> None:
    assert lines(world, "off") == []
    for level in LEVELS[1:]:
        assert any("credentials" in line for line in lines(world, level)), level


def test_levels_may_be_shouted(world: World) -> None:
    world.make_container(world.make_keys(session=True))
    assert len(lines(world, "INFO")) == len(lines(world, "info")) > 0


def test_nobody_who_did_not_ask_is_told(world: World) -> None:
    assert lines(world, None) == []
    world.make_container(world.make_keys(session=True))
    assert lines(world, None) == []


@pytest.mark.parametrize("level", range(1, 6))
def test_a_hook_gets_its_level_and_what_is_graver(level: int, world: World) -> None:
    keys = world.make_keys(session=True)
    world.make_container(keys)
    hooked = [re.fullmatch(r"hook (\d) (\S+) (.+)", line) for line in lines(world, None, "--log-level", str(level))]
    assert all(hooked)
    levels = {int(match[1]) for match in hooked if match}
    assert levels <= set(range(1, level + 1))
    assert (3 in levels) == (level >= 3)
    assert all(match[2].startswith("lambda_invoke") for match in hooked if match)


def test_a_hook_and_the_variable_are_told_each_what_it_asked_for(world: World) -> None:
    world.make_container(world.make_keys(session=True))
    told = lines(world, "info", "--log-level", "5")
    hooked = [line for line in told if line.startswith("hook ")]
    assert len(hooked) > len(told) - len(hooked) > 0


def test_a_secret_that_comes_out_is_noticed(world: World) -> None:
    """Whatever this suite runs is searched for all secrets; this shows that the search finds."""
    keys = world.make_keys()
    world.set_keys(keys)
    # Which the function tells.
    world.vault.secrets.add(keys.access_key_id)
    with pytest.raises(Leak):
        world.run(LIBRARY_CLIENT)


@pytest.mark.parametrize("form", ["{}", "x{}y", "\n{}\n"])
@pytest.mark.parametrize("secret", ["plain-secret-1", "with space/and+more"])
def test_a_secret_is_noticed_in_any_form(form: str, secret: str) -> None:
    secrets = Secrets()
    secrets.add(secret)
    secrets.check("nothing here")
    basic = b64encode(f"somebody:{secret}:more".encode()).decode()
    for written in (secret, secret.replace(" ", "%20").replace("/", "%2F").replace("+", "%2B"), basic):
        with pytest.raises(Leak):
            secrets.check("first", form.format(written))
