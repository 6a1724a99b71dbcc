"""What the log adds up to: statistics, Monte Carlo, reports."""
