"""The command line. A thin face: it reads arguments, asks, and shows; it holds no formula."""

try:
    from ridgeline.cli.main import main
except KeyboardInterrupt:  # Ctrl-C before there is a `main` that could hear it
    raise SystemExit(130) from None

__all__ = ["main"]
