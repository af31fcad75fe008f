"""Work that is stopped, and failures as one sentence."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest

from vqaudio.errors import VqaudioError

pytest.importorskip("gradio", reason="the demo needs gradio: pip install '.[demo]'", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("default")  # other people's packages warn as they like

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import gradio as gr

    from demo import work


def test_a_stop_reaches_the_visitor_and_the_kind_of_work_that_it_is_for():
    ann, bob = SimpleNamespace(session_hash="ann"), SimpleNamespace(session_hash="bob")
    jobs = [work.Job(kind, who, lambda *_, **__: None) for kind, who in (("a", ann), ("b", ann), ("a", bob))]
    with jobs[0], jobs[1], jobs[2]:
        work.stop("a")(ann)
        assert [job.stopped.is_set() for job in jobs] == [True, False, False]
        with pytest.raises(work.StoppedError):
            jobs[0].step(0.5, "anything")
        jobs[1].step(0.5, "anything")
        work.stop()(ann)
        assert [job.stopped.is_set() for job in jobs] == [True, True, False]
    assert not work._running


def test_failures_are_one_sentence():
    @work.reports_errors
    def handler(error: Exception) -> None:
        raise error

    with pytest.raises(gr.Error) as caught:
        handler(VqaudioError("What was found."))
    assert caught.value.message == "What was found."
    with pytest.raises(gr.Error) as caught:
        handler(RuntimeError("secret"))
    assert "secret" not in caught.value.message
    assert handler(work.StoppedError()) == gr.skip()


def test_what_elements_ask_is_answered_or_not_at_all():
    @work.answers
    def handler(asked: dict[str, object]) -> str:
        if asked["bad"]:
            raise VqaudioError("no")
        return "address"

    assert [handler({"bad": False}), handler({"bad": True}), handler({}), handler(None)] == ["address", "", "", ""]
