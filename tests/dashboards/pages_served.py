"""What the tests of pages share beside fixtures: names of the day they look at, and the server of its pages."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "![x](http://evil.test/x.png) <img src=x onerror=alert(1)> :red[$x$] [a](javascript:alert(1))"
HOSTILE_SYMBOL = "<IMG SRC=X ONERROR=ALERT(1)>"
SESSION, RUN = "generated-3", "r-ema_cross-generated-3"


class Server:
    """`tape dashboard` over a store, in a process of its own."""

    def __init__(self, home, *options, stderr=None, start_new_session=False, **environment):
        command = [
            sys.executable,
            "-m",
            "pipeline.cli",
            "--home",
            str(home),
            "dashboard",
            "--no-browser",
            "--port",
            "0",
        ]
        self.process = subprocess.Popen(
            [*command, *options],
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=start_new_session,
            text=True,
            cwd=ROOT,
            env=os.environ | environment,
        )
        self.url = ""
        for line in self.process.stdout:
            if found := re.fullmatch(r"dashboard: (http\S+)\n", line):
                self.url = found[1]
                break
        assert self.url, "it ended without saying where it is"

    def end(self):
        self.process.terminate()
        self.process.communicate()
