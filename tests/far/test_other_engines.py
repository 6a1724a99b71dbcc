"""Sealed parts are Parquet for anybody."""

import datafusion
import duckdb
import polars as pl

from warehouse import connect, named_in

ID = "generated-3"


def test_other_engines_read_sealed_parts(recorded):
    pattern = str(recorded.folder(ID) / "events" / "kind=quote" / "*.parquet")
    asked = "select count(*), sum(bid_nano), max(seq) from quotes"
    (row,) = connect(recorded.home, [ID], asked=named_in(asked)).sql(asked).fetchall()
    (plain,) = duckdb.sql(f"select count(*), sum(bid_nano), max(seq) from '{pattern}'").fetchall()
    assert plain == row
    frame = pl.scan_parquet(pattern, hive_partitioning=False)
    assert (
        frame.select(pl.len(), pl.col("bid_nano").cast(pl.Int128).sum(), pl.col("seq").max()).collect().row(0) == plain
    )
    context = datafusion.SessionContext()
    context.register_parquet("quotes", str(recorded.folder(ID) / "events" / "kind=quote"))
    found = context.sql(
        "select count(*) as n, sum(cast(bid_nano as decimal(38, 0))) as s, max(seq) as m from quotes"
    ).to_pylist()
    assert tuple(int(value) for value in found[0].values()) == plain
