"""The keyboard alone: Tab leads through every page in order, shows where it is, and reaches all that a mouse does."""

import pytest

from tests.browser import READY, look, stored, until
from tests.helpers import PAGES, copied
from tests.screenshots import STILL, open_view

pytestmark = [pytest.mark.browser, pytest.mark.daily]
MOST = 500  # stops of a page
# what is focused: whether it stands behind the last one in the document, is seen, and looks otherwise than without focus
STOP = """() => {
  let e = document.activeElement;
  while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
  if (!e || e === document.body) return null;
  const looks = (x, part) => { const s = getComputedStyle(x, part);
    return [s.outline, s.boxShadow, s.borderColor, s.backgroundColor, s.color, s.textDecoration, s.opacity, s.content].join(); };
  const style = (x) => [null, '::before', '::after'].map((part) => looks(x, part)).join();
  const before = window.stop_before, again = e.hasAttribute('data-walked'), near = [];
  window.stop_before = e;
  e.setAttribute('data-walked', '');
  const r = e.getBoundingClientRect(), shares = [0.5, 0.1, 0.9], root = e.getRootNode();
  const points = shares.flatMap((x) => shares.map((y) => [r.x + x * r.width, r.y + y * r.height]));
  const on_top = points.map(([x, y]) => root.elementFromPoint(x, y)).filter(Boolean);
  for (let x = e; x && near.length < 6; x = x.parentElement) near.push(x);
  near.push(...e.querySelectorAll('*'), ...(e.nextElementSibling ? [e.nextElementSibling] : []));
  const with_focus = near.map(style);
  e.blur();
  const without = near.map(style);
  e.focus({ preventScroll: true });
  const comparable = before?.isConnected && before.getRootNode() === root;
  const name = e.getAttribute('aria-label') || e.textContent.slice(0, 40);
  return { what: `${e.tagName} ${e.className || ''} ${name}`, again, under: [r.y, on_top[0]?.outerHTML.slice(0, 90)],
    forward: !comparable || !!(before.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING),
    marked: with_focus.some((s, i) => s !== without[i]),
    seen: on_top.some((x) => e.contains(x) || x.contains(e) || e.parentElement?.contains(x)) }; }"""
# nothing moves, and the next Tab begins at the top, whatever the page has focused
BEGIN = """() => { const sheet = new CSSStyleSheet(); sheet.replaceSync('* { transition: none !important; animation: none !important }');
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  document.body.tabIndex = -1; document.body.focus({ preventScroll: true }); document.body.removeAttribute('tabindex'); }"""
# what a mouse can use; of tabs, radio buttons, and grids or lists with arrows, one is enough
MISSED = """() => [document, ...[...document.querySelectorAll('*')].map((e) => e.shadowRoot).filter(Boolean)].flatMap((root) => [...root.querySelectorAll(`a[href], button, input, select, textarea, summary, [role=button], [role=tab],
  [role=link], [role=checkbox], [contenteditable=true], [onclick]`)]).filter((e) => {
    if (e.disabled || e.hasAttribute('data-walked') || e.closest('[inert], [data-walked]') || e.closest('[aria-hidden=true]')) return false;
    if (!e.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return false;
    const r = e.getBoundingClientRect();
    if (r.width < 2 || r.height < 2) return false;
    const group = e.closest('[role=tablist], [role=radiogroup], [role=grid], [role=listbox], [role=toolbar], [role=group], table, ul, ol');
    if (e.tabIndex < 0 && group?.querySelector('[data-walked]')) return false;
    if (e.type === 'radio' && document.querySelector(`input[name="${CSS.escape(e.name)}"][data-walked]`)) return false;
    return true;
  }).map((e) => `${e.tagName} ${e.type || ''} ${e.className} ${e.getAttribute('aria-label') || e.textContent.slice(0, 60)}`)"""


@pytest.fixture(scope="module")
def bench(scanned_once, tmp_path_factory):
    return copied(scanned_once, tmp_path_factory.mktemp("keys"))


@pytest.mark.parametrize("name", PAGES)
def test_tab_leads_through_a_page_and_reaches_what_a_mouse_reaches(server, chrome, name):
    page = open_view(server, chrome, name, "normal", plain=True)
    if name == "review":
        look(page)  # what comes moves the buttons
    page.evaluate(BEGIN)
    stops = []
    for _ in range(MOST):
        page.keyboard.press("Tab")
        at = page.evaluate(STOP)
        if at is None or at["again"]:
            break
        stops.append(at)
    assert len(stops) > 10 and (at is None or at["what"] == stops[0]["what"]), (at, stops[-3:])
    for wish in ("forward", "marked", "seen"):
        assert [(s["what"], s["under"]) for s in stops if not s[wish]] == [], wish
    assert page.evaluate(MISSED) == []
    page.context.close()


def test_the_first_thing_to_do_of_overview_is_done_by_keys_alone(bench, server, chrome):
    page = server.page(chrome, "/?who=typist")
    page.locator(".assay-todo a.do").first.wait_for(timeout=60_000)
    until(page, STILL)
    first = "document.activeElement === document.querySelector('.assay-todo a.do')"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(first):
            break
    assert page.evaluate(first), "Tab leads to it"
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{READY}, .assay-review.paused", timeout=60_000)
    look(page)
    page.keyboard.press("Enter")
    stored(page)
    assert bench.rows("select count(*) from edits where who = 'typist'") == [(1,)]
    assert not page.failed
    page.context.close()
