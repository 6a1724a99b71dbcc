"""Preparing: a DuckDB that has nothing yet but what views call."""

from collections.abc import Iterable

import duckdb

from warehouse.macros import SHARED
from warehouse.views import LAYERS


def prepared(settings: Iterable[str] = ()) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB, set as told, with macros and schemas, in a transaction: each statement alone takes longer."""
    connection = duckdb.connect(":memory:")
    for setting in settings:
        connection.execute(setting)
    connection.execute("set timezone = 'UTC'; begin")
    for statement in (
        *SHARED,
        *(f"create schema {schema}" for schema in (*LAYERS.values(), "kept") if schema != "main"),
    ):
        connection.execute(statement)
    return connection
