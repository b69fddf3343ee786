# SPDX-License-Identifier: Apache-2.0
import os
import pty

import pytest

from firmware.transport import LinkError, PtyTransport, SerialTransport, open_transport


@pytest.fixture
def terminal():
    board, host = pty.openpty()
    yield board, os.ttyname(host)
    for file in (board, host):
        os.close(file)


@pytest.mark.parametrize("kind", ["pty", "serial"])
def test_every_byte_value_passes_both_ways(terminal, kind):
    board, path = terminal
    line = PtyTransport(path) if kind == "pty" else SerialTransport(path, baud=115200)
    with line:
        message = bytes(range(256))
        line.write(message)
        assert os.read(board, 1000) == message
        os.write(board, message)
        received = b""
        while len(received) < 256:
            received += line.read(1.0)
        assert received == message
        assert line.read(0.01) == b""


def test_a_port_is_opened_by_its_name(terminal):
    with open_transport(terminal[1], baud=1_000_000) as line:
        assert isinstance(line, PtyTransport)
        assert line.baud is None


def test_ports_that_are_not_there(tmp_path):
    missing = str(tmp_path / "none")
    with pytest.raises(LinkError, match="Cannot open serial port .*none"):
        open_transport(missing, baud=115200)
    with pytest.raises(LinkError, match="Cannot open /dev/pts/none"):
        open_transport("/dev/pts/none", baud=115200)
    plain = tmp_path / "plain"
    plain.write_text("")
    with pytest.raises(LinkError, match="Cannot open .*plain"):
        PtyTransport(plain)


def test_a_closed_line_says_so(terminal):
    line = PtyTransport(terminal[1])
    line.close()
    line.close()
    with pytest.raises(LinkError, match="is closed"):
        line.write(b"x")
    with pytest.raises(LinkError, match="is closed"):
        line.read(0.0)


def test_a_line_that_is_gone_says_so():
    board, host = pty.openpty()
    with PtyTransport(os.ttyname(host)) as line:
        os.close(host)
        os.close(board)
        with pytest.raises(LinkError, match="is gone"):
            line.read(0.1)
        with pytest.raises(LinkError, match="is gone"):
            line.write(b"x")


def test_a_line_that_takes_nothing_says_so(terminal):
    with PtyTransport(terminal[1], write_timeout=0.05) as line:
        with pytest.raises(LinkError, match="takes no bytes"):
            line.write(bytes(1_000_000))
