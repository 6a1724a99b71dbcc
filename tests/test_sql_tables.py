"""How much of a result `tape sql` draws: so much on a terminal, all of it for whoever asks, into a file and into a pipe."""

import os
import pty
import re
import subprocess
import sys

import pytest

QUERY = "select i, i % 7 as k from range(12345) t(i) order by i desc"


def drawn(tmp_path, *arguments):
    """What a terminal is shown, and the exit code."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(tmp_path), "sql", *arguments]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL) as process:
        os.close(theirs)
        said = bytearray()
        try:
            while piece := os.read(ours, 65_536):
                said += piece
        except OSError:  # the terminal's other end is closed
            pass
        assert process.wait(60) == 0, said.decode()
    os.close(ours)
    return said.decode().replace("\r", "")


def first_column(said):
    return [int(found) for found in re.findall(r"^│ +(\d+) │", said, re.MULTILINE)]


def test_a_terminal_shows_the_first_rows_in_order_and_says_how_many_there_are(tmp_path):
    said = drawn(tmp_path, QUERY)
    assert first_column(said) == list(range(12_344, 12_244, -1))
    assert said.splitlines()[-1] == "100 of 12,345 rows; --all"


def test_what_fits_is_whole_and_needs_no_line(tmp_path):
    said = drawn(tmp_path, "select i, 1 as one from range(100) t(i) order by i")
    assert first_column(said) == list(range(100))
    assert "--all" not in said


def test_all_is_all(tmp_path):
    assert first_column(drawn(tmp_path, QUERY, "--all")) == list(range(12_344, -1, -1))


@pytest.mark.parametrize("form", ["table", "csv"])
def test_a_pipe_gets_every_row(tmp_path, form):
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(tmp_path), "sql", QUERY, "--format", form]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    if form == "csv":
        assert len(done.stdout.splitlines()) == 12_346
    else:
        assert first_column(done.stdout) == list(range(12_344, -1, -1))


def test_a_result_without_rows_has_its_head(tmp_path):
    assert "nothing_here" in drawn(tmp_path, "select 1 as nothing_here where false")


@pytest.mark.parametrize(("query", "is_told"), [("select 1 as i, make_timestamp_ns(0) as at", True), (QUERY, False)])
def test_a_table_with_moments_says_by_whose_clock(tmp_path, query, is_told):
    said = drawn(tmp_path, query).splitlines()
    assert ("times are UTC" in said) is is_told
