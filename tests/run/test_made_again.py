"""A session made again from its messages: its instruments, what reference data say of them, and on what it trades."""

import json

import pytest
from live_sessions import Running, live_store, quotes, recording, rows
from served_loops import options, serving, settled, vendor_of
from words_vendor import Server, Words, vendor

from pipeline.codes import Kind
from pipeline.normalize.massive import MassiveMessages
from pipeline.normalize.reference import SHARES_VENUE, Fact
from pipeline.run.accounts import unsettled
from pipeline.run.feeds import normalizers
from pipeline.run.referencing import keep
from pipeline.run.renormalizing import renormalize
from pipeline.run.verifying import verify
from pipeline.units import DAY_NS

__all__ = ["live_store"]

SILENT = "ZZZZ"
"""A symbol that is asked for and never heard of."""


def by_symbol(store, manifest):
    """What reference data say, by the symbol that their number means where they stand; and the symbols there are."""
    defined, said = {}, []
    for row in rows(store, manifest, Kind.INSTRUMENT, Kind.REFERENCE):
        if "symbol" in row:
            defined[row["instrument_id"]] = row["symbol"]
        else:
            said.append((defined[row["instrument_id"]], row["field"], row["value"], row["text"], row["provider"]))
    return sorted(said), set(defined.values())


class Backwards(MassiveMessages):
    """A normaliser that meets instruments the other way round."""

    def expect(self, symbols, ts_recv_ns):
        return super().expect(symbols[::-1], ts_recv_ns)


def facts(tape):
    """Shares of each symbol served, and of the silent one: another number for each."""
    known_ns = tape.starts_ns - DAY_NS
    return [
        Fact(symbol, SHARES_VENUE, "float_shares", 1e6 * rank, "", known_ns, known_ns, "mylist")
        for rank, symbol in enumerate([SILENT, *sorted(tape.symbols.values(), reverse=True)], 1)
    ]


@pytest.mark.parametrize("made_by", [MassiveMessages, Backwards])
def test_what_is_said_of_a_company_is_said_of_it_again_whatever_its_number_is(live_store, made_by):
    with serving("massive") as served:
        keep(live_store, facts(served.tape), now_ns=served.tape.starts_ns)
        told = options(served)
        symbols = (SILENT, *sorted(told["symbols"], reverse=True))
        what = recording(vendor_of("massive", served), keeps_raw=True, **{**told, "symbols": symbols})
        running = Running(live_store, what)
        settled(running, served)
        manifest = running.end()
    again = renormalize(live_store, manifest.id, normalizers() | {"massive": made_by}, created_ns=1)
    said, defined = by_symbol(live_store, manifest)
    assert len(said) == len(symbols)
    assert defined == set(symbols)
    assert by_symbol(live_store, again) == (said, defined)
    assert {**again.kinds, "session": 0} == {
        **{k: n for k, n in manifest.kinds.items() if k in again.kinds},
        "session": 0,
    }


async def script(_):
    yield b"A 1"


def test_what_is_made_again_trades_on_no_account_and_goes_on_from_nothing(live_store):
    with Server(script) as server:
        old = Running(live_store, recording(vendor(server.url), account="mine"))
        old.until(quotes(1))
        old.session.intake.taken = None  # it dies as by a bug
        with pytest.raises(TypeError):
            old.end()
        running = Running(live_store, recording(vendor(server.url), account="mine", keeps_raw=True))
        running.until(quotes(1))
        manifest = running.end()
    assert {"account", "continues"} <= manifest.settings.keys()
    again = renormalize(live_store, manifest.id, {"words": Words}, created_ns=manifest.created_ns + 1)
    assert again.settings == {
        **{name: manifest.settings[name] for name in ("feeds", "symbols", "raw")},
        "renormalized": manifest.id,
    }
    told = {row["key"]: row["text"] for row in rows(live_store, again, Kind.SESSION)}
    assert told.keys() == {"", "seed", *again.settings}
    assert json.loads(told["renormalized"]) == manifest.id
    assert unsettled(live_store, "mine") is None
    assert verify(live_store, again.id).identical


def test_making_the_last_one_again_makes_the_same_one_again_even_when_it_is_gone(live_store):
    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url), keeps_raw=True))
        running.until(quotes(1))
        origin = running.end().id
    made = []
    for count in range(3):
        if count == 2:
            live_store.delete(origin)
        made.append(renormalize(live_store, "last", {"words": Words}, created_ns=2 * 10**18 + count))
    assert [each.id for each in made] == [f"{origin}-again", f"{origin}-again-2", f"{origin}-again-3"]
    assert [each.settings["renormalized"] for each in made] == [origin, origin, made[1].id]
    assert {each.kinds["quote"] for each in made} == {1}
