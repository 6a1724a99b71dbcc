"""Preparing: a DuckDB that has nothing yet but what views call."""

import duckdb

from warehouse.macros import SHARED
from warehouse.views import LAYERS


def prepared() -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with macros and schemas, in a transaction: each statement alone takes longer."""
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'; begin")
    for statement in (
        *SHARED,
        *(f"create schema {schema}" for schema in (*LAYERS.values(), "kept") if schema != "main"),
    ):
        connection.execute(statement)
    return connection
