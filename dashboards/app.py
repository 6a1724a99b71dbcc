"""The frame around all pages, and the router."""

from pathlib import Path

import streamlit as st

from dashboards.controls import saying

_ABOUT = (
    "Tapeworks. Charts are drawn with [Lightweight Charts](https://www.tradingview.com/) of TradingView, Apache-2.0."
)

st.set_page_config(
    page_title="Tapeworks",
    page_icon=str(Path(__file__).with_name("static") / "icon.svg"),
    layout="wide",
    menu_items={"About": _ABOUT},
)
page = st.navigation(
    [
        st.Page(
            "app_pages/sessions.py", title="Sessions", icon=":material/folder_open:", url_path="first", default=True
        ),
        st.Page("app_pages/sessions.py", title="Sessions", url_path="sessions", visibility="hidden"),
        st.Page("app_pages/live.py", title="Live", icon=":material/sensors:", url_path="live"),
        st.Page("app_pages/scanner.py", title="Scanner", icon=":material/filter_alt:", url_path="scanner"),
        st.Page("app_pages/trades.py", title="Trades", icon=":material/candlestick_chart:", url_path="trades"),
        st.Page("app_pages/replay.py", title="Replay", icon=":material/play_circle:", url_path="replay"),
        st.Page("app_pages/performance.py", title="Performance", icon=":material/show_chart:", url_path="performance"),
        st.Page("app_pages/execution.py", title="Execution", icon=":material/bolt:", url_path="execution"),
        st.Page("app_pages/montecarlo.py", title="Monte Carlo", icon=":material/casino:", url_path="montecarlo"),
        st.Page("app_pages/compare.py", title="Compare", icon=":material/compare_arrows:", url_path="compare"),
        st.Page("app_pages/sql.py", title="SQL", icon=":material/terminal:", url_path="sql"),
    ],
    position="top",
)
saying(page.run)()
