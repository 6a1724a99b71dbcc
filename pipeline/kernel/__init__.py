"""The kernel: the reducer's own lines and a strategy's handlers, compiled into one loop over columns."""
