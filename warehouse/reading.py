"""Reading: how DuckDB comes by the rows of sealed files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb


@dataclass(frozen=True, slots=True)
class Reading:
    """How answers are worked out: who opens the files, and what every DuckDB that is made for it is set to."""

    through_arrow: bool = False
    """Arrow opens the files and checks the CRC of every page as it is read; DuckDB may then be denied all files."""
    settings: tuple[str, ...] = ()

    def rows_of(self, connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]) -> str:
        """A statement that reads Parquet files of one schema. `name`, with the schema that is set, is one it may give them."""
        if not self.through_arrow:
            return _parquet_of(files)
        connection.from_arrow(_dataset(files)).create_view(name.rpartition(".")[2])
        return f"from {name}"


PLAIN: Final = Reading()
"""DuckDB reads the files itself, several times as fast."""


def _parquet_of(files: Iterable[Path]) -> str:
    texts = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
    return f"from read_parquet([{texts}], hive_partitioning = false)"


def _dataset(files: Iterable[Path]) -> object:
    import pyarrow.dataset as ds  # noqa: PLC0415 - takes a fifth of a second, and is seldom wanted

    checked = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    return ds.dataset([str(path) for path in files], format=ds.ParquetFileFormat(default_fragment_scan_options=checked))
