"""The scanner: which symbols are worth trading, decided from what was known, with every reason."""
