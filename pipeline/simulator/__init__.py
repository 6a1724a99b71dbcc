"""Generated days, and later the exchange that serves them over the vendors' protocols."""
