"""Pages that are made, not written: those at the top of the checkout, and one of the API for each room.

A hook of mkdocs; ``mkdocs.yml`` names it.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "vqaudio"
TOP = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "README.md": "readme.md"}
"""Files of the checkout, and the pages that show them."""
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the rooms to the navigation."""
    for entry in config.nav or []:
        if "API" in entry:
            rooms = [{room: f"reference/{room}.md"} for room in rooms_of_package()]
            entry["API"] = [{"vqaudio": entry["API"]}, *rooms]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for name, page in TOP.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    files.append(File.generated(config, "reference/index.md", content=front_door()))
    for room, modules in rooms_of_package().items():
        files.append(File.generated(config, f"reference/{room}.md", content=page_of(room, modules)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files of the checkout lead to the page that shows them; those to other files are names only."""
    here = next((name for name, target in TOP.items() if target == page.file.src_uri), f"docs/{page.file.src_uri}")

    def led(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(here), link[1]))
        if target in TOP:
            return TOP[target] + (link[2] or "")
        return link[0] if not target.startswith("docs/") else target.removeprefix("docs/") + (link[2] or "")

    if page.file.src_uri.startswith("reference/"):
        return markdown
    markdown = LINK.sub(led, markdown)
    known = {file.src_uri for file in files}
    missing = {link[1] for link in LINK.finditer(markdown)} - known
    outside = {target for target in missing if (ROOT / posixpath.dirname(here) / target).exists()}
    return re.sub(
        r"(?<!!)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)",
        lambda link: link[1] if link[2] in outside else link[0],
        markdown,
    )


def rooms_of_package() -> dict[str, list[str]]:
    """The dotted names of all modules by the room that they are in; the package itself is no room here."""
    rooms: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if not parts[-1].startswith("__") or len(parts) > 1:
            name = ".".join(("vqaudio", *parts)).removesuffix(".__init__")
            rooms.setdefault(parts[0], []).append(name)
    return rooms


def page_of(room: str, modules: list[str]) -> str:
    """The page of a room: each module, with all that is public in it."""
    return f"# {room}\n\n" + "\n\n".join(f"::: {module}" for module in modules) + "\n"


def front_door() -> str:
    """The page of what ``import vqaudio`` offers, each name with the first line of its docstring."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    rows = "\n".join(f"| [`vqaudio.{name}`][{target}] | {summary(target)} |" for name, target in offered(tree))
    options = "    options:\n      members: false\n      show_root_heading: false\n"
    return f"# vqaudio\n\n::: vqaudio\n{options}\n| | |\n|---|---|\n{rows}\n"


def offered(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that the package imports for its users, with the dotted names of what they are."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If):
            for inner in node.body:
                if isinstance(inner, ast.ImportFrom) and str(inner.module).startswith("vqaudio"):
                    yield from ((alias.asname or alias.name, f"{inner.module}.{alias.name}") for alias in inner.names)


def summary(target: str) -> str:
    """The first line of the docstring of something in the package."""
    module, _, name = target.rpartition(".")
    path = ROOT.joinpath(*module.split("."))
    text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return re.sub(r":\w+:`[~]?([^`]+)`", r"`\1`", (ast.get_docstring(node) or "").splitlines()[0])
    raise ValueError(f"vqaudio/__init__.py offers {target}, which is not defined there")
