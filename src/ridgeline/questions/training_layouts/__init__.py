"""Every way to lay a training job out over chips: which there are, which fit, which is fastest."""
