"""Sandbox: where SQL that people type is answered, in a process of its own that can read the tape and do nothing else.

`asking.Sandbox` is what a page uses. The worker imports this package before it has closed itself: nothing is imported here.
"""
