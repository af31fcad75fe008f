"""Published figures stand in one place, and every page has them from there."""

from __future__ import annotations

import json
import re

import pytest

from recipes import figures
from recipes.figures import Column, Figures, all_figures, followed, main, pages
from vqaudio import registry
from vqaudio.errors import FileError


def test_the_tables_of_all_pages_are_those_of_the_figures():
    found = all_figures()
    for path in pages():
        text = path.read_text(encoding="utf-8")
        assert followed(text, found, name=path.name) == text, "run python -m recipes.figures --write"
        assert text.count("<!-- figures: ") == len(figures.TABLE.findall(text)) == text.count("<!-- end of figures -->")


def test_every_shipped_model_has_figures_and_every_set_of_them_a_page():
    found = all_figures()
    assert set(found) >= {*registry.shipped_models(), "series-base", "benchmarks"}
    text = "\n".join(path.read_text(encoding="utf-8") for path in pages())
    shown = set(re.findall(r"<!-- figures: (\S+) (\S+) -->", text))
    for name, file in found.items():
        assert {asked for of, asked in shown if of == name} <= {*file.sets, *file.views}
        used = {file.views[asked].of if asked in file.views else asked for of, asked in shown if of == name}
        assert used == set(file.sets)


def test_every_figure_names_its_command_and_is_of_a_column():
    for file in all_figures().values():
        for one in file.sets.values():
            assert all(line.startswith(("python -m ", "python benchmarks/", "bash recipes/")) for line in one.commands)
            assert {row.command for row in one.rows} == set(range(len(one.commands)))
            assert all(row.values.keys() <= one.columns.keys() for row in one.rows)
            assert len({row.name for row in one.rows}) == len(one.rows)


@pytest.mark.parametrize(
    ("column", "cell", "shown"),
    [
        ({"decimals": 2}, 3.1, "3.10"),
        ({"decimals": 2}, (3.1, 0.095), "3.10 ± 0.10"),
        ({"unit": " %"}, (82, 73, 89), "82 % (73 to 89)"),
        ({"unit": " x", "decimals": 1}, 4.7, "4.7 x"),
        ({"separators": True}, 520174, "520,174"),
        ({"separators": True}, None, ""),
        ({}, "2.8 to 4.1 %", "2.8 to 4.1 %"),
    ],
)
def test_cells_are_written_as_their_column_says(column, cell, shown):
    assert Column(title="x", **column).shown(cell) == shown


SMALL = {
    "sets": {
        "size": {
            "commands": ["python -m x"],
            "title": "what",
            "columns": {"mb": {"title": "MB", "decimals": 1}, "kg": {"title": "kg"}},
            "rows": [{"name": "a", "values": {"mb": 2.5}}, {"name": "b", "values": {"mb": [3, 0.5], "kg": 7}}],
        }
    },
    "views": {"few": {"of": "size", "columns": ["kg"], "rows": ["b"]}},
}


def test_a_page_gets_a_set_or_a_view_of_it():
    found = {"m": Figures.model_validate(SMALL)}
    end = "<!-- end of figures -->"
    page = f"One\n<!-- figures: m size -->\nold\n{end}\nTwo\n<!-- figures: m few -->\n{end}"
    made = followed(page, found)
    assert made.splitlines() == [
        "One",
        "<!-- figures: m size -->",
        "| what |        MB | kg |",
        "|------|----------:|---:|",
        "| a    |       2.5 |    |",
        "| b    | 3.0 ± 0.5 |  7 |",
        "<!-- end of figures -->",
        "Two",
        "<!-- figures: m few -->",
        "| what | kg |",
        "|------|---:|",
        "| b    |  7 |",
        "<!-- end of figures -->",
    ]
    assert followed(made, found) == made
    for asked in ("m none", "none size"):
        with pytest.raises(FileError, match=rf"page.md: asks for figures {asked}, and there is no none"):
            followed(f"<!-- figures: {asked} -->\n<!-- end of figures -->", found, name="page.md")


def test_pages_that_differ_are_told_and_written(tmp_path, monkeypatch, capsys):
    (tmp_path / "legacy").mkdir()
    (tmp_path / "legacy" / "m.figures.json").write_text(json.dumps(SMALL))
    page = tmp_path / "README.md"
    page.write_text("<!-- figures: m few -->\n| b | 8 |\n<!-- end of figures -->\n")
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    assert main(["--check"]) == 1
    assert "error: README.md: tables are not those of the figures" in capsys.readouterr().err
    assert main(["--write"]) == 0
    assert "| b    |  7 |" in page.read_text()
    assert main(["--check"]) == 0
    (tmp_path / "legacy" / "m.figures.json").write_text(json.dumps(SMALL | {"sets": {}, "more": 1}))
    assert main(["--check"]) == 1
    assert "m.figures.json: more: Extra inputs are not permitted" in capsys.readouterr().err
