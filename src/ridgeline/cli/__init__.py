"""The command line. A thin face: it reads arguments, asks, and shows; it holds no formula."""

from ridgeline.cli.main import main

__all__ = ["main"]
