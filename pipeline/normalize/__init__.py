"""Their message in, our events out: pure functions, one file a vendor, no clock and no I/O."""
