"""Whole engines: from runs to steps to metrics, constants fitted to measurements, intervals."""
