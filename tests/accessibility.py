"""What axe-core finds wrong with a page, by WCAG 2.2 A and AA."""

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def violations(page):
    """[(rule, where, what is wrong)] of what is on the page now; frames and shadow roots are looked into."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [
        (rule["id"], node["target"], node.get("failureSummary", "")[:300])
        for rule in found
        for node in rule["nodes"]
    ]
