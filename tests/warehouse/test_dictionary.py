"""The data dictionary: every column of every answer is told, as the views have it over a day that has rows."""

import re
from pathlib import Path

import pytest

from warehouse import connect
from warehouse.dictionary import dictionary_page, entries

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data_dictionary.md"


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.view.name)
def test_every_column_says_what_it_is(entry):
    assert [column.name for column in entry.columns if not column.text] == []


def test_the_page_has_the_columns_and_types_of_the_views_over_real_rows(generated):
    """Not of those over an empty store, from which it is written."""
    connection = connect(generated)
    told = {}
    for chapter in PAGE.read_text().split("\n## ")[1:]:
        name = chapter.partition("\n")[0]
        told[name] = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", chapter, re.MULTILINE)
    for entry in entries():
        found = connection.sql(f"describe {entry.view.name}").fetchall()
        assert told.pop(entry.view.name) == [(name, type_.lower()) for name, type_, *_ in found], entry.view.name
    assert told == {}


def test_a_piece_of_a_header_goes_on_with_what_stands_before_it_or_is_of_the_whole():
    trades = next(entry for entry in entries() if entry.view.name == "trades")
    texts = {column.name: column.text for column in trades.columns}
    assert texts["mfe"].endswith("the bid of a long, the offer of a short; before fees")
    assert trades.remarks[0].startswith("money and prices: quote currency; quantities: shares")
    assert "Money and prices: quote currency; quantities: shares" in dictionary_page()
