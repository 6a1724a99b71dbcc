"""Batches: of 1, 7 or all inputs make the same bytes; so does a scanner that was frozen and thawed in the middle."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_tape import CRYPTO, EQUITY, ETF, Tape, at, in_batches, nano, scanned, scanner_of, wants

from pipeline.block import concat
from pipeline.codes import Kind, Mark, TradingStatus
from pipeline.core.hashing import packed_rows
from pipeline.feeds.merge import merged
from pipeline.ports import Scanner
from pipeline.run.scanners import load_scanner
from pipeline.scanner.fields import FIELDS
from pipeline.simulator.generate import Day, GeneratedDay
from pipeline.units import MINUTE_NS, SECOND_NS

T = at("09:29:30")
ALL = tuple(FIELDS)
PRESETS = Path(__file__).resolve().parents[2] / "scanners"


def everything():
    """A scanner that uses every field there is, with filters that come and go."""
    return scanner_of(
        show=ALL, asset_classes=["equity", "etf", "crypto"], retention_s=3, cool_down_s=2, full_table_every_s=7,
        filters=[wants("last", ">=", 10, keep=9.5), wants("volume", ">", 150, absent="pass")], rank=("dollar_vol", "last"),
    )  # fmt: skip


@st.composite
def tapes(draw):
    """A minute or so around the open, of three instruments, anything at any time, some of it late, marked or revised."""
    tape = (
        Tape()
        .instrument(T, 1, "AAAA", EQUITY)
        .instrument(T, 2, "BTC-USD", CRYPTO, step=10)
        .instrument(T, 3, "FUND", ETF)
    )
    now_ns = T
    for _ in range(draw(st.integers(5, 40))):
        now_ns += draw(st.sampled_from([0, 1, SECOND_NS // 3, SECOND_NS, 11 * SECOND_NS, 61 * SECOND_NS]))
        id_, price = draw(st.integers(1, 3)), draw(st.sampled_from([9.0, 9.75, 10.0, 10.5, 12.0]))
        event_ns = now_ns - draw(st.sampled_from([0, 5, 2 * SECOND_NS, 90 * SECOND_NS]))
        marks = draw(
            st.sampled_from([0, 0, 0, Mark.CANCEL, Mark.NO_LAST, Mark.DUPLICATE, Mark.OUT_OF_ORDER, Mark.NO_VOLUME])
        )
        what = draw(st.integers(0, 7))
        if what == 7:
            tape.put(
                Kind.SNAPSHOT, event_ns, id_, recv_ns=now_ns, ts_trade_ns=event_ns, last_nano=nano(price), ts_quote_ns=event_ns,
                bid_nano=nano(price - 0.2), ask_nano=nano(price + 0.2), bid_size_steps=5, ask_size_steps=6,
                volume_steps=draw(st.integers(0, 900)), vwap=price, open_nano=nano(price), high_nano=nano(price + 2),
                low_nano=nano(price - 2), previous_close_nano=nano(draw(st.sampled_from([8.0, 9.0]))),
            )  # fmt: skip
        elif what == 0:
            tape.quote(event_ns, id_, price - 0.1, price, recv_ns=now_ns, marks=int(marks))
        elif what <= 2:
            tape.print(event_ns, id_, price, draw(st.integers(1, 200)), recv_ns=now_ns, marks=int(marks))
        elif what == 3:
            revision = draw(st.integers(0, 1))
            tape.bar(
                event_ns // 10**10 * 10**10,
                id_,
                (price, price + 1, price - 1, price),
                50,
                recv_ns=now_ns,
                revision=revision,
            )
        elif what == 4:
            known_ns = now_ns + draw(st.sampled_from([-5, 0, 20 * SECOND_NS]))
            name = draw(st.sampled_from(["previous_close", "float_shares", "news", "split_ratio", "sector"]))
            tape.fact(now_ns, id_, name, price, text="words", known_ns=known_ns, as_of_ns=known_ns - 86_400 * SECOND_NS)
        elif what == 5:
            tape.status(now_ns, id_, draw(st.sampled_from([TradingStatus.HALTED, TradingStatus.TRADING])))
        tape.timer(now_ns)
    return tape.timer(now_ns + SECOND_NS)


def packed(made):
    return [packed_rows(block) for block in concat(made)]


@settings(max_examples=20)
@given(tapes())
def test_how_inputs_are_batched_changes_nothing(tape):
    (whole, scanner), *others = [scanned(tape, everything(), rows) for rows in (0, 1, 7)]
    for made, other in others:
        assert packed(made) == packed(whole)
        assert other.digest() == scanner.digest()
        assert other.get_active_stock_list() == scanner.get_active_stock_list()


@settings(max_examples=20)
@given(tapes(), st.integers(1, 100))
def test_one_that_was_frozen_goes_on_as_if_it_had_not_been(tape, part):
    whole, scanner = scanned(tape, everything())
    batches = in_batches(tape.blocks(), 1)
    place = len(batches) * part // 100
    first, second = everything(), everything()
    made = [block for batch in batches[:place] for block in first.update(batch)]
    second.thaw(first.freeze())
    assert second.digest() == first.digest()
    made += [block for batch in batches[place:] for block in second.update(batch)]
    assert packed(made) == packed(whole)
    assert second.digest() == scanner.digest()


def test_a_state_of_another_definition_is_refused():
    with pytest.raises(ValueError, match="this is"):
        scanner_of().thaw(everything().freeze())


@pytest.mark.parametrize("name", ["small_cap_hod", "crypto"])
def test_a_preset_over_a_generated_day_is_one_in_any_batches(name):
    found = []
    for rows in (64, 100_000):
        scanner: Scanner = load_scanner(PRESETS / f"{name}.toml")
        made, seq = [], 0
        for batch in merged([GeneratedDay(Day(quotes=500, lasts_ns=30 * MINUTE_NS, batch_rows=rows))]):
            made += scanner.update([block.with_columns(seq=block.number("seq") + seq) for block in batch])
            seq += sum(map(len, batch))
        found.append((packed(made), scanner.digest()))
    assert found[0] == found[1]
