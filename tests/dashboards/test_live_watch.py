"""The watch: seconds folded as rows come are the candles that a query over the whole session makes."""

from pages_served import SESSION

from dashboards import market
from dashboards.data import Door
from dashboards.live import Watch


def test_seconds_add_up_to_the_candles_of_the_warehouse(home, writing, tmp_path):
    door = Door(tmp_path / "live")
    watch = Watch(door, writing.manifest)
    for until in (500, 501, 4_000, writing.last_seq):
        writing.write(until)
        watch.refresh()
        assert watch.inputs == until
    whole = Door(home)
    log = whole.log(SESSION)
    for number in (1, 4):
        stretch = market.Stretch(number, 0, 2**62)
        for step in (1, 60):
            made = watch.candles(number, step, 0)
            expected = market.candles(whole, log, stretch, step).rows
            for name in ("time", "high", "low", "volume"):
                assert made[name].to_pylist() == expected[name].to_pylist(), (number, step, name)
            assert (
                watch.spreads(number, 60, 0)["time"].to_pylist()
                == market.spreads(whole, log, stretch, 60)["time"].to_pylist()
            )
    assert [band.kind for band in watch.bands(1)].count("halt") == len(
        [band for band in market.interruptions(whole, log, market.Stretch(1, 0, 2**62)) if band.kind == "halt"]
    )
    fills = whole.rows("select count(*) as count from fills where run is null", [SESSION])["count"][0].as_py()
    assert len(watch.fills) == fills > 0
