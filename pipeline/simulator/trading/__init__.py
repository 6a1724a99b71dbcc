"""The other side of execution: brokers' books, the words they are asked in, and what goes wrong on the way."""
