"""What all figures share: theme, colours, intervals, export."""
