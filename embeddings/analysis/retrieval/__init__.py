"""Which cases are alike, and are they of one label?"""

from .retrieval import PROTOCOLS, Neighbours, Protocol, Retrieval, RetrievalAtK, evaluate, nearest

__all__ = [
    "PROTOCOLS",
    "Neighbours",
    "Protocol",
    "Retrieval",
    "RetrievalAtK",
    "evaluate",
    "nearest",
]
