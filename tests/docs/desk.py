"""A reader's desk: a folder with the demo's store and the files that pages speak of, and as many terminals as they ask for."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import NamedTuple

from click.testing import CliRunner
from page_commands import ROOT, words_of

from pipeline.cli import main

TAPE = (sys.executable, "-m", "pipeline.cli")
READY = {
    "serve": re.compile("in another terminal"),
    "record": re.compile(": connected,"),
    "dashboard": re.compile("dashboard: http"),
    "scan": re.compile("removed"),
}
"""What a command that lasts until Ctrl-C has printed when it is at work."""

BESIDE = re.compile(r"^tape (tell|halt|note|scan .*--feed)")
"""What is typed while a session is being recorded; anything else waits until that is ended."""

NAMES = {"AAPL": "IQAH", "NVDA": "XIMH", "AMD": "MBYH", "SPY": "BUJI", "ABCD": "BUJI"}
"""Shares that are traded in the generated premarket."""

TOLD = (
    "record",
    "--feed",
    "massive",
    "--feed",
    "coinbase",
    "--symbols",
    "massive:SPY",
    "--symbols",
    "coinbase:BTC-USD",
)
"""The session that is told something, where a page says only what."""

RECORDED_S = 1.5
WAITED_S = 60


class Ended(NamedTuple):
    """How a command ended: what it printed, and its exit code or what else is wrong with it."""

    command: object
    printed: str
    code: int | str


class Terminal:
    """A command in a process of its own, which lasts until Ctrl-C; it is at work when this is made, or has ended."""

    def __init__(self, command, folder, words, typed=""):
        self._command, self._ready = command, READY[words[0]]
        self._path = folder / f"terminal-{time.monotonic_ns()}"
        with self._path.open("w") as out:
            pipes = {"stdin": subprocess.PIPE, "stdout": out, "stderr": subprocess.STDOUT}
            self.process = subprocess.Popen([*TAPE, *words], cwd=folder, text=True, **pipes)
        self.process.stdin.write(typed)
        self.process.stdin.close()
        deadline = time.monotonic() + WAITED_S
        while not self._ready.search(self.printed) and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)

    @property
    def printed(self):
        return self._path.read_text()

    @property
    def addresses(self):
        return dict(re.findall(r"^LISTENING (\S+) (\S+)$", self.printed, re.MULTILINE))

    def end(self):
        """Ctrl-C, where it has not ended by itself."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(WAITED_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        is_ready = self._ready.search(self.printed)
        return Ended(self._command, self.printed, code or (0 if is_ready else "0, without having been at work"))


class Desk:
    """Commands are run in its folder, which is the working directory; `stand_ins` are put for what only its reader has."""

    def __init__(self, folder, demo_home, stand_ins, markets):
        self.folder, self._stand_ins, self._markets = folder, stand_ins, markets
        self._market, self._recorder, self._addresses = None, None, {}
        shutil.copytree(demo_home, folder / "data")
        for name in ("strategies", "scanners"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))

    def run(self, command, text):
        """Run what this line says; all that ended through it, which may be what ran beside it."""
        for pattern, stand_in in self._stand_ins:
            text = re.sub(pattern, stand_in if isinstance(stand_in, str) else lambda _, of=stand_in: of(self), text)
        for each in text.split(" && "):
            program, *words = words_of(each)
            if program != "tape":
                yield _process(command, program, words)
                continue
            if self._recorder and not BESIDE.search(each):
                yield self._recorded()
            if words[0] == "serve":
                yield from self._serve(command, [*words, *([] if "--port" in words else ["--port", "0"])])
            elif words[0] == "record":
                yield from self._record(command, words)
            elif words[0] == "dashboard":
                yield Terminal(command, self.folder, [*words, "--no-browser"]).end()
            elif words[0] == "scan" and words[1].startswith("--"):
                yield from self._scan(command, words)
            elif words[0] == "tell":
                yield from self._tell(command, words)
            else:
                yield _tape(command, words)

    def close(self):
        """All that was still at work."""
        if self._recorder:
            yield self._recorded()
        if self._market:
            yield self._closed()

    def _closed(self):
        market, self._market = self._market, None
        return market.end()

    def _recorded(self):
        recorder, self._recorder = self._recorder, None
        return recorder.end()

    def _serve(self, command, words):
        if self._market:
            yield self._closed()
        self._market = Terminal(command, self.folder, words)

    def _with_a_market(self, command, words):
        """The words, where the market of their vendors is open: what the page serves, one with brokers, or that of all pages."""
        if "127.0.0.1" in " ".join(words) and self._market:
            self._addresses = self._market.addresses
            return words
        if "--broker" in words:
            yield from self._serve(command, market_of(words, "--trading", "--wait", "0"))
            self._addresses = self._market.addresses
        else:
            self._addresses = self._markets(words)
        return [*words, *([] if "--clock" in words else ["--clock", "served"])]

    def _record(self, command, words):
        words = yield from self._with_a_market(command, words)
        self._recorder = Terminal(command, self.folder, self._as_sold(words))
        time.sleep(RECORDED_S)

    def _tell(self, command, words):
        if not self._recorder:
            yield from self._record(command, TOLD)
        yield _tape(command, self._as_sold(words))
        if words[-1] == "end":
            self._recorder.process.wait(WAITED_S)
            yield self._recorded()

    def _scan(self, command, words):
        """What a scanner picks now: of the market that is open, or of one that goes on without a client."""
        if self._recorder is None:
            words = [*words, *([] if "--feed" in words else ["--feed", "massive"])]
            words = yield from self._with_a_market(command, words)
        words = self._as_sold(words)
        yield Terminal(command, self.folder, words).end() if "--every" in words else _tape(command, words)

    def _as_sold(self, words):
        """The words with the addresses of the open market, for vendors and for those that a page makes up, and with names that it sells."""
        open_at, found = self._addresses, []
        for before, word in itertools.pairwise(["", *words]):
            vendor = word.partition("=")[0]
            if before == "--feed" and vendor in open_at:
                found.append(f"{vendor}={open_at[vendor]}")
            elif before == "--broker":
                found.append(f"{vendor}={open_at[f'{vendor}-trading']},{open_at[f'{vendor}-orders']}")
            elif before in {"--symbols", "add", "flatten"}:
                found.append(re.sub(r"\w+", lambda name: NAMES.get(name[0], name[0]), word))
            else:
                found.append(word)
        return found


def market_of(words, *more):
    """The words that serve what the vendors of a recording sell."""
    vendors = {word.partition("=")[0] for before, word in itertools.pairwise(words) if before == "--feed"}
    day = "crypto" if vendors == {"coinbase"} else "premarket"
    return ["serve", "--generate", day, "--speed", "10", "--port", "0", *more]


def _tape(command, words):
    done = CliRunner().invoke(main, words)
    raised = "" if done.exception is None or isinstance(done.exception, SystemExit) else repr(done.exception)
    return Ended(command, done.output + raised, done.exit_code)


def _process(command, program, words):
    runs = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"] if program == "pytest" else [program]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*runs, *words], capture_output=True, text=True, check=False, env=environment)
    return Ended(command, done.stdout + done.stderr, done.returncode)
