"""Some numbers, explained together."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.pipelines.explaining.explanation import Explanation


@dataclass(frozen=True)
class Explained:
    """Numbers of a sample, or of a whole bench, explained; printed, it is the same as text."""

    numbers: list[Explanation]
    sample: str | None = None  # its id; None for numbers of a whole bench
    source_id: str | None = None
    label: str | None = None  # as people read it
    probs: list[tuple[str, float]] = field(
        default_factory=list
    )  # the likeliest classes, out of sample

    def to_json(self) -> dict:
        """Give it as plain data."""
        return dict(
            sample=self.sample,
            source_id=self.source_id,
            label=self.label,
            probs=[[name, p] for name, p in self.probs],
            numbers=[number.to_json() for number in self.numbers],
        )

    def describe(self) -> list[str]:
        """Write it as lines of text."""
        out = []
        if self.sample is not None:
            listed = ", ".join(f"{p:.0%} {name}" for name, p in self.probs)
            out += [
                f"{self.sample} ({self.source_id}), label {self.label or 'none'}",
                f"  model: {listed}",
            ]
        return out + [line for number in self.numbers for line in number.describe()]

    def __repr__(self) -> str:
        return "\n".join(self.describe())
