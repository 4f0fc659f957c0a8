"""Queues of samples that somebody chose, as with Browse's filter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cachetools import LRUCache

from assay.app.server.review_rows import QueueEvidence, find_row
from assay.curation.errors import UserError

MOST = 32  # queues that are remembered


@dataclass
class ChosenQueue:
    """Samples in the order in which they were chosen."""

    samples: Sequence[str]
    page: str  # where, by its title
    decided: set[str] = field(default_factory=set)  # since they were chosen


class ChosenQueues:
    """The queues of one server, by their names."""

    def __init__(self) -> None:
        self.queues: LRUCache[str, ChosenQueue] = LRUCache(MOST)

    def remember(self, samples: Sequence[str], page: str = "Browse") -> str:
        """Remember samples as a queue, and return the queue's name.

        Chosen again, they are all asked about again.
        """
        name = sha256("\n".join(samples).encode()).hexdigest()[:16]
        self.queues[name] = ChosenQueue(samples, page)
        return name

    def find(self, name: str) -> ChosenQueue:
        """Find a queue; UserError where this server knows none of the name."""
        if (found := self.queues.get(name)) is None:
            raise UserError(
                "expected a queue that this server knows, found another",
                "choose its samples again",
            )
        return found

    def parts(self, name: str, each: int) -> Iterator[list[str]]:
        """Give the samples that nobody has decided about, so many at a time; 0: all at once."""
        queue = self.find(name)
        left = [sample for sample in queue.samples if sample not in queue.decided]
        for at in range(0, len(left), each or max(1, len(left))):
            yield left[at : at + (each or len(left))]

    def rows(self, name: str, shown: QueueEvidence, samples: Sequence[str]) -> Iterator[dict]:
        """Give the rows of some samples that nobody has decided about since they were chosen.

        None counts as drawn at random: a filter chose it. What is locked or dropped is passed over.
        """
        queue, state = self.find(name), shown.state
        for sample in samples:
            free = sample in state.index and state["split"][sample] in ("train", "val")
            if free and state.keep[sample] and sample not in queue.decided:
                yield find_row(shown, sample) | dict(random=False)

    def mark(self, samples: Iterable[str], decided: bool) -> None:
        """Note that samples were decided about, or that this was taken back."""
        some = set(samples)
        for queue in list(self.queues.values()):
            if decided:
                queue.decided |= some
            else:
                queue.decided -= some
