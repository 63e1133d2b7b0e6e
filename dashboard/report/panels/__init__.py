"""One panel of the report a module."""
