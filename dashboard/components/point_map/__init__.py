"""The map as a component of the page: the browser draws, selects by a shape or an id, and asks for what it lacks."""

from .mount import feed_pictures, point_map

__all__ = ["feed_pictures", "point_map"]
