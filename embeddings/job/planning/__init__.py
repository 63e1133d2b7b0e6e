"""What is missing in the store, as tasks."""
