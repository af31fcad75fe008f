"""Nothing from elsewhere: addresses in place of files."""

from __future__ import annotations

import asyncio
import json
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


def test_a_full_queue_is_told_in_our_words():
    """Whatever Gradio says with status 503; other answers pass as they are."""

    async def answered(status: int) -> list[dict[str, object]]:
        sent = []

        async def send(message):
            sent.append(message)

        told = guard.in_own_words(send)
        await told({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
        await told({"type": "http.response.body", "body": b"{}"})
        return sent

    start, body = asyncio.run(answered(503))
    assert json.loads(body["body"]) == {"detail": guard.FULL, "error": guard.FULL}
    assert (b"content-length", str(len(body["body"])).encode()) in start["headers"]
    assert asyncio.run(answered(200))[1]["body"] == b"{}"
