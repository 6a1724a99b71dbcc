"""The reducer: facts in, decisions out. No clock, no chance, no I/O.

strategy, params, state, record, market, context, verbs, dialect   what a strategy is written with
chunk -> engine -> step -> cells                                   an input becomes handler calls
bars, venue, orders, portfolio, instrument                         the folds between input and handler
arbitration, sizing, risk, desk                                    from a wish to an order
tape, hashing, settings, world, tables, snapshot                   what is written, hashed, configured, shared, kept
"""
