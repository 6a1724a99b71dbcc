import os
import subprocess
import sys

import pytest

from pipeline.errors import OperatorError
from pipeline.feeds.credentials import held


def test_a_second_process_with_the_same_key_is_refused_in_one_sentence(tmp_path):
    code = f"""if True:
        import pathlib
        from pipeline.feeds.credentials import held
        lock = held(pathlib.Path({str(tmp_path)!r}), "alpaca", "PK1")
        print("held", flush=True)
        input()
    """
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(OperatorError, match=rf"^alpaca: process {process.pid} is connected with the same key, .*$"):
            held(tmp_path, "alpaca", "PK1")
        held(tmp_path, "alpaca", "PK2").release()
        held(tmp_path, "massive", "PK1").release()
        process.communicate(b"\n")
    held(tmp_path, "alpaca", "PK1").release()


def test_no_key_stands_in_a_files_name_or_content(tmp_path):
    lock = held(tmp_path / "new", "alpaca", "PKSECRETKEY")
    (path,) = (tmp_path / "new").iterdir()
    assert "SECRET" not in path.name
    assert path.read_text() == f"{os.getpid()}\n"
    lock.release()
