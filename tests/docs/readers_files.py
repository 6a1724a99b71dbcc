"""The files that pages speak of and that their reader has: small ones of the same form."""

import gzip
import json
import re
import sys
from pathlib import Path

from page_commands import ROOT

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))
from history_server import header, trades, zstd

from pipeline.units import MINUTE_NS, NANO

START_NS = 1_793_779_200 * NANO
MINUTES = [f"2026-11-04 09:{minute}:00" for minute in range(30, 50)]


def lay_out(folder):
    """Write all of them."""
    texts = {
        "mine.py": _strategy(),
        "mine.toml": _scanner(),
        "closes.csv": _block("scanners.md", "symbol,prev_close"),
        "floats.csv": "symbol,float\nABCD,4.2M\nWXYZ,12M\n",
        "old.csv": "symbol,float\nABCD,4.1M\n",
        "picks.csv": "date,symbol,time,score\n2026-11-20,ABCD,08:12,3\n2026-11-20,WXYZ,08:40,1\n",
        "bars.csv": _table("time,o,h,l,c,v"),
        "other.csv": _table("timestamp,open,high,low,close,volume"),
        "gaps.txt": "150\n-300\n",
        "query.sql": "select symbol, count(*) from fills group by all\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "day.dbn.zst").write_bytes(_records())
    (folder / "btcusdt.gz").write_bytes(gzip.compress(_frames()))


def _strategy():
    """One of the reader's own: a copy, as the README says, for the hours of the generated day."""
    text = (ROOT / "strategies" / "opening_range.py").read_text()
    return re.sub(r"(open_minute: int = param\(\s*)\d+", r"\g<1>480", text).replace('"opening_range"', '"mine"')


def _scanner():
    """The definition of the page, with what it says is otherwise where it is tried."""
    text = _block("scanners.md", 'name = "mine"')
    text = text.replace('["last", "pm_high", "float_rotation"]', '["last", "volume", "float"]').replace(
        '"09:30"', '"16:00"'
    )
    start, first, *_, last = re.split(r"(?=\[\[)", text)
    return start + first + last


def _block(page, first):
    """The indented lines of a page from this one to the end of its block, blank lines in it included."""
    text = (ROOT / "docs" / page).read_text()
    lines = text[text.index(f"    {first}") :].splitlines()
    end = next(number for number, line in enumerate(lines) if line and not line.startswith("    "))
    block = "\n".join(line[4:] for line in lines[:end]) + "\n"
    return block[: block.index("tape ")] if "tape " in block else block


def _table(columns):
    return "\n".join([columns, *(f"{minute},10.1,10.4,10.0,10.2,1500" for minute in MINUTES)]) + "\n"


def _records():
    """DBN: a minute of trades."""
    rows = trades("ABCD", 7, START_NS, 60)
    form = {
        "dataset": "XNAS.ITCH",
        "schema": "trades",
        "symbols": "ABCD",
        "start": str(START_NS),
        "end": str(START_NS + MINUTE_NS),
    }
    return zstd(header(form, rows) + b"".join(row.record for row in rows))


def _frames():
    """A capture as hftbacktest writes it."""
    ticker = {
        "stream": "btcusdt@bookTicker",
        "data": {"u": 1, "s": "BTCUSDT", "b": "1.5", "B": "2", "a": "1.6", "A": "3"},
    }
    lines = (f"{START_NS + number * 1_000_000} {json.dumps(ticker)}\n" for number in range(60))
    return "".join(lines).encode()
