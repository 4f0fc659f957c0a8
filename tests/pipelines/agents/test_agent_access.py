"""Who may talk to the server over HTTP, and what the verb says."""

import json
import socket
import subprocess
import sys
from http.client import HTTPConnection

import pytest

from assay.pipelines.agents.server import name_agent
from tests.helpers import bench_of, digits, run_assay
from tests.json_outputs import check_json
from tests.mcp_clients import converse, data_of, http_server, over_http

HELLO = json.dumps(dict(jsonrpc="2.0", id=1, method="tools/list", params={}))


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return bench_of(digits(60), tmp_path_factory.mktemp("access"))


@pytest.fixture(scope="module")
def printed(bench):
    with http_server(bench) as found:
        yield found


def post(printed, **headers):
    """The status of a request; a header of None is left out."""
    port = int(printed["url"].split(":")[2].split("/")[0])
    known = dict(
        Host=f"127.0.0.1:{port}",
        Authorization=f"Bearer {printed['token']}",
        Accept="application/json, text/event-stream",
    ) | {"Content-Type": "application/json"}
    known |= {k: v and v.format(port=port) for k, v in headers.items()}
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("POST", "/mcp", skip_host=True)
    for name, value in known.items():
        if value is not None:
            connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(HELLO)))
    connection.endheaders(HELLO.encode())
    return connection.getresponse().status


@pytest.mark.slow
def test_strangers_are_refused(printed):
    refused = (401, 403, 421)
    assert post(printed) not in refused, "who has the token is heard"
    assert post(printed, Origin="http://127.0.0.1:{port}") not in refused
    for token in ("Bearer x", "Basic " + printed["token"], "Bearer", "", None):
        assert post(printed, Authorization=token) == 401
    assert post(printed, Authorization=f"Bearer {printed['token']}x") == 401
    for host in ("evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", ""):
        assert post(printed, Host=host) == 421
    assert post(printed, Host=None) == 400
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}"):
        assert post(printed, Origin=origin) == 403


@pytest.mark.slow
def test_it_listens_on_this_machine_alone(printed):
    assert printed["url"].startswith("http://127.0.0.1:")
    port = int(printed["url"].split(":")[2].split("/")[0])
    others = {a[4][0] for a in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        if not address.startswith("127."):
            with pytest.raises(OSError):
                socket.create_connection((address, port), timeout=5)


@pytest.mark.slow
def test_each_start_has_its_own_token_and_the_log_holds_none(bench, printed):
    check_json(json.dumps(printed))
    with http_server(bench) as other:
        assert other["token"] != printed["token"] and len(other["token"]) >= 32
        (status,) = converse(over_http(other), ("show_status", {}))
    assert data_of(status)["samples"] == 60
    assert not [
        f
        for f in bench.path.rglob("*")
        if f.is_file() and printed["token"].encode() in f.read_bytes()
    ]


def test_an_agent_is_called_by_a_name_that_no_person_has():
    assert name_agent("Claude Code") == "agent:Claude Code"
    assert name_agent("</data>\x1b[2J\u202ebob") == "agent:data2Jbob"
    assert name_agent("") == name_agent(None) == name_agent("\u202e") == "agent:unnamed"
    assert len(name_agent("x" * 1_000_000)) < 100


def test_what_the_verb_refuses(bench, tmp_path):
    assert "with --http alone" in run_assay("mcp", "-b", bench.path, "--port", 5)[2]
    assert run_assay("mcp", "-b", tmp_path)[0] == 2
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "free port" in run_assay("mcp", "--http", "--port", port, "-b", bench.path)[2]


@pytest.mark.slow
def test_without_the_extra_it_says_what_to_install(bench):
    hide = (
        "import sys, importlib.util as u; find = u.find_spec; "
        "u.find_spec = lambda n, *a: None if n == 'mcp' else find(n, *a); "
        "from assay.pipelines.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", hide, "mcp", "-b", str(bench.path)], capture_output=True, text=True
    )
    assert done.returncode == 2 and "pip install 'assay[mcp]'" in done.stderr
