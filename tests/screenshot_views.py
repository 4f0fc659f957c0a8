"""What each screenshot shows: the page, how it is brought there, and what is there when it is."""

from tests.browser import READY


def grid_review(page):
    page.get_by_text("grid review").click()
    page.locator(".assay-grid .many img").first.wait_for()


BROWSED = ".assay-browse[data-painted]"


def inspected(page):
    page.locator(".assay-browse .grid").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.locator(".inspector h3").first.wait_for()


def doubted(page):
    page.get_by_label("search names and metadata").press("Escape")
    page.get_by_label("group by").select_option("pair")
    page.locator(".assay-browse .heading").first.wait_for()


def explained(page):
    page.keyboard.press("e")
    page.locator(".told .probs").wait_for()


def lassoed(page):
    box = page.locator(".assay-map .chart").bounding_box()
    page.keyboard.down("Shift")
    for i, (x, y) in enumerate([(0.62, 0.75), (0.6, 0.35), (0.75, 0.3), (0.85, 0.5), (0.8, 0.75)]):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=6)
        page.mouse.down() if i == 0 else None
    page.mouse.up()
    page.keyboard.up("Shift")
    page.locator(".assay-map .panel .tile[data-sample]").first.wait_for(timeout=30_000)


def confused(page):
    page.locator(".assay-models .matrix td.bad").first.click()
    page.locator(".assay-models .shots .tile[data-sample]").first.wait_for()


def tab(name, there="[role=tabpanel]:visible"):
    def go(page):
        page.get_by_role("tab", name=name).click()
        page.locator(there).first.wait_for()

    return go


def splitting(page):
    page.locator("[data-part=pictures]").first.click()
    page.locator(".picker .strip img").first.wait_for()
    page.locator(".picker section input").first.check()
    page.get_by_label("the class that they go to").fill("a new class")
    page.locator(".plan", has_text="new class").wait_for()


def session(page):
    page.locator("[data-testid=stExpander] summary").first.click()  # the bar's menu is details, too
    page.locator("details .assay-sheet img").first.wait_for()


def life(page):
    page.get_by_role("tab", name="Difference").click()
    page.locator("[role=tabpanel]:visible .assay-sheet a").first.click()
    page.get_by_role("tabpanel").locator("[data-testid=stDataFrame]").last.wait_for()


PAGES = (
    "browse review map models duplicates gaps classes experiments audit history overview".split()
)
VIEWS = {  # picture: (page, what is there when it is drawn, what is done before it is taken)
    "browse": ("browse", BROWSED, None),
    "review": ("review", READY, None),
    "map": ("map", ".assay-map[data-painted]", None),
    "models": ("models?a=v1/mlp&b=v2/mlp", ".assay-models[data-ready]", None),
    "duplicates": ("duplicates", ".assay-duplicates .copy img", None),
    "gaps": ("gaps", ".assay-gap-bar", None),
    "classes": ("classes", ".assay-classes[data-fresh=true] li[data-name]", None),
    "experiments": ("experiments", "nav[aria-label=Contents]", None),
    "audit": ("audit", ".assay-blind img", None),
    "history": ("history", ".assay-timeline", None),
    "overview": ("", ".assay-cards", None),
    "proposals": ("proposals", "h1", None),
    "lessons": ("lessons", "h1", None),
    "inspected": ("browse", BROWSED, inspected),
    "doubted": ("browse", BROWSED, doubted),
    "explained": ("review", READY, explained),
    "alike": ("review", READY, grid_review),
    "lassoed": ("map", ".assay-map[data-painted]", lassoed),
    "confused": ("models?a=v1/mlp&b=v2/mlp", ".assay-models[data-ready]", confused),
    "next": ("gaps", ".assay-gap-bar", tab("Label these next", ".assay-grid:visible .many img")),
    "splitting": ("classes", ".assay-classes[data-fresh=true] li[data-name]", splitting),
    "session": ("history", ".assay-timeline", session),
    "difference": ("history", ".assay-timeline", tab("Difference")),
    "blame": ("history", ".assay-timeline", life),
}
