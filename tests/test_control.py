"""The control socket: a request is answered when it is an input, by whoever records, or told why not."""

import socket
import stat
import threading

import pytest

from pipeline.errors import NotFoundError
from pipeline.run.control import SOCKET_NAME, WAITING_MAX, Answer, ControlSocket, Request, ask


def answering(control, seq):
    while not (taken := control.take()):
        pass
    for waiting in taken:
        waiting.answer.set_result(Answer(ok=True, seq=seq))


def test_a_request_is_answered_with_the_seq_it_became(tmp_path):
    with ControlSocket(tmp_path) as control:
        thread = threading.Thread(target=answering, args=(control, 81))
        thread.start()
        assert ask(tmp_path, Request("NOTE", text="wide spread")) == Answer(ok=True, seq=81)
        thread.join()


def test_whoever_records_is_woken_when_a_request_waits(tmp_path):
    rung = []
    with ControlSocket(tmp_path) as control:
        control.ring = lambda: rung.append(control.take())
        asking = threading.Thread(target=ask, args=(tmp_path, Request("HALT")))
        asking.start()
        while not rung:
            assert asking.is_alive()
        rung[0][0].answer.set_result(Answer(ok=True, seq=1))
        asking.join()


def test_a_path_longer_than_a_socket_address_works(tmp_path):
    folder = tmp_path / ("long-" * 30) / ("path-" * 20)
    folder.mkdir(parents=True)
    with ControlSocket(folder) as control:
        thread = threading.Thread(target=answering, args=(control, 1))
        thread.start()
        assert ask(folder, Request("HALT")).ok
        thread.join()


def test_only_the_owner_may_speak(tmp_path):
    with ControlSocket(tmp_path):
        assert stat.S_IMODE((tmp_path / SOCKET_NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize("said", [b"", b'{"ok":tr', b'{"ok":true,"error":"\xff"}\n', b'{"x":' + b"[" * 9_000 + b"\n"])
def test_an_answer_that_is_none_is_one_error(tmp_path, said):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / SOCKET_NAME))
        listening.listen()

        def answer():
            connection = listening.accept()[0]
            with connection:
                connection.recv(4096)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NotFoundError, match=f"{tmp_path.name}: no whole answer came"):
            ask(tmp_path, Request("HALT"))
        thread.join()


def test_bytes_that_are_no_request_are_refused_and_the_next_one_is_heard(tmp_path):
    with ControlSocket(tmp_path) as control:
        for junk in (b'{"action":"HA\xffLT"}', b'{"action":' + b"[" * 9_000):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(tmp_path / SOCKET_NAME))
                client.sendall(junk + b"\n")
                assert b'"ok":false' in client.recv(65_536)
        thread = threading.Thread(target=answering, args=(control, 1))
        thread.start()
        assert ask(tmp_path, Request("HALT")).ok
        thread.join()


def test_an_unknown_action_is_refused_with_those_there_are(tmp_path):
    with ControlSocket(tmp_path):
        answer = ask(tmp_path, Request("EXPLODE"))
    assert not answer.ok
    assert "HALT" in answer.error


def test_nobody_listening_is_said_at_once(tmp_path):
    with pytest.raises(NotFoundError, match="not being recorded"):
        ask(tmp_path, Request("NOTE"))
    (tmp_path / SOCKET_NAME).touch()
    with pytest.raises(NotFoundError, match="not being recorded"):
        ask(tmp_path, Request("NOTE"))


def test_those_who_wait_are_told_when_the_session_ends(tmp_path):
    answers = []
    with ControlSocket(tmp_path):
        thread = threading.Thread(target=lambda: answers.append(ask(tmp_path, Request("NOTE"))))
        thread.start()
        thread.join(0.5)
    thread.join()
    assert answers[0].error == "the session has ended"
    assert WAITING_MAX > 1
