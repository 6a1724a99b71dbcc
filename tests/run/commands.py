"""The command in this process, where it is not the process that is looked at: starting one takes as long as many of these tests."""

import subprocess

from click.testing import CliRunner

from pipeline.cli import main


def tape(home, *arguments):
    """What a command said and how it ended, as a process of its own would have; what nobody caught is raised."""
    words = ["--home", str(home), *map(str, arguments)]
    done = CliRunner().invoke(main, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)
