"""Databento's own client against a server on loopback: prices, cuts, refusals, and that nothing is paid twice."""

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import databento
import msgspec
import pytest
from click.testing import CliRunner
from history_server import KEY, Fault, History, Row, header, serving, trades, zstd

from pipeline.cli import main
from pipeline.codes import Kind
from pipeline.errors import ConfigError, FeedError, LockedError
from pipeline.feeds.databento_history import DatabentoHistory
from pipeline.log.check import check
from pipeline.log.purchases import Ledger, uncovered
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.normalize.reference_tables import moment_of
from pipeline.run import importing, purchasing
from pipeline.run.picking import import_picks
from pipeline.run.purchasing import Wanted, buy, checked_schemas, plan_of, sessions_of, usd
from pipeline.run.wanting import wanted_of_scans, wanted_of_symbols
from pipeline.units import HOUR_NS, NANO

FROM_NS = moment_of("2026-11-20T09:00:00Z")
UNTIL_NS = moment_of("2026-11-21T01:00:00Z")
DATASET = "XNAS.ITCH"
DAY = Wanted("2026-11-20", ("ABCD", "WXYZ"), FROM_NS, UNTIL_NS)
MANY = 30_000


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def small():
    return History(trades("ABCD", 7, FROM_NS, 50) + trades("WXYZ", 8, FROM_NS + 5, 30))


class Shop:
    """A store, a server and the client between them."""

    def __init__(self, store, history, url, *, key=KEY):
        self.store, self.history, self.ledger = store, history, Ledger(store)
        self.slept = []
        self.vendor = DatabentoHistory(key, url=url, sleep=self.slept.append)

    def plan(self, *wanted, schemas=("trades",)):
        return plan_of(self.ledger, self.vendor, DATASET, schemas, wanted or [DAY])

    def buy(self, *wanted, budget_usd=100.0):
        return buy(self.ledger, self.vendor, self.plan(*wanted), budget_nano=round(budget_usd * NANO), now_ns=lambda: 1)

    def sessions(self, *wanted, schemas=("trades",)):
        return list(sessions_of(self.store, DATASET, schemas, wanted or [DAY], created_ns=1))

    def sent_twice(self):
        return {row: count for row, count in Counter(self.history.sent).items() if count > 1}


@pytest.fixture
def shop(store):
    history = small()
    with serving(history) as url:
        yield Shop(store, history, url)


@pytest.fixture
def large_shop(store):
    history = History(trades("ABCD", 7, FROM_NS, MANY, together=3))
    with serving(history) as url:
        yield Shop(store, history, url)


ONE = Wanted("2026-11-20", ("ABCD",), FROM_NS, UNTIL_NS)


def test_the_price_is_asked_with_the_arguments_that_buy(shop):
    plan = shop.plan()
    assert usd(plan.cost_nano) == "$0.0080"
    assert shop.history.forms("timeseries.get_range") == []
    shop.buy()
    (bought,) = shop.history.forms("timeseries.get_range")
    priced = shop.history.forms("metadata.get_cost")[-1]
    assert {name: bought[name] for name in priced} == priced
    assert bought["symbols"] == "ABCD,WXYZ"


def test_what_was_bought_becomes_a_session(shop):
    bought = shop.buy()
    assert (bought.records, usd(bought.cost_nano), bought.left) == (80, "$0.0080", [])
    (made,) = shop.sessions()
    assert made.session == "2026-11-20-xnas-itch"
    assert (made.kinds["print"], made.kinds["instrument"], made.errors) == (80, 2, [])
    assert shop.sessions() == [made.session]
    assert check(shop.store).sound


def test_nothing_is_paid_twice(shop):
    shop.buy(ONE)
    again = shop.plan(ONE)
    assert (again.quoted, again.there) == ((), 1)
    both = shop.plan(DAY)
    assert [each.purchase.order.symbols for each in both.quoted] == [("WXYZ",)]
    longer = shop.plan(ONE._replace(from_ns=FROM_NS - HOUR_NS, until_ns=UNTIL_NS + HOUR_NS))
    assert [(each.purchase.rest.from_ns, each.purchase.rest.until_ns) for each in longer.quoted] == [
        (FROM_NS - HOUR_NS, FROM_NS),
        (UNTIL_NS, UNTIL_NS + HOUR_NS),
    ]
    shop.buy(DAY)
    assert shop.sent_twice() == {}
    (made,) = shop.sessions()
    assert made.kinds["print"] == 80


def test_a_budget_is_never_passed(shop):
    bought = shop.buy(budget_usd=0.0079)
    assert (bought.cost_nano, bought.records) == (0, 0)
    assert "budget: $0.0080 more would pass it; $0.0000 spent" in bought.left[0]
    assert shop.history.sent == []
    assert shop.ledger.purchases() == []
    assert shop.sessions() == []


def test_a_price_that_rose_since_the_plan_buys_nothing(shop):
    plan = shop.plan()
    shop.history.fail("metadata.get_cost", Fault(body=50.0))
    bought = buy(shop.ledger, shop.vendor, plan, budget_nano=plan.cost_nano, now_ns=lambda: 1)
    assert "budget: $50.0000 more would pass it" in bought.left[0]
    assert shop.history.sent == []


def test_an_order_that_does_not_fit_leaves_room_for_one_that_does(shop):
    later = [Wanted("2026-11-20", (symbol,), FROM_NS, UNTIL_NS) for symbol in ("ABCD", "WXYZ")]
    bought = shop.buy(*later, budget_usd=0.004)
    assert (bought.records, len(bought.left)) == (30, 1)


@pytest.mark.parametrize("cost", [-1.0, "free", None, True, 1e12, [0.5], {"cost": 1}])
def test_a_price_that_is_none_buys_nothing(shop, cost):
    shop.history.fail("metadata.get_cost", Fault(body=b"null" if cost is None else cost))
    with pytest.raises(FeedError, match="is no price: nothing was bought"):
        shop.plan()
    assert shop.history.sent == []


def test_a_price_that_is_no_json_is_asked_again_and_then_given_up(shop):
    shop.history.fail("metadata.get_cost", *[Fault(body=b"<html>")] * 5)
    with pytest.raises(FeedError, match="get_cost: JSONDecodeError"):
        shop.plan()
    assert shop.slept == [1.0, 2.0, 4.0, 8.0]


def test_the_vendor_is_left_alone_as_long_as_it_wishes(shop):
    shop.history.fail("metadata.get_cost", Fault(status=429, headers={"Retry-After": "7"}), Fault(status=503))
    shop.history.fail("timeseries.get_range", Fault(status=429, headers={"Retry-After": "9"}), Fault(status=500))
    assert shop.buy().records == 80
    assert shop.slept == [7.0, 2.0, 9.0, 2.0]


def test_what_is_refused_was_not_paid(shop):
    shop.history.fail("timeseries.get_range", Fault(status=422))
    bought = shop.buy()
    assert (bought.cost_nano, bought.records) == (0, 0)
    assert "get_range: BentoClientError: 422 fault 422" in bought.left[0]
    assert shop.ledger.purchases() == []
    assert shop.buy(ONE).records == 50  # what was refused beside it keeps nothing from being bought
    assert shop.buy().records == 30


def test_a_wrong_key_is_told_at_once(store):
    with serving(small()) as url, pytest.raises(FeedError, match="401 Authentication failed") as error:
        Shop(store, small(), url, key="db-wrong").plan()
    assert "db-wrong" not in str(error.value)


@pytest.mark.parametrize("cut_at", [0.15, 0.5, 0.95])
def test_a_download_that_is_cut_goes_on_where_it_was_cut(large_shop, cut_at):
    large_shop.history.fail("timeseries.get_range", Fault(cut_at=cut_at))
    bought = large_shop.buy(ONE)
    assert (bought.records, bought.left) == (MANY, [])
    first, second = large_shop.history.forms("timeseries.get_range")
    assert int(second["start"]) > int(first["start"])
    (made,) = large_shop.sessions(ONE)
    assert made.kinds["print"] == MANY
    prints = prints_of(large_shop.store, made.session)
    assert sorted(prints) == [rank % 2**32 for rank in range(MANY)]


def prints_of(store, session):
    """The vendor's number of every print."""
    log = LogReader(store.folder(session))
    return [
        seq
        for batch in log.batches(kinds=[Kind.PRINT])
        for block in batch
        for seq in block.number("vendor_seq").tolist()
    ]


def test_the_rest_of_a_cut_is_paid_for_alone(large_shop):
    large_shop.history.fail("timeseries.get_range", Fault(cut_at=0.5))
    large_shop.buy(ONE)
    (purchase,) = large_shop.ledger.purchases()
    whole, rest = purchase.spent
    assert 0 < rest.cost_nano < whole.cost_nano
    assert [piece.until_ns for piece in purchase.pieces] == [rest.from_ns, UNTIL_NS]


def test_a_cut_whose_rest_does_not_fit_into_the_budget_waits(large_shop):
    large_shop.history.fail("timeseries.get_range", Fault(cut_at=0.5))
    bought = large_shop.buy(ONE, budget_usd=3.1)  # the whole costs 3.0
    assert "more would pass it; $3.0000 spent" in bought.left[0]
    assert large_shop.sessions(ONE) == []
    rest = large_shop.plan(ONE)
    assert [each.purchase.records > 0 for each in rest.quoted] == [True]
    assert rest.cost_nano < 3 * NANO
    assert large_shop.buy(ONE).left == []
    (made,) = large_shop.sessions(ONE)
    assert made.kinds["print"] == MANY


def test_what_is_cut_again_and_again_is_left_for_another_time(large_shop):
    large_shop.history.fail("timeseries.get_range", *[Fault(cut_at=0.001)] * 3)
    bought = large_shop.buy(ONE)
    assert "cut 3 times; the same command goes on with it: BentoError: Error streaming" in bought.left[0]
    assert large_shop.buy(ONE).records == MANY


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_process_that_died_while_it_downloaded_lost_nothing(large_shop, is_whole):
    large_shop.buy(ONE)
    (done,) = large_shop.ledger.purchases()
    # As if it had died before the ledger heard of the file: all of it there, or half.
    begun = large_shop.ledger.write(msgspec.structs.replace(done, is_done=False, pieces=()))
    path = large_shop.ledger.next_piece(begun)
    if not is_whole:
        path.rename(large_shop.ledger.coming(begun))
        path = large_shop.ledger.coming(begun)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    large_shop.history.sent.clear()
    bought = large_shop.buy(ONE)
    assert bought.left == []
    assert 0 <= len(large_shop.history.sent) < (1 if is_whole else MANY)
    (made,) = large_shop.sessions(ONE)
    assert made.kinds["print"] == MANY
    assert check(large_shop.store).sound


class Killed(BaseException):
    """Stands for SIGKILL between two steps."""


def killing(monkeypatch, at):
    """From the step `at` on every change of files or of the ledger fails, before it is made or right behind it."""
    steps = {"count": 0}

    def broken(original):
        def step(*words, **options):
            steps["count"] += 1
            if steps["count"] == at:
                raise Killed
            made = original(*words, **options)
            steps["count"] += 1
            if steps["count"] == at:
                raise Killed
            return made

        return step

    for owner, name in ((Ledger, "write"), (Path, "replace"), (Path, "unlink"), (purchasing, "keep_front")):
        monkeypatch.setattr(owner, name, broken(getattr(owner, name)))
    return steps


@pytest.mark.parametrize("is_cut", [False, True])
def test_every_record_is_there_once_wherever_the_process_dies(tmp_path, is_cut):
    count, at, outcomes = 9_000, 0, set()
    while True:
        at += 1
        history = History(trades("ABCD", 7, FROM_NS, count, together=3))
        if is_cut:
            history.fail("timeseries.get_range", Fault(cut_at=0.5))
        with serving(history) as url, pytest.MonkeyPatch.context() as patched:
            shop = Shop(Store(tmp_path / f"store-{is_cut}-{at}"), history, url)
            steps = killing(patched, at)
            try:
                shop.buy(ONE)
                outcome = "bought"
            except Killed:
                outcome = "died"
            patched.undo()
            outcomes.add(outcome)
            assert shop.buy(ONE).left == []
            assert shop.plan(ONE).quoted == ()
            (made,) = shop.sessions(ONE)
            assert sorted(prints_of(shop.store, made.session)) == list(range(count)), f"died at step {at}"
            assert check(shop.store).sound
            asked = shop.history.forms("timeseries.get_range")
            assert len(asked) <= (3 if is_cut else 2)
            assert not list(shop.ledger.folder.glob("*-coming*"))
        if steps["count"] < at:
            break
    assert outcomes == {"died", "bought"}
    assert at > (24 if is_cut else 6)


def command(store, url, *words):
    code = "import pipeline.cli; pipeline.cli.main()"
    return [sys.executable, "-c", code, "--home", str(store.home), "fetch", "--url", url, *words]


def test_a_command_killed_while_it_downloads_pays_for_the_rest_alone(store):
    words = ["--symbols", "ABCD", "--start", "2026-11-20", "--schema", "trades", "--dataset", DATASET]
    words += ["--budget", "5.00", "--yes"]
    history = History(trades("ABCD", 7, FROM_NS, MANY, together=3))
    history.fail("timeseries.get_range", Fault(cut_at=0.5, stalls=True))
    with serving(history, key="simulated") as url:
        process = subprocess.Popen(command(store, url, *words), stdout=subprocess.DEVNULL)
        while sum(path.stat().st_size for path in (store.home / "fetched").glob("*-coming*")) < 100_000:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        ran = subprocess.run(command(store, url, *words), capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        again = subprocess.run(command(store, url, *words), capture_output=True, text=True, check=False)
    assert "the rest of " in ran.stdout
    assert "was there already" in again.stdout
    first, rest = history.forms("timeseries.get_range")
    assert int(first["start"]) < int(rest["start"])
    (purchase,) = Ledger(store).purchases()
    assert [spent.from_ns for spent in purchase.spent] == [int(first["start"]), int(rest["start"])]
    assert purchase.cost_nano < 2 * purchase.spent[0].cost_nano
    (session,) = store.sessions()
    assert sorted(prints_of(store, session.id)) == list(range(MANY))
    assert check(store).sound


def test_two_who_ask_at_once_pay_once(shop):
    mine, theirs, more = shop.plan(), shop.plan(ONE), shop.plan()
    assert buy(shop.ledger, shop.vendor, mine, budget_nano=NANO, now_ns=lambda: 1).records == 80
    for late in (theirs, more):
        bought = buy(shop.ledger, shop.vendor, late, budget_nano=NANO, now_ns=lambda: 2)
        assert (bought.cost_nano, len(bought.left)) == (0, 1)
        assert "something of it was bought since its price was asked; ask again" in bought.left[0]
    assert shop.sent_twice() == {}
    assert shop.plan().quoted == ()


def test_what_is_asked_for_twice_in_one_plan_is_bought_once(shop):
    shop.buy(DAY, ONE)
    assert shop.sent_twice() == {}


def test_an_import_that_was_killed_is_gone_on_with(shop):
    shop.buy()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(importing, "seal", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            shop.sessions()
    (begun,) = shop.store.sessions()
    assert begun.state != "sealed"
    assert shop.sessions() != []
    (whole,) = shop.store.sessions()
    assert (whole.id, whole.state) == (begun.id, "sealed")
    assert len(prints_of(shop.store, whole.id)) == 80


def test_an_import_that_was_killed_in_its_middle_is_gone_on_with(shop):
    shop.buy()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(importing.Recorder, "take", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            shop.sessions()
    (begun,) = shop.store.sessions()
    (made,) = shop.sessions()
    assert (made.session, made.kinds["print"]) == (begun.id, 80)
    assert shop.store.sessions()[0].state == "sealed"
    assert shop.sessions() == [begun.id]


def test_what_can_not_be_read_is_set_aside_and_not_paid_for_again_at_once(shop):
    whole = shop.history.stream
    shop.history.stream = lambda form: zstd(header(form, shop.history.chosen(form)) + b"\x00" * 64)
    bought = shop.buy()
    assert (bought.records, len(bought.left)) == (0, 1)
    assert len(shop.history.forms("timeseries.get_range")) == 1
    (purchase,) = shop.ledger.purchases()
    assert "-1-unreadable.dbn.zst can't be read" in purchase.warnings[0]
    assert list(shop.ledger.folder.glob("*-unreadable.dbn.zst"))
    shop.history.stream = whole
    assert shop.buy().records == 80


def test_a_degraded_day_is_told_and_kept(shop):
    shop.history.conditions = {"2026-11-20": "degraded", "2026-11-21": "pending"}
    shop.history.warning = (
        "The streaming request contained one or more days which have reduced quality: 2026-11-20 (degraded)."
    )
    plan = shop.plan()
    assert plan.quoted[0].told.conditions == {"2026-11-20": "degraded", "2026-11-21": "pending"}
    shop.buy()
    (purchase,) = shop.ledger.purchases()
    assert purchase.conditions == plan.quoted[0].told.conditions
    assert purchase.warnings == (shop.history.warning,)
    (made,) = shop.sessions()
    fetched = shop.store.manifest(made.session).settings["reading"]["fetched"]
    assert fetched["conditions"]["2026-11-20"] == "degraded"
    assert fetched["warnings"] == [shop.history.warning]


def test_fewer_records_than_promised_are_told(shop):
    shop.history.fail("metadata.get_record_count", Fault(body=100))
    shop.buy()
    (purchase,) = shop.ledger.purchases()
    assert purchase.warnings == ("100 records were promised, 80 came",)
    assert purchase.is_done


def test_a_day_without_a_record_makes_no_session(shop):
    none = Wanted("2026-11-23", ("ABCD",), FROM_NS + 72 * HOUR_NS, UNTIL_NS + 72 * HOUR_NS)
    assert shop.buy(none).left == []
    assert shop.sessions(none) == []
    assert shop.plan(none).quoted == ()


def test_two_processes_do_not_buy_at_once(shop):
    held = shop.ledger.hold()
    with pytest.raises(LockedError):
        shop.plan()
    held.release()


def test_a_file_that_was_changed_is_found(shop):
    shop.buy()
    (purchase,) = shop.ledger.purchases()
    (path,) = shop.ledger.files(purchase)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert [damage.reason for damage in check(shop.store).damage] == [
        "the file does not have the hash that the ledger keeps of it"
    ]
    path.unlink()
    assert "it was paid for" in check(shop.store).damage[0].reason


def test_real_records_of_nvda(store, shared_data):
    path = shared_data / "databento" / "databento-python" / "XNAS.ITCH" / "test_data.tbbo.dbn.zst"
    rows = [Row("NVDA", record.ts_recv, bytes(record)) for record in databento.DBNStore.from_bytes(path.read_bytes())]
    first_ns = rows[0].ts_ns
    wanted = Wanted("2020-12-28", ("NVDA",), first_ns, rows[-1].ts_ns + 1)
    history = History(rows, schema="tbbo")
    with serving(history) as url:
        shop = Shop(store, history, url)
        plan = shop.plan(wanted, schemas=("tbbo",))
        assert buy(shop.ledger, shop.vendor, plan, budget_nano=NANO, now_ns=lambda: 1).records == 4
        (made,) = shop.sessions(wanted, schemas=("tbbo",))
    assert (made.kinds["quote"], made.kinds["print"]) == (4, 4)


def run_command(store, url, *arguments, **options):
    return CliRunner().invoke(main, ["--home", str(store.home), "fetch", "--url", url, *arguments], **options)


def test_the_command_buys_what_was_picked(store, tmp_path):
    picks = tmp_path / "picks.csv"
    picks.write_text("date,symbol\n2026-11-20,ABCD\n2026-11-20,WXYZ\n")
    import_picks(store, picks, list_name="mine", now_ns=1)
    words = ["--from-scan", "2026-11-20", "--schema", "trades", "--dataset", DATASET]
    with serving(small(), key="simulated") as url:
        refused = run_command(store, url, *words, "--budget", "0.001")
        asked = run_command(store, url, *words, input="n\n")
        bought = run_command(store, url, *words, "--budget", "5.00", "--yes")
        again = run_command(store, url, *words, "--budget", "0", "--yes")
    assert refused.exit_code == 2
    assert "that is $0.0080, more than the budget of $0.0010; nothing was bought" in refused.output
    assert asked.exit_code == 1
    assert "spend $0.0080? [y/N]" in asked.output
    assert bought.exit_code == 0, bought.output
    assert "session 2026-11-20-xnas-itch: " in bought.output
    assert "spent $0.0080 on 80 records" in bought.output
    assert again.exit_code == 0
    assert "2 symbols of days were bought before" in again.output
    assert "session 2026-11-20-xnas-itch was there already" in again.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--symbols", "A", "--start", "2026-11-20", "--schema", "trades", "--yes"], "--yes needs a --budget"),
        (["--symbols", "A", "--schema", "trades"], "--symbols needs --start"),
        (["--schema", "trades"], "say either --from-scan"),
        (
            ["--symbols", "A", "--start", "2026-11-20", "--schema", "trades", "--picks", "x"],
            "--picks goes with --from-scan",
        ),
        (["--from-scan", "2026-11-20", "--start", "2026-11-20", "--schema", "trades"], "has its own days"),
        (["--from-scan", "2026-11-20", "--schema", "trades"], "nothing was picked then"),
        (["--symbols", "A", "--start", "2026-11-20", "--schema", "mbo"], "--schema mbo: maps to no event"),
        (["--symbols", "A", "--start", "2026-11-20", "--schema", "trades", "--budget", "much"], "--budget much"),
        (["--symbols", "A", "--start", "2026-11-20", "--schema", "trades", "--budget", "-1"], "it is below zero"),
        (["--symbols", " , ", "--start", "2026-11-20", "--schema", "trades"], "name at least one"),
        (["--symbols", "A", "--start", "2026-11-26", "--schema", "trades"], "no trading day"),
    ],
)
def test_what_can_not_be_meant_is_refused_before_anything_is_asked(store, words, said):
    ran = run_command(store, "http://127.0.0.1:9", *words)
    assert ran.exit_code == 2
    assert said in ran.output


def test_only_this_machine_may_stand_in_for_the_vendor():
    with pytest.raises(ConfigError, match="an address of this machine"):
        DatabentoHistory(KEY, url="http://example.test")


def test_schemas_are_those_that_become_events():
    assert checked_schemas(["tbbo", "ohlcv-1s", "tbbo"]) == ("tbbo", "ohlcv-1s")


def told(wanted):
    return [(each.day, each.symbols, (each.until_ns - each.from_ns) // HOUR_NS) for each in wanted]


def test_days_are_asked_for_from_premarket_until_after_hours():
    found = wanted_of_symbols(["B", "A"], "2026-11-25", "2026-11-28", DATASET)
    assert told(found) == [("2026-11-25", ("A", "B"), 16), ("2026-11-27", ("A", "B"), 13)]  # a holiday, a half day
    assert found[0].from_ns == moment_of("2026-11-25T09:00:00Z")
    futures = wanted_of_symbols(["ESZ6"], "2026-11-28", "2026-11-29", "GLBX.MDP3")
    assert [each.from_ns for each in futures] == [moment_of("2026-11-28T00:00:00Z"), moment_of("2026-11-29T00:00:00Z")]


def test_moments_are_cut_where_days_begin():
    found = wanted_of_symbols(["A"], "2026-11-01T02:00:00Z", "2026-11-02T06:00:00Z", DATASET)
    assert told(found) == [("2026-10-31", ("A",), 2), ("2026-11-01", ("A",), 25), ("2026-11-02", ("A",), 1)]
    with pytest.raises(ConfigError, match="two days, or two moments"):
        wanted_of_symbols(["A"], "2026-11-01", "2026-11-02T06:00:00Z", DATASET)
    with pytest.raises(ConfigError, match="--start, --end"):
        wanted_of_symbols(["A"], "2026-11-01T02:00", "2026-11-02T06:00", DATASET)


def test_lists_can_be_chosen_for_what_is_bought(store, tmp_path):
    for name, symbol in (("mine", "ABCD"), ("theirs", "WXYZ")):
        picks = tmp_path / f"{name}.csv"
        picks.write_text(f"date,symbol\n2026-11-20,{symbol}\n")
        import_picks(store, picks, list_name=name, now_ns=1)
    assert told(wanted_of_scans(store, "2026-11-20", DATASET)) == [("2026-11-20", ("ABCD", "WXYZ"), 16)]
    assert told(wanted_of_scans(store, "2026-11-20", DATASET, ["mine"])) == [("2026-11-20", ("ABCD",), 16)]


def test_a_list_of_a_closed_day_is_told(store, tmp_path):
    picks = tmp_path / "picks.csv"
    picks.write_text("date,symbol\n2026-11-26,ABCD\n")
    import_picks(store, picks, list_name="mine", now_ns=1)
    with pytest.raises(ConfigError, match="closed on 2026-11-26"):
        wanted_of_scans(store, "2026-11-26", DATASET)


@pytest.mark.parametrize(
    ("stretches", "left"),
    [
        ([], [(0, 10)]),
        ([(0, 10)], []),
        ([(-5, 15)], []),
        ([(2, 4), (3, 5), (9, 20)], [(0, 2), (5, 9)]),
        ([(12, 20)], [(0, 10)]),
        ([(-5, 0), (4, 6)], [(0, 4), (6, 10)]),
    ],
)
def test_what_is_left_of_a_stretch(stretches, left):
    assert uncovered(0, 10, stretches) == left
