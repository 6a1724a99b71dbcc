"""The dashboards: what people would rather look at than read, over the store of this machine.

`app` is the frame and the router; a page is a file in `app_pages`, which reads as a description of the page. What a page
shows comes through `data`, the only door to the store: statements over the warehouse's answers, and what `pipeline` works out
of them; a page computes nothing of its own. `figures` are the statements that make few points of many rows, `charts` draws
them over time with lightweight-charts, `diagrams` over anything else with ECharts, `tables` shows rows with one look for all. Words of strangers go through `words`, and none is
ever markup. `serving` is the server, which answers this machine alone unless a password is set; `keeping` works
slow answers over finished sessions out before anybody asks.
"""
