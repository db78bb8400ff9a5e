"""What is told to advertising platforms."""
