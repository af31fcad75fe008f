"""Nothing from elsewhere: callers give files, not addresses for the server to fetch; the page loads only from here.

Gradio itself takes no path outside the upload folder. It would fetch a public address that stands where an upload's
path belongs, and serve one through ``/file=``; a demo that anyone may reach should not be sent around the net.
"""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FULL = "Too many people are waiting here already: try again in a minute"
REFUSAL = "an address was given in place of a file: upload the file itself"
_ADDRESS = re.compile(r"\s*[a-z][a-z0-9+.-]*:/", re.IGNORECASE)
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'"
)


class Guard:
    """ASGI middleware around Gradio's application."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 to a request that names an address; add a content security policy to every other answer."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = Request(scope, receive)
        _, marked, wanted = request.url.path.partition("file=")
        refused = bool(marked and _ADDRESS.match(wanted))
        if request.method == "POST" and "json" in request.headers.get("content-type", ""):
            body = await request.body()
            refused = refused or names_address(_parsed(body))
            receive = _replay(body, receive)
        if refused:
            return await JSONResponse({"detail": REFUSAL, "error": REFUSAL}, 403)(scope, receive, send)

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = _POLICY
            await send(message)

        if request.url.path.endswith("/queue/join"):
            return await self.app(scope, receive, in_own_words(with_policy))
        return await self.app(scope, receive, with_policy)


def in_own_words(send: Send) -> Send:
    """What Gradio says where its queue is full (503) as a sentence of ours."""
    body = json.dumps({"detail": FULL, "error": FULL}).encode()
    full = False

    async def told(message: Message) -> None:
        nonlocal full
        if message["type"] == "http.response.start" and message["status"] == 503:
            full = True
            MutableHeaders(scope=message)["content-length"] = str(len(body))
        elif full and message["type"] == "http.response.body":
            message = {"type": "http.response.body", "body": body}
        await send(message)

    return told


def names_address(value: Any) -> bool:
    """Whether a file in a request's JSON, at any depth, is an address."""
    if isinstance(value, dict):
        path = value.get("path")
        found = isinstance(path, str) and _ADDRESS.match(path) is not None
        return found or any(map(names_address, value.values()))
    return isinstance(value, list) and any(map(names_address, value))


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # Gradio answers that itself
        return None


def _replay(body: bytes, receive: Receive) -> Receive:
    """The request once more for who comes next: its body, then whatever follows."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
