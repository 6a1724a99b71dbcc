"""Real brokers: orders out, what became of them in, and nothing believed twice."""
