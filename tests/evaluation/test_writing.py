"""Tables, templates and JSON of reports."""

import json
import math

import jinja2
import pytest

from vqaudio.evaluation.conversion import Estimate
from vqaudio.evaluation.writing import markdown, number, render, share, write_json, write_text


def test_tables_are_aligned_the_first_column_to_the_left():
    assert markdown(["name", "kb/s"], [["a", "12.25"], ["longer", "3.00"]]).splitlines() == [
        "| name   |  kb/s |",
        "|--------|------:|",
        "| a      | 12.25 |",
        "| longer |  3.00 |",
    ]


def test_what_is_missing_leaves_its_cell_empty():
    assert [number(value, 2) for value in (1.0, 0.126, math.nan, None)] == ["1.00", "0.13", "", ""]
    assert [share(0.126), share(0.126, 1), share(None)] == ["13%", "12.6%", ""]


def test_templates_escape_html_and_miss_nothing(tmp_path):
    page, report = tmp_path / "page.html.jinja", tmp_path / "report.md.jinja"
    for path in (page, report):
        path.write_text("{% if yes %}\n{{ name }} {{ 0.5|share }} {{ 2|twice }}\n{% endif %}\n")
    facts = {"yes": True, "name": "a < b", "filters": {"twice": lambda value: str(2 * value)}}
    assert render(page, **facts) == "a &lt; b 50% 4\n"
    assert render(report, **facts) == "a < b 50% 4\n"
    with pytest.raises(jinja2.UndefinedError, match="'name' is undefined"):
        render(report, yes=True, filters=facts["filters"])


def test_json_has_null_for_nan_and_the_fields_of_dataclasses(tmp_path):
    write_json(tmp_path / "x.json", {"all": [Estimate(1 / 3, math.nan, 0.25), 7, True, "é"], 1: None}, decimals=2)
    assert json.loads((tmp_path / "x.json").read_text()) == {
        "all": [{"mean": 0.33, "low": None, "high": 0.25}, 7, True, "é"],
        "1": None,
    }
    write_text(tmp_path / "x.md", "two\nlines\n\n")
    assert (tmp_path / "x.md").read_bytes() == b"two\nlines\n"
