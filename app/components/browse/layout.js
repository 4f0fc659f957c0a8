// Where each tile lies: rows of one height, headings between groups; any place is found by halving.

export const PAD = 12, GAP = 6, HEADING = 34, SMALL = 64; // up to SMALL tiles are painted of sprites

export function layOut(total, groups, width, asked) {
  const across = Math.max(1, Math.floor((width - 2 * PAD + GAP) / (asked + GAP)));
  const side = Math.max(asked, Math.min(1.5 * asked, Math.floor((width - 2 * PAD + GAP) / across) - GAP)); // no empty edge
  const caption = asked < 56 ? 0 : asked <= SMALL ? 17 : 34, line = side + caption + GAP;
  const parts = groups.length ? groups : [[null, total]], starts = [], tops = [];
  let start = 0, top = PAD;
  for (const [, n] of parts) {
    starts.push(start);
    tops.push(top);
    top += (groups.length ? HEADING : 0) + Math.ceil(n / across) * line;
    start += n;
  }
  return { total, side, caption, line, across, parts, starts, tops, height: top + PAD, headed: groups.length > 0 };
}

function last(sorted, value) { // the last place whose value is not above
  let low = 0, high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sorted[middle] <= value) low = middle; else high = middle - 1;
  }
  return low;
}

export function place(layout, i) { // where tile i lies
  const p = last(layout.starts, i), k = i - layout.starts[p];
  return { x: PAD + (k % layout.across) * (layout.side + GAP), y: layout.tops[p] + (layout.headed ? HEADING : 0) + Math.floor(k / layout.across) * layout.line };
}

export function* visible(layout, top, bottom) { // tiles {i, x, y} and headings {group, y} between two heights
  for (let p = last(layout.tops, top); p < layout.parts.length && layout.tops[p] < bottom; p++) {
    const first = layout.tops[p] + (layout.headed ? HEADING : 0), n = layout.parts[p][1];
    if (layout.headed) yield { group: p, y: layout.tops[p] };
    const from = Math.max(0, Math.floor((top - first) / layout.line)), to = Math.min(Math.ceil(n / layout.across), Math.ceil((bottom - first) / layout.line));
    for (let row = from; row < to; row++)
      for (let c = 0; c < layout.across && row * layout.across + c < n; c++)
        yield { i: layout.starts[p] + row * layout.across + c, x: PAD + c * (layout.side + GAP), y: first + row * layout.line };
  }
}

export function hit(layout, x, y) { // the tile under a place, or -1
  const p = last(layout.tops, y), first = layout.tops[p] + (layout.headed ? HEADING : 0);
  const row = Math.floor((y - first) / layout.line), c = Math.floor((x - PAD) / (layout.side + GAP));
  const inside = y >= first && c >= 0 && c < layout.across && x - PAD - c * (layout.side + GAP) < layout.side && y - first - row * layout.line < layout.line - GAP;
  const k = row * layout.across + c;
  return inside && k < layout.parts[p][1] ? layout.starts[p] + k : -1;
}

export function* inside(layout, x0, y0, x1, y1) { // tiles that a rectangle touches
  const caption = layout.caption;
  for (const t of visible(layout, y0, y1)) if (t.i !== undefined && t.x < x1 && t.x + layout.side > x0 && t.y < y1 && t.y + layout.side + caption > y0) yield t.i;
}

export function step(layout, i, key, page) { // where an arrow leads
  const { across, total, starts, parts } = layout, end = total - 1;
  const flat = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: end }[key];
  if (flat !== undefined) return Math.max(0, Math.min(end, flat));
  const lines = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[key];
  if (lines === undefined) return null;
  let p = last(starts, i), row = Math.floor((i - starts[p]) / across), c = (i - starts[p]) % across;
  for (let k = 0; k < Math.abs(lines); k++) {
    const rows = Math.ceil(parts[p][1] / across);
    if (lines > 0) { if (row + 1 < rows) row++; else if (p + 1 < parts.length) { p++; row = 0; } else break; }
    else if (row > 0) row--; else if (p > 0) { p--; row = Math.ceil(parts[p][1] / across) - 1; } else break;
  }
  return starts[p] + Math.min(parts[p][1] - 1, row * across + c);
}
