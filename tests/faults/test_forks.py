"""Forks while threads call: 500 times from C and from multiprocessing, and as gunicorn does."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from run_faults import HERE, LIBRARY, ROOT, Endpoint, build, build_endpoint, call, environment, serve

FORKS = 500


def python_environment(endpoint: Endpoint) -> dict[str, str]:
    return environment() | {
        "FAULTS_CA_FILE": str(endpoint.ca_file),
        "LAMBDA_INVOKE_LIBRARY": str(LIBRARY / "liblambda_invoke.so"),
        "PYTHONPATH": str(ROOT / "bindings" / "python"),
    }


@pytest.mark.timeout(180)
def test_calls_in_parent_and_children_while_a_process_forks(tmp_path: Path) -> None:
    program = build("forks", tmp_path)
    with serve(build_endpoint(), tmp_path) as endpoint:
        urls = [endpoint.url(port, host) for port in ("sound", "sound-tls") for host in ("localhost", "127.0.0.1")]
        done = call(program, FORKS, endpoint.ca_file, *urls, timeout_s=150)
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.timeout(180)
def test_the_processes_of_a_pool_use_the_clients_of_their_parent(tmp_path: Path) -> None:
    with serve(build_endpoint(), tmp_path) as endpoint:
        # By address: getaddrinfo may hang in a child that is forked during a lookup, which the program in C counts.
        urls = [endpoint.url(port, "127.0.0.1") for port in ("sound", "sound-tls")]
        command = [sys.executable, str(HERE / "forking_pool.py"), str(FORKS), *urls]
        done = subprocess.run(command, env=python_environment(endpoint), capture_output=True, text=True, timeout=150)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert int(done.stdout) > 0, "no thread called meanwhile"


REQUESTS = 60
# So every worker is replaced several times, by a fork of a process that calls meanwhile.
REQUESTS_OF_A_WORKER = 5


@pytest.mark.timeout(120)
def test_the_workers_of_gunicorn_use_the_client_of_their_parent(tmp_path: Path) -> None:
    with serve(build_endpoint(), tmp_path) as endpoint:
        settings = python_environment(endpoint) | {"FAULTS_URL": endpoint.url("sound-tls")}
        options = ["--preload", "--workers", "3", "--max-requests", str(REQUESTS_OF_A_WORKER), "--bind", "127.0.0.1:0"]
        options += ["--chdir", str(HERE), "--log-level", "info", "forking_app"]
        command = [sys.executable, "-m", "gunicorn", *options]
        with subprocess.Popen(command, env=settings, stderr=subprocess.PIPE, text=True) as gunicorn:
            assert gunicorn.stderr
            try:
                address = next(line.split()[-2] for line in gunicorn.stderr if "Listening at" in line)
                workers = set()
                for number in range(REQUESTS):
                    with urllib.request.urlopen(f"{address}/{number}", timeout=30) as response:
                        answer = json.load(response)
                    assert answer["owner"] == str(number)
                    workers.add(answer["worker"])
            finally:
                gunicorn.terminate()
                log = gunicorn.stderr.read()
    assert gunicorn.returncode == 0, log
    assert "Traceback" not in log, log
    assert len(workers) > REQUESTS // REQUESTS_OF_A_WORKER // 2
