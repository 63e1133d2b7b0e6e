"""Simulated chest CT with known ground truth."""

from flexict.phantoms.phantom import Phantom, chest_phantom
from flexict.phantoms.scanner import SCANNERS, Scanner

__all__ = ["SCANNERS", "Phantom", "Scanner", "chest_phantom"]
