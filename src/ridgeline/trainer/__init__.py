"""One optimizer step of training: passes of micro-batches over stages, and when they run."""
