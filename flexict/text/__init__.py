"""Text -> a vector in the space of images."""
