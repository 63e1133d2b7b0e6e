"""Which cases are similar, and do they share a label?"""

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
