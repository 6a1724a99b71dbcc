"""Mutants: each safety rule taken out of a copy of the code, one at a time; the tests that stand beside it must fail then.

A rule that nobody misses is held by no test. The texts are exact and stand once in their files, so that this list goes stale
loudly. What was caught is kept in `caught.jsonl` with the hash of the rule's file, of the tests' files and of this list's entry.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CAUGHT = Path(__file__).with_name("caught.jsonl")
PATIENCE_S = 900
"""A rule without which a test never ends is missed, too: by whoever waits."""


class Mutant(NamedTuple):
    """A safety rule, the text that it is, what stands in its place, and the tests (words for pytest) that must fail."""

    name: str
    file: str
    text: str
    instead: str
    tests: str


RISK = "pipeline/core/risk.py"
RULES = "tests/core/test_risk_rules.py"
EPISODES = "tests/execution/test_every_step.py tests/execution/test_desk.py"


def _unasked(rule: str, call: str = "(case)", of: str = RULES) -> Mutant:
    """A rule of the gate that is asked no more."""
    return Mutant(f"risk {rule}", RISK, f"            {rule}{call},\n", "", of)


def _uncrowded(rule: str) -> Mutant:
    return Mutant(f"risk {rule}", RISK, f"        {rule}(case, crowd),\n", "", RULES)


CRASHES = "tests/log/test_crashes.py::test_whatever_was_acknowledged_survives"
DAMAGE = "tests/log/test_damage.py"

MUTANTS = [
    # the final door
    Mutant("risk not_finite", RISK, "    if not_finite(case):\n", "    if False:\n", RULES),
    *map(
        _unasked,
        [
            "from_the_past", "kill_switch", "leaving", "session_window", "cool_down", "halted", "unknown_order",
            "no_reference_price", "stale_quote", "crossed_quote", "price_collar", "short_sale",
            "order_quantity", "order_notional", "position_notional", "open_orders", "daily_loss", "drawdown", "loss_streak",
            "total_notional", "buying_power", "order_rate",
        ],
    ),
    _unasked("missing_position"),
    Mutant("risk an account that may only reduce", RISK, " or case.account.is_reducing", "", RULES),
    Mutant("risk an account that ends", RISK, " or case.account.is_ending", "", RULES),
    Mutant("risk a trailing stop has its distance", RISK, " or lacks_trail", "", RULES),
    *map(
        _uncrowded,
        [
            "duplicate", "instrument_strategies", "instrument_notional", "sector_instruments", "sector_notional",
            "theme_instruments", "theme_notional",
        ],
    ),
    Mutant("risk NaN passes no limit", RISK, "            if not check.value <= check.limit:\n                return", "            if check.value > check.limit:\n                return", RULES),
    Mutant("risk NaN passes no limit of the crowd", RISK, "        if not check.value <= check.limit:\n            return", "        if check.value > check.limit:\n            return", RULES),
    Mutant("risk what reduces is let out", RISK, "    if not case.reduces:\n", "    if True:\n", RULES),
    Mutant("risk working entries count", RISK, "case.draft.side * (case.draft.quantity_steps + working)", "case.draft.side * case.draft.quantity_steps", RULES),
    # acknowledged is durable
    Mutant("log durable is what was synced", "pipeline/log/journal.py", "            self._disk.sync(tip.fd)\n            self._durable = tip.cursor\n            self._durable_file.publish(self._durable)\n            return self._durable", "            self._durable = tip.cursor\n            self._durable_file.publish(self._durable)\n            return self._durable", CRASHES),
    Mutant("log a segment is synced before the next", "pipeline/log/journal.py", "            self._disk.sync(tip.fd)\n            self._durable = tip.cursor\n            self._durable_file.publish(self._durable)\n            self._tip = self._opened(", "            self._durable = tip.cursor\n            self._durable_file.publish(self._durable)\n            self._tip = self._opened(", CRASHES),
    Mutant("log an error poisons", "pipeline/log/journal.py", "            self.cause = self.cause or error\n", "", "tests/log/test_journal.py"),
    Mutant("log the new name is synced", "pipeline/log/disk.py", "    disk.rename(temporary, path)\n    disk.sync_folder(path.parent)\n", "    disk.rename(temporary, path)\n", CRASHES),
    Mutant("log the content is synced before the name", "pipeline/log/disk.py", "            disk.write(fd, content)\n        disk.sync(fd)\n", "            disk.write(fd, content)\n", CRASHES),
    Mutant("log a new folder's name is synced", "pipeline/log/journal.py", "        disk.sync_folder(folder.parent)\n", "", "tests/log/test_journal.py"),
    Mutant("log seq follows the last one", "pipeline/log/scan.py", "        if first != last_seq + 1 or last < first or is_derived_only:\n", "        if last < first or is_derived_only:\n", "tests/log/test_journal.py"),
    Mutant("log a commit has no hole", "pipeline/log/order.py", "    if last - first + 1 != rows:\n", "    if False:\n", "tests/log/test_journal.py tests/log/test_sequencer.py"),
    # what is on the disk is proved
    Mutant("log a header's checksum", "pipeline/log/frames.py", " or fields[-1] != crc32c(head[:-4])", "", DAMAGE),
    Mutant("log a segment's header's checksum", "pipeline/log/frames.py", "    if crc != crc32c(head[:-4]):\n", "    if False:\n", DAMAGE),
    Mutant("log a payload's checksum", "pipeline/log/scan.py", "        if crc_of(payload) != header.payload_crc:\n", "        if False:\n", DAMAGE),
    Mutant("log a payload's hash", "pipeline/log/scan.py", "        if self._is_thorough and digest(payload) != header.payload_hash:\n", "        if False:\n", "tests/log tests/store/test_check.py"),
    Mutant("log the chain of frames", "pipeline/log/scan.py", "        if header.previous != place.chain:\n", "        if False:\n", DAMAGE),
    Mutant("log a frame is of its place", "pipeline/log/scan.py", "        if header.segment_crc != self._segment_crc or header.offset != place.offset:\n", "        if False:\n", DAMAGE),
    Mutant("log nothing behind the seal", "pipeline/log/scan.py", '        if place.is_sealed:\n            return "the frame stands after the seal"\n', "", DAMAGE),
    Mutant("log the chain of segments", "pipeline/log/recovery.py", "        if (header.log_id, header.chain, header.base_seq) != (before.log_id, place.chain, place.last_seq + 1):\n", "        if False:\n", DAMAGE),
    Mutant("log epochs never go back", "pipeline/log/recovery.py", "        if header.epoch < before.epoch:\n", "        if False:\n", DAMAGE),
    Mutant("log a missing segment is refused", "pipeline/log/recovery.py", "    if present != list(range(first_segment, first_segment + len(present))):\n", "    if False:\n", DAMAGE),
    Mutant("log the durable end is there", "pipeline/log/recovery.py", "            if cursor.segment > header.segment:\n", "            if False:\n", DAMAGE),
    Mutant("log what was durable is unchanged", "pipeline/log/recovery.py", "            if chains.get(cursor.end) != cursor.chain or cursor.epoch != scan.header.epoch:\n", "            if False:\n", DAMAGE),
    Mutant("log torn is not corrupt", "pipeline/log/recovery.py", "(not is_last or is_beyond_a_crash(bytes(content), scan))", "False", DAMAGE),
    Mutant("log a torn tail is copied", "pipeline/log/recovery.py", "        publish(self._disk, path, bytes(self._disk.view(path)[:end]))\n", "", CRASHES),
    Mutant("log one writer", "pipeline/log/lock.py", "            _take(self._fd)\n", "            pass\n", "tests/log/test_writers.py tests/log/test_journal.py"),
    Mutant("log a manifest's hash", "pipeline/log/manifest.py", "    if _sealed(bytes(envelope.manifest)) != text:\n", "    if False:\n", "tests/store/test_parquet.py"),
    Mutant("log a small file's hash", "pipeline/log/proved.py", "    if blake3(text).hexdigest().encode() != digest:\n", "    if False:\n", "tests/store tests/run/test_backtesting.py"),
    Mutant("log a sealed file is read back", "pipeline/log/parts.py", "        if file_hash(path) != written.blake3:\n", "        if False:\n", "tests/store/test_seal_and_read.py"),
    Mutant("log sealed rows are read back", "pipeline/log/parts.py", "        if PartFile(path).values() != written.values:\n", "        if False:\n", "tests/store/test_seal_and_read.py"),
    Mutant("log an open log is not sealed", "pipeline/log/seal.py", "    if not reader.manifest.is_closed:\n", "    if False:\n", "tests/store/test_seal_and_read.py"),
    # orders
    Mutant("order an id is the same whenever asked for", "pipeline/execution/identity.py", 'return f"tape-{self._account}-{self._session}-{order_id}"', 'return f"tape-{self._account}-{self._session}-{order_id + id(self) % 7}"', "tests/execution/test_identity.py"),
    Mutant("order others' orders are not ours", "pipeline/execution/identity.py", "int(match[3]) if match and match[1] == self._account else None", "int(match[3]) if match else None", "tests/execution/test_identity.py"),
    Mutant("order no answer is no refusal", "pipeline/execution/tongue.py", "    if isinstance(said, Silence):\n        return said.why\n", "", "tests/execution/test_tongues.py"),
    Mutant("order a server's error is no refusal", "pipeline/execution/tongue.py", "    if said.status >= 500 or ", "    if ", "tests/execution/test_tongues.py"),
    Mutant("order an id that is taken says that it is there", "pipeline/execution/alpaca.py", " or (said.status == 422 and _UNIQUE in words)", "", "tests/execution/test_tongues.py"),
    Mutant("order unknown is asked about", "pipeline/execution/desk.py", '            if tracked.is_unknown:\n                self._begin(tracked, "find")\n', "", EPISODES),
    Mutant("order absence is proved", "pipeline/execution/jobs.py", "        if not is_late or tracked.venue_order_id or tracked.filled_steps:\n", "        if tracked.venue_order_id or tracked.filled_steps:\n", EPISODES),
    Mutant("order a list that did not come proves nothing", "pipeline/execution/jobs.py", "        if isinstance(listed, Failed):\n            return False\n        self._orders.reports(listed)", "        if isinstance(listed, Failed):\n            return True\n        self._orders.reports(listed)", EPISODES),
    Mutant("order a job is done once at a time", "pipeline/execution/desk.py", '        if what in busy or (what == "find" and "place" in busy):\n', "        if False:\n", EPISODES + " tests/execution/test_broker_episodes.py"),
    Mutant("order nothing is sent before all was compared", "pipeline/execution/desk.py", "self.is_listening and self.reconciler.standing is not None", "self.is_listening", EPISODES + " tests/execution/test_broker_episodes.py"),
    Mutant("order an entry that waited is not sent", "pipeline/execution/desk.py", "        if waited_ns > self._times.stale_s * NANO and not tracked.request.flags & OrderFlag.REDUCE_ONLY:\n", "        if False:\n", EPISODES + " tests/run/test_brokered_live.py"),
    Mutant("order a fill counts once", "pipeline/execution/tracked.py", "        if execution.execution_id in self._executions:\n", "        if False:\n", "tests/execution/test_tracked.py tests/execution/test_stretches.py"),
    Mutant("order an overfill is loud", "pipeline/execution/tracked.py", "        if self.filled_steps > self.request.quantity_steps:\n", "        if False:\n", "tests/execution/test_tracked.py"),
    Mutant("order one that comes after all is ended", "pipeline/execution/orders.py", "        if tracked.is_zombie and report.status not in FINAL and tracked not in self.zombies:\n", "        if False:\n", EPISODES),
    Mutant("order a submitted one is not submitted again", "pipeline/execution/orders.py", '        assert request.order_id not in self._by_id, f"order {request.order_id} was submitted before"\n', "", EPISODES + " tests/execution/test_tracked.py"),
    Mutant("order a position that differs is told", "pipeline/execution/reconcile.py", "                self._tell(name, difference, steps)\n", "                pass\n", EPISODES),
    Mutant("order a difference is looked at twice", "pipeline/execution/reconcile.py", "            elif self._suspected.get(name) != difference:\n", "            elif False:\n", EPISODES + " tests/execution/test_broker_episodes.py"),
    # stores far away, and nodes
    Mutant("far what comes is what was sealed", "pipeline/log/arriving.py", "    if digest != part.blake3:\n", "    if False:\n", "tests/far/test_pulling.py tests/far/test_visiting.py"),
    Mutant("far no more comes than was sealed", "pipeline/log/arriving.py", "                if size + len(chunk) > part.size:\n", "                if False:\n", "tests/far/test_hostile_manifests.py"),
    Mutant("far another log of the name", "pipeline/log/pushing.py", "    if others:\n", "    if False:\n", "tests/far/test_pushing.py"),
    Mutant("far another log's claim", "pipeline/log/pushing.py", '        if stands and claimed_by(name) not in ("", of.log_id):\n', "        if False:\n", "tests/far/test_pushing.py"),
    Mutant("far a claim that nobody sees", "pipeline/log/pushing.py", "    if claim not in there:\n", "    if False:\n", "tests/far/test_pushing.py"),
    Mutant("far a claim that nobody believes", "pipeline/log/pushing.py", "    if _elapsed_s() - begun_s > _ACTED_ON_S:\n", "    if False:\n", "tests/far/test_pushing.py"),
    Mutant("far all of it is there before its manifest", "pipeline/log/pushing.py", "    _check_arrived(far, items, found)\n", "", "tests/far/test_pushing.py"),
    Mutant("far only what is sealed", "pipeline/log/pushing.py", '    if of.state != "sealed":\n', "    if False:\n", "tests/far/test_pushing.py"),
    Mutant("node what was sent is what was sealed", "pipeline/run/node.py", "        if blake3(content).hexdigest() != expected.get(name):\n", "        if False:\n", "tests/run/test_node.py"),
    Mutant("node the same code", "pipeline/run/node.py", "    _check_is_the_same_code(kit.setup.sources, files)\n", "", "tests/run/test_node.py"),
    Mutant("node no copy of the store is written", "pipeline/run/node.py", "                _check_is_the_same(home, order.sessions)\n", "                pass\n", "tests/run/test_node.py"),
    Mutant("node nothing is kept out of sight", "pipeline/run/node.py", "                _check_keeps_nothing(home, order.job)\n", "", "tests/run/test_node.py"),
    Mutant("cells another backtest of the id", "pipeline/run/backtesting.py", "    if any(row.place not in wanted or wanted[row.place].key != row.key for row in own):  # an id has eight digits\n", "    if False:\n", "tests/run/test_backtesting.py"),
    Mutant("log parts as one hold the same rows", "pipeline/log/compacting.py", "    if found != held:\n", "    if False:\n", "tests/store/test_compacting.py"),
    # statements that people type
    Mutant("sql kinds of values", "pipeline/sandbox/gate.py", '            _refuse_unless(kind in _EXPRESSIONS, _WORDS.get(kind, f"{kind} where a value stands"))\n', "", "tests/sandbox/test_gate.py"),
    Mutant("sql kinds of nodes", "pipeline/sandbox/gate.py", "        _refuse_unless(kind in _NODES, _WORDS.get(kind, f\"{kind.removesuffix('_NODE').lower()} in a statement\"))\n", "", "tests/sandbox/test_gate.py"),
    Mutant("sql nodes without a kind", "pipeline/sandbox/gate.py", "            _refuse_unless(any(node.keys() <= shape for shape in _SHAPES), f\"{', '.join(node)[:80]} in a statement\")\n", "            pass\n", "tests/sandbox/test_gate.py"),
    Mutant("sql one statement", "pipeline/sandbox/gate.py", "        if len(statements) != 1:\n", "        if False:\n", "tests/sandbox/test_gate.py"),
    Mutant("sql functions that are listed", "pipeline/sandbox/gate.py", '    if name in frozen.names(f"{where}_accepted") or (where == "expressions" and name in frozen.macros()):\n', "    if True:\n", "tests/sandbox/test_gate.py"),
    Mutant("sql relations that are listed", "pipeline/sandbox/gate.py", "        if name not in known or len(path) > 2:\n", "        if False:\n", "tests/sandbox/test_gate.py"),
    Mutant("sql types that are listed", "pipeline/sandbox/gate.py", "    _refuse_unless(len(path) == 1 and path[0] in frozen.names(\"types_accepted\"), f\"the type {'.'.join(path)[:60]!r}\")\n", "", "tests/sandbox/test_gate.py"),
    Mutant("sql its length", "pipeline/sandbox/gate.py", "        if len(sql) > self._chars_max:\n", "        if False:\n", "tests/sandbox/test_gate.py"),
    Mutant("sql whatever raises is a refusal", "pipeline/sandbox/gate.py", "        except Exception as error:  # noqa: BLE001 - of what raises nobody knows what it is\n", "        except AttributeError as error:\n", "tests/sandbox/test_gate.py"),
    Mutant("sql both names agree", "pipeline/sandbox/gate.py", "        _refuse_unless(told == path, f\"the name {'.'.join(told)[:60]!r}\")\n", "", "tests/sandbox/test_gate.py"),
    Mutant("sql the files of a worker", "pipeline/sandbox/closing.py", "    if version:\n        landlock.restrict(", "    if False:\n        landlock.restrict(", "tests/sandbox/test_layers.py"),
    Mutant("sql the sockets of a worker", "pipeline/sandbox/closing.py", "    no_sockets = seccomp.refuse_sockets()\n", "    no_sockets = True\n", "tests/sandbox/test_layers.py"),
    Mutant("sql no file by DuckDB", "pipeline/sandbox/answering.py", '        "set enable_external_access = false",\n', "", "tests/sandbox/test_layers.py"),
    Mutant("sql no setting by DuckDB", "pipeline/sandbox/answering.py", '        "set lock_configuration = true",  # the last: behind it no setting is taken\n', "", "tests/sandbox/test_layers.py"),
    Mutant("sql no object of Python", "pipeline/sandbox/answering.py", '        "set python_enable_replacements = false",\n', "", "tests/sandbox/test_layers.py"),
]  # fmt: skip


def caught() -> dict[str, dict]:
    """What was caught, by name."""
    lines = CAUGHT.read_text().splitlines() if CAUGHT.exists() else []
    return {each["name"]: each for each in map(json.loads, lines)}


def stamp(mutant: Mutant) -> str:
    """What the verdict depends on at least: the entry, the rule's file."""
    content = hashlib.sha256(repr(mutant).encode() + (ROOT / mutant.file).read_bytes())
    return content.hexdigest()[:12]


def run(names, *, again=False, words=sys.stdout):
    """Run those whose name begins so, or all that are not known to be caught. Raises SystemExit naming those that nobody missed."""
    chosen = [each for each in MUTANTS if not names or any(each.name.startswith(name) for name in names)]
    known, missed = caught(), []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = _copied(Path(folder) / "house")
        for mutant in chosen:
            if not again and known.get(mutant.name, {}).get("stamp") == stamp(mutant):
                continue
            verdict = _verdict(copy, mutant)
            print(f"{mutant.name}: {verdict}", file=words, flush=True)
            if verdict.startswith("caught"):
                _keep(mutant, verdict.removeprefix("caught by "))
            else:
                missed.append(mutant.name)
    if missed:
        raise SystemExit(f"{len(missed)} of {len(chosen)} were missed by nobody: {', '.join(missed)}")


def _copied(house):
    """The code and its tests, elsewhere, beside the same real data if there are any."""
    for name in ("pipeline", "strategies", "warehouse", "dashboards", "scanners", "tests", "docs"):
        shutil.copytree(ROOT / name, house / name, ignore=shutil.ignore_patterns("__pycache__", "*.lock", "*.tmp"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, house / name)
    if (ROOT.parent / "shared").is_dir():
        (house.parent / "shared").symlink_to(ROOT.parent / "shared")
    return house


def _verdict(copy, mutant):
    path = copy / mutant.file
    whole = path.read_text()
    assert whole.count(mutant.text) == 1, (
        f"{mutant.name}: its text stands {whole.count(mutant.text)} times in {mutant.file}"
    )
    try:
        path.write_text(whole.replace(mutant.text, mutant.instead))
        words = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *mutant.tests.split()]
        try:
            ended = subprocess.run(
                words, cwd=copy, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=_environment(copy)
            )
        except subprocess.TimeoutExpired:
            return f"no end after {PATIENCE_S} s"
    finally:
        path.write_text(whole)
    if ended.returncode == 0:
        return "missed by nobody"
    lines = [line.split() for line in ended.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    failed = [words[1] for words in lines if "::" in words[1]]  # what a test stands on may fail in its place
    return (
        f"caught by {failed[0]}" if ended.returncode == 1 and failed else f"it does not run:\n{ended.stdout[-2_000:]}"
    )


def _environment(copy):
    seeds = {"TAPE_SEEDS": "3000"}  # of lives and of episodes
    return {**os.environ, **seeds, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}


def _keep(mutant, by):
    known = caught()
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    known[mutant.name] = {"name": mutant.name, "stamp": stamp(mutant), "by": by, "day": day}
    order = [each.name for each in MUTANTS]
    kept = sorted((each for name, each in known.items() if name in order), key=lambda each: order.index(each["name"]))
    CAUGHT.write_text("".join(json.dumps(each) + "\n" for each in kept))
