"""The warehouse: select statements over the tape, loaded in folder order into an in-memory DuckDB.

Nobody owns a database file. Sealed rows are read as Parquet through pyarrow with their page checksums verified,
rows not sealed yet as Arrow from verified journal frames; `warehouse/*.sql` turn them into views whose names are
the files' names: staging renames and converts units, intermediate joins, marts answer.
"""

from warehouse.connection import connect
from warehouse.views import named_in

__all__ = ["connect", "named_in"]
