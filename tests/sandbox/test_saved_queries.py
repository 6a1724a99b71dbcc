"""Saved statements: plain files under checked names."""

import pytest

from pipeline.errors import ConfigError, NotFoundError
from pipeline.sandbox.saved import CHARS_MAX, SavedQueries


def test_a_statement_is_saved_read_replaced_and_forgotten(tmp_path):
    saved = SavedQueries(tmp_path)
    assert saved.names() == []
    saved.save("my-trades", "select *\r\nfrom trades -- é\n")
    saved.save("a_first", "from fills")
    assert saved.names() == ["a_first", "my-trades"]
    assert saved.read("my-trades") == "select *\r\nfrom trades -- é\n"
    saved.save("my-trades", "from orders")
    assert (tmp_path / "queries" / "my-trades.sql").read_text() == "from orders"
    saved.delete("my-trades")
    assert saved.names() == ["a_first"]
    assert [path.name for path in (tmp_path / "queries").iterdir()] == ["a_first.sql"]
    with pytest.raises(NotFoundError, match="did you mean a_first"):
        saved.read("a_frist")
    with pytest.raises(NotFoundError):
        saved.delete("my-trades")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        "a\0",
        "A",
        "é",
        "a b",
        "-a",
        "_a",
        "a.sql",
        "a\n",
        "x" * 65,
        "\u202ea",
        "a\\b",
    ],
)
def test_a_name_is_no_path(tmp_path, name):
    saved = SavedQueries(tmp_path)
    for action in (saved.read, saved.delete, lambda name: saved.save(name, "select 1")):
        with pytest.raises(ConfigError, match="is no name of a query"):
            action(name)
    assert not list(tmp_path.iterdir())


def test_what_is_no_statement_is_neither_kept_nor_read(tmp_path):
    saved = SavedQueries(tmp_path)
    for wrong in ("x" * (CHARS_MAX + 1), "\ud800"):
        with pytest.raises(ConfigError):
            saved.save("wrong", wrong)
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "queries"
    folder.mkdir()
    (folder / "link.sql").symlink_to(tmp_path / "secret")
    (folder / "bytes.sql").write_bytes(b"\xff\xfe")
    (folder / "long.sql").write_text("x" * (CHARS_MAX + 1))
    (folder / "Not A Name.sql").write_text("select 1")
    assert saved.names() == ["bytes", "long"]
    for name in ("link", "bytes", "long"):
        with pytest.raises(NotFoundError, match=name):
            saved.read(name)
