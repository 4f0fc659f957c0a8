"""What an estimate assumes, of all estimates and of this one."""

from __future__ import annotations

from assay.curation.features.knn import CELLS
from assay.curation.versioning.state_building import LARGE
from assay.pipelines.estimates.parts import Part, is_large, steps_of
from assay.pipelines.estimates.records import STEPS, Record
from assay.pipelines.indexing.costs import DRIVER

BUSY = 0.05  # share of the seconds that processes waited for a core, from which on it is said
ASSUMED = (
    "each core of a node is as fast as one that was measured, and all reach the same storage",
    "the cluster is paid for while it waits for the process that scans; the import runs before it, on one node",
    "requests: one a shard of the source and those that list them; six a task of a stage, as if the bench's arrays lay"
    " in object storage too (on a shared file system they cost nothing)",
    "all that is written is stored for a month; what the import reads is the source's egress",
    "memory is what processes hold themselves; files that are mapped come on top, as far as they fit",
    "the map is not counted",
)


def list_assumptions(
    records: list[Record], parts: list[Part], samples: int, side: int | None
) -> list[str]:
    """List what an estimate of so many samples assumes; side: of images, in pixels."""
    said, sides = [*ASSUMED], {record.side for record in records if record.side}
    if len(machines := {(record.cpu, record.cores) for record in records}) > 1:
        said.append(f"{len(machines)} machines were measured, and are taken for one")
    if single := sorted({part.step for part in parts if len(set(part.sizes)) < 2}, key=STEPS.index):
        said.append(f"of one size alone: {', '.join(single)}; taken to grow as the samples do")
    if constant := [
        f"{part.step}, {part.part}"
        for part in parts
        if part.part != DRIVER and len(set(part.sizes)) > 1 and not part.fit_work().each
    ]:
        said.append(
            f"did not grow with the samples, and are counted as constant: {'; '.join(constant)}"
        )
    if missing := [s for s in ("import", "embed") if s not in {part.step for part in parts}]:
        said.append(f"not measured, and not counted: {', '.join(missing)}")
    if side and sides and sides != {side}:
        said.append(
            f"images of {' and '.join(f'{one:,}' for one in sorted(sides))} pixels were measured, not of"
            f" {side:,}: the import of larger ones takes longer (measure it: --measure --side {side})"
        )
    if side and not sides:
        said.append(f"no images were measured: --side {side} changes nothing")
    scans = [record for record in records if "neighbours" in steps_of(record)]
    if samples > CELLS and not any(map(is_large, scans)):
        said.append(
            f"no scan of more than {CELLS:,} was measured: of more, neighbours are found in another way"
        )
    if waited := sum(cost.waited for record in records for cost in record.costs):
        share = waited / sum(cost.seconds for record in records for cost in record.costs)
        if share > BUSY:
            said.append(
                f"the machine had other work while it was measured: {share:.0%} of the seconds, in which processes"
                " waited for a core, are left out; measure it again when it is quiet"
            )
    largest = max(record.samples for record in records if record.kind == "scan")
    if samples >= LARGE > largest:
        said.append(
            f"the memory of the process that scans was measured below {LARGE:,}, from which on states lie in parts and"
            " gaps are of a sample: it is too high"
        )
    if samples > 10 * largest:
        said.append(
            f"{samples:,} is {samples / largest:,.0f} times the largest scan that was measured:"
            " the exponents decide"
        )
    return said
