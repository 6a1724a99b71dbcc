"""Theme: the house style, dark and light, as the server's options. Charts take their colours from the same table.

Dense and calm: small type, thin borders, grey for what is always there; colour only for what differs: a gain, a loss, a
halt, a hole. Which of the two is shown goes by the browser, or by the menu of the page.
"""

from typing import Any, Final

_FONT: Final = "'Source Sans', 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"
_CODE: Final = "'Source Code Pro', 'DejaVu Sans Mono', monospace"

_SHAPE: Final = {
    "font": _FONT,
    "headingFont": _FONT,
    "codeFont": _CODE,
    "baseFontSize": 14,
    "codeFontSize": "12px",
    "headingFontSizes": ["20px", "16px", "14px", "13px", "12px", "12px"],
    "headingFontWeights": [600, 600, 600, 600, 600, 600],
    "metricValueFontSize": "20px",
    "metricValueFontWeight": 500,
    "baseRadius": "4px",
    "buttonRadius": "4px",
    "paddingTop": "0.8rem",
    "paddingBottom": "1.5rem",
    "showWidgetBorder": True,
}
_LIGHT: Final = {
    "primaryColor": "#1f5fbf",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f4f5f7",
    "textColor": "#1d232b",
    "borderColor": "#d9dde3",
    "dataframeBorderColor": "#e6e9ee",
    "dataframeHeaderBackgroundColor": "#f4f5f7",
    "dataframeHeaderTextColor": "#5b6573",
    "greenColor": "#0a7f5a",
    "redColor": "#c2362f",
    "greenTextColor": "#0a7f5a",
    "redTextColor": "#c2362f",
}
_DARK: Final = {
    "primaryColor": "#6ea8fe",
    "backgroundColor": "#0f1318",
    "secondaryBackgroundColor": "#171d24",
    "textColor": "#d5dbe3",
    "borderColor": "#2a323c",
    "dataframeBorderColor": "#222a33",
    "dataframeHeaderBackgroundColor": "#171d24",
    "dataframeHeaderTextColor": "#8d98a7",
    "greenColor": "#34b98a",
    "redColor": "#f06a62",
    "greenTextColor": "#34b98a",
    "redTextColor": "#f06a62",
}


def options() -> dict[str, Any]:
    """The theme by the names of the server's options."""
    shape = {f"theme.{name}": value for name, value in _SHAPE.items()}
    colours = {"light": _LIGHT, "dark": _DARK}
    return shape | {f"theme.{side}.{name}": value for side, told in colours.items() for name, value in told.items()}
