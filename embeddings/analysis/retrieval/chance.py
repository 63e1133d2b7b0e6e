"""What retrieval measures come to when the answers are drawn at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln


def recall_at(gallery: NDArray[np.intp], relevant: NDArray[np.intp], k: int) -> NDArray[np.float64]:
    """1 - C(G - m, k) / C(G, k): the probability that k of G cases, drawn at once, include a relevant one of m."""
    others = gallery - relevant
    possible = others >= k
    rest = np.where(possible, others, k)
    log_ratio = gammaln(rest + 1) - gammaln(rest - k + 1) - gammaln(gallery + 1) + gammaln(gallery - k + 1)
    return 1.0 - np.where(possible, np.exp(log_ratio), 0.0)


def average_precision(gallery: NDArray[np.intp], relevant: NDArray[np.intp]) -> NDArray[np.float64]:
    """The expected average precision of a random order of G cases, m of them relevant; 0 where m = 0.

    The case at rank i (from 1) is relevant with probability m / G, and given that, each of the i - 1 before
    it with probability (m - 1) / (G - 1). Summing (m / G) (1 + (i - 1) (m - 1) / (G - 1)) / i over i and
    dividing by m leaves (H + (G - H) (m - 1) / (G - 1)) / G with the harmonic number H = 1 + 1/2 + ... + 1/G.
    """
    harmonic = digamma(gallery + 1.0) + np.euler_gamma
    others = (relevant - 1) / np.maximum(gallery - 1, 1)
    return np.where(relevant > 0, (harmonic + (gallery - harmonic) * others) / gallery, 0.0)
