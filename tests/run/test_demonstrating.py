"""The demo, whole: a market in another process, recorded live, proved identical, added up, on a page."""

import json

from click.testing import CliRunner

from pipeline.cli import main
from pipeline.log.store import Store
from pipeline.run.demonstrating import DAY


def test_the_demo_records_a_market_of_its_own_and_proves_it_identical(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["--home", "data", "demo", "--json", "--quotes", "1000"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output.splitlines()[-1])
    live = found["live"]
    assert live["session"] == f"{DAY}-massive"
    assert live["verify"]["identical"]
    assert found["verify"]["identical"]
    assert found["sound"]
    manifest = Store(tmp_path / "data").manifest(live["session"])
    assert (
        min(manifest.kinds[name] for name in ("quote", "print", "candidate", "universe", "intent", "order", "fill"))
        > 20
    )
    assert manifest.kinds["feed"] > 10, "the feed was lost, and came back"
    page = (tmp_path / found["report"]).read_text()
    assert "<html" in page
    assert found["outcome"]["paths"] == 10_000
