"""Sale conditions in a table of prints."""

from feed_samples import one_block, rows_of
from table_samples import csv_file, rejections

from pipeline.codes import Kind, Mark
from pipeline.feeds.tables import TableFile, mapping_from

PRINTS = "kind=print symbol=ABC asset=equity ts=sip_timestamp unit=ns price=price size=size conditions=conditions"
HEADER = "conditions,price,sip_timestamp,size"
NOON_NS = 1_751_385_600_000_000_000  # 2025-07-01 12:00 in New York


def test_conditions_become_bits_and_marks(tmp_path):
    path = csv_file(tmp_path, HEADER, *(f'"{text}",10.5,{NOON_NS},7' for text in ("", "14,37", "15", "12")))
    block = one_block(TableFile(path, mapping_from(PRINTS)).events(), Kind.PRINT)
    volume = int(Mark.NO_LAST | Mark.NO_HIGH_LOW)
    assert block.number("conditions").tolist() == [0, 1 << 14 | 1 << 37, 1 << 15, 1 << 12]
    assert block.number("marks").tolist() == [0, volume, volume | int(Mark.NO_VOLUME), volume]


def test_a_condition_that_is_none_refuses_its_row_only(tmp_path):
    lines = [f"@F,10,{NOON_NS},1", f"@%,10,{NOON_NS},1", f"@ I,10,{NOON_NS},1"]
    path = csv_file(tmp_path, HEADER, *lines)
    rows = rows_of(TableFile(path, mapping_from(f"{PRINTS} condition_codes=utp")).events())
    assert [row["marks"] for row in rows if row["kind"] is Kind.PRINT] == [0, int(Mark.NO_LAST | Mark.NO_HIGH_LOW)]
    ((position, text),) = rejections(rows)
    assert position == 2
    assert text.startswith("conditions: condition '%' is unknown; accepted are ")
