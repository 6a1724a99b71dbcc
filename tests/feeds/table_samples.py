"""Small tables for tests, and what became of their rows."""

from feed_samples import one_block

from pipeline.codes import FeedAction, Kind
from pipeline.feeds.tables import TableFile, mapping_from

BARS = "kind=bar symbol=ABC ts=time open=open high=high low=low close=close volume=volume"


def csv_file(tmp_path, *lines, name="ABC.csv"):
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def bars_csv(tmp_path, *times):
    return csv_file(tmp_path, "time,open,high,low,close,volume", *(f"{time},1,2,0.5,1.5,10" for time in times))


def bars_of(path, text=None, **options):
    return list(one_block(TableFile(path, mapping_from(text) if text else None, **options).events(), Kind.BAR).rows())


def rejections(rows):
    return [
        (row["position"], row["text"])
        for row in rows
        if row["kind"] is Kind.FEED and row["action"] == FeedAction.REJECTED
    ]
