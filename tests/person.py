"""A person at a page, whose keys and clicks are counted."""

import re
import time

from tests.browser import until

BAR = ".assay-frame"


class Person:
    """What somebody does at a page, and how much of it there was.

    A press counts as one key, with the keys that are held down for it; words typed into a field count as one key.
    A click, a drag and a file that is chosen count as one click each. Scrolling and looking count nothing.
    """

    def __init__(self, page):
        self.page, self.keys, self.clicks, self.began = page, 0, 0, time.monotonic()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        self.keys += len(keys)

    def write(self, words):
        """Type into the field that has the focus."""
        self.page.keyboard.type(words)
        self.keys += 1

    def click(self, place, **options):
        place.click(**options)
        self.clicks += 1

    def go(self, title, seen):
        """Click on a page's name in the bar."""
        self.click(self.page.locator(f"{BAR} nav a", has_text=title))
        self.page.wait_for_selector(seen)

    def fill(self, place, words):
        """Click on a field and type into it; what it held goes."""
        place.click()
        place.fill(words)
        self.clicks += 1
        self.keys += 1

    def choose(self, place, value):
        """Open a list and click on what is wanted."""
        place.select_option(value)
        self.clicks += 2

    def choose_file(self, place, file):
        """Click on what asks for a file, and choose it in the system's window."""
        with self.page.expect_file_chooser() as chooser:
            place.click()
        chooser.value.set_files(file)
        self.clicks += 2

    def circle(self, corners):
        """Drag the pointer along some corners and back to the first."""
        mouse = self.page.mouse
        mouse.move(*corners[0])
        mouse.down()
        for corner in (*corners[1:], corners[0]):
            mouse.move(*corner, steps=3)
        mouse.up()
        self.clicks += 1

    def took(self, task, target):
        """Say what a task took, and hold it against its target."""
        seconds, acts = time.monotonic() - self.began, self.keys + self.clicks
        print(
            f"\ntask {task}: {self.keys} keys, {self.clicks} clicks, target {target}, {seconds:.0f} s"
        )
        assert acts <= target, f"{self.keys} keys and {self.clicks} clicks"


def said(page, words):
    """Wait until the line under the acts says something."""
    page.locator(".says", has_text=re.compile(re.escape(words))).wait_for()


def browse_shows(page, n):
    """Wait until the filter of Browse shows n samples."""
    until(page, f"document.querySelector('.assay-browse').dataset.total === '{n}'")


def edits_of(bench, who):
    """(batches, samples) that somebody's edits in the log are of."""
    sql = "select count(distinct batch), count(distinct sample) from edits where who = ?"
    return bench.rows(sql, [who])[0]
