"""The warehouse: select statements over the tape, loaded in folder order into an in-memory DuckDB.

Nobody owns a database file. Sealed rows are read as Parquet from files whose hashes were compared when one connected,
rows not sealed yet as Arrow from verified journal frames; `warehouse/*.sql` turn them into views whose names are
the files' names: staging renames and converts units, intermediate joins, marts answer. Slow answers are worked out log
by log and kept for those that never change any more.
"""

from warehouse.connection import connect
from warehouse.views import named_in

__all__ = ["connect", "named_in"]
