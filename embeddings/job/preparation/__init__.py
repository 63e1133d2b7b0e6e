"""A task's files, read once -> the inputs of all its sets."""
