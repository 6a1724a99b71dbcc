"""Kinds of securities, as their symbols spell them: what nobody else tells before the first trade of a new warrant."""

from typing import Final

from pipeline.codes import AssetClass

_NASDAQ_FIFTH: Final = {"W": "warrant", "R": "right", "U": "unit"}
_SUFFIXES: Final = {
    "WS": "warrant",
    "WT": "warrant",
    "W": "warrant",
    "RT": "right",
    "R": "right",
    "U": "unit",
    "UN": "unit",
}
"""NYSE and American, behind a dot, a slash, a blank or, in CQS, a plus."""


def spelled_kind(symbol: str, asset_class: int) -> str:
    """Kind of a share by its class and its symbol: Nasdaq's fifth letter, or the suffix; '' for what is no share.

    >>> spelled_kind("ABCDW", 1)
    'warrant'
    """
    if asset_class == AssetClass.ETF:
        return "etf"
    if asset_class != AssetClass.EQUITY:
        return ""
    root, dot, suffix = symbol.replace("/", ".").replace(" ", ".").replace("+", ".WS").partition(".")
    if dot:
        return _SUFFIXES.get(suffix.partition(".")[0], "preferred" if suffix.startswith("P") else "common")
    return _NASDAQ_FIFTH.get(root[4], "common") if len(root) == 5 else "common"
