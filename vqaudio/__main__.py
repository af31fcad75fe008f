"""``python -m vqaudio COMMAND ...``."""

from vqaudio.cli import main

raise SystemExit(main())
