"""The server of the viewer: one page for one browser on this machine, and nothing for anybody else."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading

import pytest
from petquant_cli.loopback import PageServer

from petquant.export.viewer import ServedPage

PAGE = ServedPage(html=b"<p>page", policy="default-src 'none'", volumes={"pet": b"\x1f\x8bnumbers"})


@pytest.fixture(scope="module")
def server():
    with PageServer(PAGE) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(server, path, *, method="GET", host=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    for name in [server.authority] if host is None else host:
        connection.putheader("Host", name)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_the_page_and_its_volumes_are_given_to_who_knows_the_path(server):
    answer, content = asked(server, server.path)
    assert (answer.status, content) == (200, PAGE.html)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    answer, content = asked(server, f"{server.path}pet")
    assert (answer.status, content) == (200, PAGE.volumes["pet"])


def test_every_answer_forbids_to_keep_to_frame_and_to_tell(server):
    for path in (server.path, f"{server.path}pet", "/"):
        headers = asked(server, path)[0].headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == PAGE.policy
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Access-Control-Allow-Origin"] is None
        assert headers["Server"] is None


@pytest.mark.parametrize(
    "path",
    ["/", "/pet", "/favicon.ico", "/wrong/", "/../", "{secret}../pet", "{secret}nothing", "{short}", "//x/"],
)
def test_nothing_is_given_to_who_does_not_know_the_path(server, path):
    path = path.format(secret=server.path, short=server.path[:-2])
    answer, content = asked(server, path)
    assert (answer.status, content) == (404, b"")


@pytest.mark.parametrize(
    "host",
    [["evil.example"], ["localhost:{port}"], ["127.0.0.1"], ["127.0.0.1:1"], [], ["{own}", "evil.example"]],
)
def test_a_foreign_host_is_refused(server, host):
    """DNS rebinding: the browser believes that it speaks with a site of the attacker."""
    host = [name.format(port=server.server_port, own=server.authority) for name in host]
    answer, content = asked(server, server.path, host=host)
    assert (answer.status, content) == (403, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_not_known(server, method):
    assert asked(server, server.path, method=method)[0].status == 501


def test_head_has_the_length_and_no_body(server):
    answer, content = asked(server, server.path, method="HEAD")
    assert (answer.status, content) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(PAGE.html))


def test_it_listens_on_one_address_alone(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"
    others = {"127.0.0.2"}  # of the loopback network, and whatever address this machine has besides
    with contextlib.suppress(OSError):
        others |= {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        with (
            pytest.raises(OSError, match=r".*"),
            socket.create_connection((address, server.server_port), timeout=2),
        ):
            pass


def test_every_server_has_a_path_of_its_own_that_nobody_guesses():
    with PageServer(PAGE) as one, PageServer(PAGE) as other:
        assert one.path != other.path
        assert len(one.path) >= 32  # 24 bytes: 192 bits
