"""Mutants: each safety rule taken out of a copy of the code, one at a time; the tests that stand beside it must fail then.

A rule that nobody misses is not held by any test.
"""
