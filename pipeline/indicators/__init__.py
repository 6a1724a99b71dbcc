"""Indicators: small folds shared by strategies, scanner and charts, all behind one interface.

    from pipeline.indicators import rsi
    from pipeline.indicators.rsi import Rsi             # a group in a strategy's State:  rsi: Rsi

    rsi.update(s.rsi, bar.close, p.length)              # the group, what is folded, the parameters
    if rsi.ready(s.rsi, p.length) and s.rsi.value > 70.0: ...

What holds for all of them: values are members, NaN before they mean something. An input that is NaN, infinite or absent
moves nothing, as if it had not come (what describes the quote in force becomes NaN with it). Parameters never change
between two updates of a group. `reset(group)` leaves the bytes of a new one. Nothing depends on the capacity of a group's
arrays, so long as the parameters fit it. Each file says where its formula and its seeding come from.
"""
