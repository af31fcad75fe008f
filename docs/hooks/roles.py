"""Roles in docstrings (``:class:`Name```) become links; what means nothing, or breaks the form, is a warning.

An extension of griffe, which reads the docstrings; ``mkdocs.yml`` names it, and ``mkdocs build --strict`` fails then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import griffe
from mkdocs.plugins import get_plugin_logger

logger = get_plugin_logger(__name__)
ROLE = re.compile(r":(?:class|meth|func|mod|attr|data|exc):`(~?)([\w.]+)`")
SEVERAL = re.compile(r"^( +)(\w+(?:, \w+)+): (.+(?:\n\1 +\S.*)*)", re.MULTILINE)
"""An item of a section that describes several parameters at once."""
RAISES = re.compile(r"^Raises:\n((?:(?: .*)?(?:\n|\Z))+)", re.MULTILINE)
EXAMPLE = re.compile(r"^>>> .*(?:\n.*\S.*)*", re.MULTILINE)
ITEM = re.compile(r"^    (?=\S)(?!(?:\w+, )*[\w.]+: )", re.MULTILINE)
"""Within ``Raises:``, a line that should name exceptions and does not."""
FULL = "vqaudio."


class Roles(griffe.Extension):
    """Edits docstrings once the package is loaded."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Link all roles in a package."""
        every = list(objects_in(pkg))
        names: dict[str, list[str]] = {}
        for obj in every:
            if obj.is_class or obj.is_function:
                names.setdefault(obj.name, []).append(obj.path)
        self._alone = {name: paths[0] for name, paths in names.items() if len(paths) == 1}
        for obj in every:
            if obj.docstring is None or any(part.startswith("_") for part in obj.path.split(".")):
                continue
            text = obj.docstring.value
            for section in RAISES.finditer(text):
                if wrong := ITEM.search(section[1]):
                    logger.warning("%s: no exception is named by %r", obj.path, section[1][wrong.start() :][:40])
            text = ROLE.sub(lambda role, obj=obj: self._linked(role, obj, pkg), text)
            text = EXAMPLE.sub(lambda example: f"```pycon\n{example[0]}\n```", text)
            text = SEVERAL.sub(
                lambda item: "\n".join(f"{item[1]}{one}: {item[3]}" for one in item[2].split(", ")), text
            )
            obj.docstring.value = re.sub(r"(?m)^::\n|(?<=\S)::$", lambda mark: "" if "\n" in mark[0] else ":", text)

    def _linked(self, role: re.Match[str], obj: griffe.Object, package: griffe.Module) -> str:
        """What stands for a role in Markdown: a link, or the name alone where it is private or another package's."""
        short, name = role.groups()
        shown = f"`{name.rpartition('.')[2] if short else name}`"
        target = self._target(name, obj, package)
        if target is None:
            logger.warning("%s: %s means nothing here", obj.path, role[0])
        private = target is None or any(part.startswith("_") for part in target.split("."))
        return shown if private or not f"{target}.".startswith(FULL) else f"[{shown}][{target}]"

    def _target(self, name: str, obj: griffe.Object, package: griffe.Module) -> str | None:
        """The full name of what a name means within an object, or None where it means nothing.

        It may be one that is there, or that of one class or function anywhere in the package. What has no docstring is
        not on the pages: its owner stands for it.
        """
        first, _, rest = name.partition(".")
        path = name
        if first != package.name:
            try:
                path = obj.resolve(first)
            except griffe.NameResolutionError:
                path = self._alone.get(first, "")
                if not path and obj.parent is not None and obj.parent.is_class:
                    path = f"{obj.parent.path}.{first}"
            path = f"{path}.{rest}" if path and rest else path
        if not path.startswith(FULL):
            return path or None
        try:
            found = member(path, package)
        except (KeyError, ValueError, griffe.AliasResolutionError, griffe.CyclicAliasError):
            return set_within(path, package)
        while found.docstring is None and found.parent is not None:
            found = found.parent
        return found.path


def set_within(path: str, package: griffe.Module) -> str | None:
    """The full name of a class in whose text ``self.NAME`` stands: what is set in other ways than one by one."""
    owner, _, name = path.rpartition(".")
    try:
        found = member(owner, package)
    except (KeyError, ValueError, griffe.AliasResolutionError, griffe.CyclicAliasError):
        return None
    return found.path if found.is_class and f"self.{name}" in found.source else None


def objects_in(obj: griffe.Object) -> Iterator[griffe.Object]:
    """An object and all that is defined within it; nothing that is imported."""
    yield obj
    for inner in obj.members.values():
        if isinstance(inner, griffe.Object):
            yield from objects_in(inner)


def member(path: str, package: griffe.Module) -> griffe.Object:
    """What a full name means, through imports and base classes."""
    found: griffe.Object = package
    for part in path.split(".")[1:]:
        inner = found.all_members[part]
        found = inner.final_target if isinstance(inner, griffe.Alias) else inner
    return found
