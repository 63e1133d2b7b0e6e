"""Image files and lesion masks -> volumes in HU on a grid in LPS millimetres."""
