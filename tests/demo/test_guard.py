"""Nothing from elsewhere: addresses in place of files."""

from __future__ import annotations

import warnings

import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install '.[demo]'", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("default")  # other people's packages warn as they like

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from demo import guard


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        ({"path": "https://example.com/a.wav"}, True),
        ({"data": [1, {"path": " HTTP://example.com/a.wav", "meta": {}}]}, True),
        ({"data": [[{"a": {"path": "ftp://example.com"}}]]}, True),
        ({"data": [{"path": "/tmp/a.wav", "url": "http://127.0.0.1/file=/tmp/a.wav"}]}, False),
        ({"path": 3}, False),
        ("https://example.com", False),
        (None, False),
    ],
)
def test_addresses_in_place_of_files_are_found(value, refused):
    assert guard.names_address(value) == refused
