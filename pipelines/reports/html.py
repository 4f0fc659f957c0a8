"""How text, intervals, curves and matrices become HTML and SVG that nothing from outside can break and that needs no script."""

import math
from html import escape
from pathlib import Path

DRAWN = 20  # rows and columns of a confusion matrix that a page can hold


def stylesheet():
    """The CSS of every page."""
    return Path(__file__).with_name("report.css").read_text("utf-8")


def words(text, most=120):
    """Text from outside, or a list of such: cut to a length that no layout breaks on, and escaped."""
    text = (
        ", ".join(map(str, text)) if isinstance(text, list) else "" if text is None else str(text)
    )
    return escape(text if len(text) <= most else text[: most - 1] + "…")


def sentence(text, most=400):
    return words(text[:1].upper() + text[1:], most).rstrip(".") + "."


def count(n, noun):
    return f"{n:,} {noun}{'s' * (n != 1)}"


def points(x, sign="+", digits=1):
    """A fraction as points, with a true minus; what rounds to nothing is 0.0 and has no sign."""
    x = round(100 * x, digits) + 0.0
    return f"{x:{sign if x else ''},.{digits}f}".replace("-", "−")


def interval(e, sign="+", unit=""):
    """An estimate with its interval as plain text."""
    value, low, high = (points(e[k], sign) for k in ("estimate", "low", "high"))
    return f"{value}{unit} [{low}, {high}]"


def shown(e, sign="+", unit=""):
    """A difference in points with its interval; an accuracy without a sign."""
    value, span = interval(e, sign, unit).split(" [")
    return f'<b>{value}</b> <span class="range">[{span}</span>'


def section(title, about, body, level=2):
    """A part of the page, with a place of its own that the contents point to; at level 3 a part of a part."""
    name, kind = (
        "".join(c if c.isalnum() else "-" for c in title.lower()),
        "section" if level == 2 else "div",
    )
    about = f'<p class="about">{about}</p>' if about else ""
    return f'<{kind} class="part" id="{name}"><h{level}>{title}</h{level}>{about}{body}</{kind}>'


def terms(kind, pairs):
    return f'<dl class="{kind}">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)}</dl>'


def table(head, rows, kind="numbers"):
    """A table of cells that are HTML already, the first of each row its header; it scrolls by itself where it is wider than the screen."""
    head = f"<thead><tr>{''.join(f'<th>{h}</th>' for h in head)}</tr></thead>"
    body = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{c}</td>" for c in cells)}</tr>'
        for name, *cells in rows
    )
    return f'<div class="scroll"><table class="{kind}">{head}<tbody>{body}</tbody></table></div>'


def folded(summary, body):
    """What is there for who asks: closed on the screen, open on paper."""
    return f"<details><summary>{summary}</summary>{body}</details>"


# ---- intervals


def axis(ends):
    """(low, high, ticks) of an axis in points that holds 0 and all of `ends` (fractions): a margin, and at most seven ticks at round places."""
    least, most = min(0, *ends), max(0, *ends)
    low, high = 1.07 * least - 0.07 * most - 1e-4, 1.07 * most - 0.07 * least + 1e-4
    power = 10 ** math.floor(math.log10(100 * (high - low) / 7))
    step = next(k * power for k in (1, 2, 5, 10) if 7 * k * power >= 100 * (high - low))
    return (
        low,
        high,
        [
            k * step / 100
            for k in range(math.ceil(100 * low / step), math.floor(100 * high / step) + 1)
        ],
    )


def tick(x):
    return f"{100 * x:+.4g}".replace("-", "−") if x else "0"


def extent(rows, *halves):
    """The ends of all intervals of plot's rows, as axis takes them; `halves`: half widths of bands around 0, or None."""
    drawn = [g for _, e, *_ in rows if e for g in (e, e.get("given")) if g]
    return [x for e in drawn for x in (e["low"], e["high"])] + [
        x for half in halves if half for x in (-half, half)
    ]


def plot(kind, rows, margin=None, unseen=None, ends=None):
    """Intervals on one axis. rows: (name, estimate or None for the unseen range, about, class, cells); margin, unseen: half widths; `ends`: what else
    the axis must hold, so that two plots have the same. An estimate's `given` (by labels as given) is the hollow mark under its own."""
    low, high, ticks = axis(extent(rows, margin, unseen) + (ends or []))

    def at(x):
        return 100 * (x - low) / (high - low)

    def bar(kind, a, b):  # how high and where, the style sheet says
        return f'<rect class="{kind}" x="{at(a):.2f}%" width="{at(b) - at(a):.2f}%"/>'

    def dot(x, kind=""):
        return f'<circle{kind} cx="{at(x):.2f}%" cy="50%"/>'

    ground = bar("band", -margin, margin) if margin else ""
    ground += f'<line x1="{at(0):.2f}%" x2="{at(0):.2f}%" y2="100%"/>'
    body = ""
    for name, e, about, weight, cells in rows:
        mark = (
            bar("bar", e["low"], e["high"]) + dot(e["estimate"])
            if e
            else bar("unseen", -unseen, unseen)
        )
        if e and (given := e.get("given")):
            mark += bar("given", given["low"], given["high"]) + dot(
                given["estimate"], ' class="given"'
            )
        about = f"<small>{about}</small>" if about else ""
        body += f'<tr class="{weight}"><th scope="row">{name}{about}</th>'
        body += f'<td class="draw"><svg aria-hidden="true">{ground}{mark}</svg></td>{"".join(f"<td>{c}</td>" for c in cells)}</tr>'
    marks = "".join(
        f'<text x="{at(x):.2f}%" y="1em">{tick(x) if x else "0 points"}</text>' for x in ticks
    )
    body += f'<tr class="axis"><th></th><td class="draw"><svg aria-hidden="true">{marks}</svg></td></tr>'
    return f'<table class="plot {kind}"><tbody>{body}</tbody></table>'


# ---- a curve


def curve(rows, unit):
    """A gain against the work done, as a line in its 95 % band; a pointer or a finger at a point reads it. rows: dicts x, about (how the readout
    begins, text), estimate, low, high, with x from 0 on and increasing."""
    low, high, ticks = axis([x for e in rows for x in (e["low"], e["high"])])
    most = rows[-1]["x"] or 1

    def X(e):
        return 100 * e["x"] / most

    def Y(x):
        return 100 * (high - x) / (high - low)

    def path(key, rows=rows):
        return " ".join(f"{X(e):.2f},{Y(e[key]):.2f}" for e in rows)

    lines = "".join(
        f'<line class="{"" if t else "zero"}" x2="100%" y1="{Y(t):.2f}%" y2="{Y(t):.2f}%"/>'
        for t in ticks
    )
    lines += "".join(
        f'<text class="tick" x="-.6em" y="{Y(t):.2f}%" dy=".35em">{tick(t)}</text>' for t in ticks
    )
    band = f'<polygon points="{path("low")} {path("high", rows[::-1])}"/><polyline points="{path("estimate")}"/>'
    quarters = {min(rows, key=lambda e, q=q: abs(e["x"] - q * most / 4))["x"] for q in range(5)}
    lines += "".join(
        f'<text x="{100 * x / most:.2f}%" y="100%" dy="1.6em">{x:,}{"" if x else f" {unit}"}</text>'
        for x in sorted(quarters)
    )
    hover = ""
    edges = [0, *((X(a) + X(b)) / 2 for a, b in zip(rows, rows[1:])), 100]
    for e, a, b in zip(rows, edges, edges[1:]):
        said = words(f"{e['about']}: {interval(e)} points")
        hover += f'<g><rect x="{a:.2f}%" width="{b - a:.2f}%" height="100%"/><line x1="{X(e):.2f}%" x2="{X(e):.2f}%" y2="100%"/>'
        hover += f'<circle cx="{X(e):.2f}%" cy="{Y(e["estimate"]):.2f}%"/><text x="-2.5em" y="-1.75em">{said}</text><title>{said}</title></g>'
    shape = f'<svg viewBox="0 0 100 100" preserveAspectRatio="none">{band}</svg>'
    return f'<div class="curve"><svg role="img" aria-label="gain in points against {unit}">{shape}{lines}{hover}</svg></div>'


# ---- what is taken for what


def most_changed(before, after, most=DRAWN):
    """The rows and columns to draw, in their order: the classes whose mistakes changed most. before, after: k lists of k numbers."""
    k = range(len(before))
    moved = [
        sum(abs(after[i][j] - before[i][j]) + abs(after[j][i] - before[j][i]) for j in k if j != i)
        for i in k
    ]
    return sorted(sorted(k, key=lambda i: -moved[i])[:most])


def amount(x, sign=""):
    """A mean count of samples: to a tenth, whole from ten on."""
    return f"{x:{sign},.{0 if abs(x) >= 9.95 else 1}f}".replace("-", "−") if abs(x) >= 0.05 else "0"


def confusion(classes, before, after, chosen):
    """One matrix, test label x prediction, each cell with what it was, what it is and the difference; the page shows one of the three. Accent
    is for the good: samples that are right, and mistakes that became fewer. classes: names; before, after: k lists of k numbers."""
    total = [sum(row) or 1 for row in before]
    largest = max(
        [0.05 * max(total), *(abs(after[i][j] - before[i][j]) for i in chosen for j in chosen)]
    )  # or noise would look like much
    names = {i: words(classes[i], 20) for i in chosen}
    body = ""
    for i in chosen:
        body += f'<tr><th scope="row">{names[i]}</th>'
        for j in chosen:
            b, a = before[i][j], after[i][j]
            if max(b, a) < 0.05:
                body += "<td></td>"
                continue
            good, d = (a > b) == (i == j), a - b
            shade = f"--b:{math.sqrt(b / total[i]):.2f};--a:{math.sqrt(min(1, a / total[i])):.2f};--d:{abs(d) / largest:.2f}"
            kind = f"{'right' if i == j else 'wrong'} {'better' if good else 'worse'}"
            difference = amount(d, "+") if abs(d) >= 0.05 else "·"
            title = f"{names[i]}, taken for {names[j]}: {amount(b)} before, {amount(a)} after"
            body += f'<td class="{kind}" style="{shade}" title="{title}"><i>{amount(b)}</i><i>{amount(a)}</i><i>{difference}</i></td>'
        body += "</tr>"
    head = "".join(f'<th scope="col"><span>{names[j]}</span></th>' for j in chosen)
    return f'<div class="scroll"><table class="grid"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def choice(name, labels, chosen):
    """Radio buttons that a style sheet listens to: what they choose between follows them in the page."""
    out = ""
    for i, label in enumerate(labels):
        checked = " checked" if i == chosen else ""
        out += f'<input type="radio" name="{name}" id="{name}-{i}"{checked}><label for="{name}-{i}">{label}</label>'
    return out
