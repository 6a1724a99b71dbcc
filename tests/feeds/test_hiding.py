import base64
from urllib.parse import quote

import pytest

from pipeline.feeds.hiding import hidden

KEY = "Pk/1+se\ncret="


@pytest.mark.parametrize(
    "said", [KEY, quote(KEY, safe=""), repr(KEY), str(KEY.encode()), base64.b64encode(f"{KEY}:".encode()).decode()]
)
def test_a_key_is_hidden_however_it_is_written(said):
    text = hidden(f"HTTP 401: {said}, and {said} again", [b"other", KEY.encode()])
    assert said.strip("b'") not in text
    assert "cret" not in text
    assert text.startswith("HTTP 401: ")
    assert text.endswith(" again")


def test_what_holds_no_secret_stays_as_it_is():
    assert hidden("HTTP status 500", [b"key", b""]) == "HTTP status 500"
