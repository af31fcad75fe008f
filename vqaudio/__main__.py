"""``python -m vqaudio COMMAND ...``."""

from vqaudio.cli.program import main

raise SystemExit(main())
