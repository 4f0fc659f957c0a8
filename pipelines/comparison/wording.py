"""What a comparison of models says, answer first."""

from __future__ import annotations

from collections.abc import Sequence

from assay.curation.review import progress
from assay.curation.statistics.wording import format_as_given, format_interval, format_points
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.comparison.difference import UNCLEAR, describe_needs
from assay.pipelines.comparison.ranking import describe_order
from assay.pipelines.evaluation.test_set import AuditedLabels, label_caveat
from assay.pipelines.reports.markdown import escape_markdown

SHOWN = 10  # slices that are told on a screen
LONG = 600  # characters of a line


def write_caveat(bench: Bench | None, labels: AuditedLabels, split: str) -> str:
    """Say what the labels that judge are worth."""
    if bench is None:
        return "labels taken as the file has them"
    if split != "test":
        return f"judged on {split}, not on test"
    review = progress.summarize_reviews(bench, bench.state())
    return label_caveat(bench.rules().get("test") or {}, review, labels)


def write_verdict(out: dict) -> str:
    """Write the answer in a sentence, then what it rests on."""
    a, b = out["first"], out["second"]
    answer = {
        "better": f"{b} is better than {a}",
        "worse": f"{b} is worse than {a}",
        UNCLEAR: f"no evidence either way between {b} and {a}",
    }[out["word"]]
    was, now = (format_points(m["accuracy"]["estimate"], False) for m in out["models"][:2])
    scope = "" if out["seeds_known"] else " (these trained models only, not the recipe)"
    said = (
        f"{answer}: {format_interval(out)}{format_as_given(out)}, {now} % against {was} %{scope}; "
        f"{format_count(out['n'], 'sample')}, {' and '.join(map(str, out['seeds']))} seeds"
    )
    return f"{said}; {out['caveat']}" if out["caveat"] else said


def write_lines(out: dict) -> list[str]:
    """Write a comparison as lines for a screen, without its verdict and its models."""
    a, b, flips = out["first"], out["second"], out["flips"]
    p = "" if flips["p"] is None else f"; McNemar's exact p {flips['p']:.2g}"
    lines = [
        f"flips     {b} right and {a} wrong {flips['gained']:,}, the other way {flips['lost']:,}{p}"
    ]
    lines += write_scores(out)
    lines += write_slices(out)
    lines.append(f"needs     {describe_needs(out['needs'], out['n'], out['seeds'])}")
    lines += [f"labels    {line}" for line in write_stakes(out)]
    for name, title in (("labels", ""), ("also", "with other acceptable labels: ")):
        if (ranking := out["ranking"] and out["ranking"][name]) is not None and ranking:
            lines.append(f"order     {describe_order(ranking, title)}")
    if out["ranking"] and (also := out["ranking"]["also"]):
        lines.append(
            f"also      {format_count(also['samples'], 'sample')} with other acceptable labels; counted as right,"
            f" {b} against {a} is {format_interval(also['difference'])}: {also['word']}"
        )
    return lines


def write_scores(out: dict) -> list[str]:
    """Write log-loss, Brier score and calibration error."""
    if not out["scores"]:
        return []
    lines = []
    for measure, values in out["scores"].items():
        names = ", ".join(
            f"{m['name']} {values[m['name']]:.4f}" for m in out["models"] if m["name"] in values
        )
        change = values.get("difference")
        more = ""
        if change:
            more = f"; difference {change['estimate']:+.4f} [{change['low']:+.4f}, {change['high']:+.4f}]"
        lines.append(f"scores    {measure.replace('_', '-')} {names}{more} (low is good)")
    return lines


def write_slices(out: dict) -> list[str]:
    """Write the slices in which a difference is shown, or how many were tested."""
    tested = f"{format_count(out['tested'], 'slice', 'was', 'were')} tested together (Holm)"
    shown = [g for g in out["slices"] if g["verdict"] in ("better", "worse")]
    lines = [f"slices    {tested}, {len(shown):,} differ"]
    lines += [
        f"  {g['verdict']:<6}  {g['kind']} {g['name']}: {format_interval(g)}, {format_count(g['n'], 'sample')},"
        f" p {g['p_holm']:.2g}"
        for g in sorted(shown, key=lambda g: g["p_holm"])[:SHOWN]
    ]
    if len(shown) > SHOWN:
        lines.append(f"  and {len(shown) - SHOWN:,} more (--json for all)")
    return lines


def write_stakes(out: dict) -> list[str]:
    """Say how many wrong labels would turn the verdict, and which to audit."""
    stakes, audit = out["label_noise"], out["audit"]
    if not stakes["differing"]:
        return ["the models differ on no sample: no label matters to their difference"]
    lines = [
        f"they differ on {stakes['differing']:,} of {format_count(stakes['of'], 'sample')}: only the labels"
        " of these can turn the verdict"
    ]
    if stakes["turning"] is None:
        lines.append("no wrong labels among these would turn it")
    else:
        of = f"{stakes['turning']:,} of these labels ({stakes['turning_share']:.1%})"
        lines.append(f"with {of} wrong, all the same way, it turns")
    if stakes["expected"]:
        least, low, high = stakes["noise"]
        lines.append(
            f"by the audit {least:.1%} [{low:.1%}, {high:.1%}] of all test labels are wrong: as often here, that is"
            f" {stakes['expected'][0]:.0f} [{stakes['expected'][1]:.0f}, {stakes['expected'][2]:.0f}]; models"
            " differ more often where labels are wrong"
        )
    draw = (
        f"a random {len(audit['samples']):,} of the {audit['of']:,}"
        if audit["drawn"]
        else f"all {audit['of']:,}"
    )
    lines.append(f"to settle it audit {draw} on which they differ, blind")
    return lines


def write_markdown(out: dict) -> str:
    """Write a comparison as a page of Markdown."""
    names = "model", "seeds", "accuracy", "balanced accuracy", "not predicted"
    rows = [
        (
            m["name"],
            m["seeds"],
            *(format_interval(m[k], False, " %") for k in ("accuracy", "balanced")),
            m["missing"],
        )
        for m in out["models"]
    ]
    slices = [
        (g["kind"], g["name"], g["n"], format_interval(g), f"{g['p_holm']:.2g}", g["verdict"])
        for g in out["slices"]
        if g["p_holm"] is not None
    ]
    parts = [
        f"# {out['second']} against {out['first']}",
        f"{out['verdict']}.",
        draw_rows(names, rows),
        "\n".join(f"- {escape_markdown(line, LONG)}" for line in write_lines(out)),
        draw_rows(("kind", "slice", "samples", "difference", "p (Holm)", "verdict"), slices),
        "\n".join(f"- {escape_markdown(note, LONG)}" for note in out["notes"]),
    ]
    return "\n\n".join(parts) + "\n"


def draw_rows(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Draw a table of Markdown."""
    lines = [names, ["-"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(escape_markdown(str(c)) for c in line)} |" for line in lines)
