"""What command lines share: errors in one line, options, inputs and outputs, what is said at the end."""

from __future__ import annotations

from vqaudio.cli.program import COMMANDS, Command, command, main

__all__ = ["COMMANDS", "Command", "command", "main"]
