"""Benchmarks: figures against a limit measured in the same run. `just bench`, or `just bench append replay`."""
