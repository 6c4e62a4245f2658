"""How alike texts are: two answers by their vectors, an answer and its reference by ROUGE-L."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import regex
from rapidfuzz.distance import LCSseq

from tasks.comparison.comparison_records import Agreement
from tasks.providers.local_vectors import LocalVectors

# A word, or in scripts without spaces between words, a character.
WORD = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]|[\w--\p{Han}]+", regex.V1)
# By route, then by document.
Texts = Mapping[str, Mapping[str, str]]


def rouge_l(answer: str, reference: str) -> float:
    """Return ROUGE-L's F-measure (Lin, 2004): the longest common subsequence of words, of both lengths; 0 to 1."""
    one, other = _words(answer), _words(reference)
    if not one or not other:
        return 0.0
    return 2 * LCSseq.similarity(one, other) / (len(one) + len(other))


def _words(text: str) -> list[str]:
    return [str(word) for word in WORD.findall(text.casefold())]


def agreements(answers: Texts) -> tuple[list[Agreement], dict[tuple[str, str], float]]:
    """Return the mean cosine of each pair of routes, and by (route, document) that with all other routes.

    Vectors are wordllama's, made in this process. Raises UserMistake where it isn't installed.
    """
    vectors = _vectors(answers)
    pairs: list[Agreement] = []
    shared: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one, other in itertools.combinations(answers, 2):
        cosines = []
        for document in answers[one].keys() & answers[other].keys():
            cosine = float(np.dot(vectors[one, document], vectors[other, document]))
            cosines.append(cosine)
            shared[one, document].append(cosine)
            shared[other, document].append(cosine)
        if cosines:
            pairs.append(Agreement(one, other, len(cosines), mean(cosines)))
    return pairs, {key: mean(values) for key, values in shared.items()}


def _vectors(answers: Texts) -> "dict[tuple[str, str], np.ndarray[tuple[int], np.dtype[np.float32]]]":
    keys = [(route, document) for route, texts in answers.items() for document in texts]
    if not keys:
        return {}
    return dict(zip(keys, LocalVectors().vectors([answers[route][name] for route, name in keys]), strict=True))


def mean(values: Sequence[float]) -> float:
    """Return the mean of some numbers."""
    return sum(values) / len(values)
