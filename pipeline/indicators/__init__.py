"""Indicators: small groups with an update function each, shared by strategies, scanner and charts.

The interface: `update(group, value, ...)` folds one more value, `ready(group, ...)` says whether the value means
something yet. The value itself is a member of the group; it is NaN before the first update.
"""
