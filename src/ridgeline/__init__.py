"""What it takes to serve a large language model."""
