"""The page Classes: similar names merged by a button, a rename seen before it is done, a new class, and the way back."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.test_pages import noise, opened, sound
from tests.browser import browser, look, stored, workbench
from tests.helpers import bench_of


@pytest.fixture
def pets(tmp_path):
    return bench_of(noise(60, ["cat", "cat", "Cat", "dog :red[x]", "<b>"]), tmp_path)


def press(at, label):
    return sound(next(b for b in at.button if label in b.label.replace("\\", "")).click().run())


def panel(bench, name, who="ann"):
    """The form that renames one class, as it is drawn where that is selected."""

    def script(path, name, who):
        import assay
        from assay.app.pages.classes import draw_rename

        draw_rename(assay.open(path), name, who)

    kwargs = dict(path=str(bench.path), name=name, who=who)
    return sound(AppTest.from_function(script, kwargs=kwargs, default_timeout=60).run())


@pytest.mark.slow
def test_a_button_merges_similar_names_and_another_takes_it_back(pets):
    at = sound(opened(pets, "classes", who="ann"))
    assert any("looks like" in m.value for m in at.markdown)
    at = press(at, "Merge into cat")
    assert set(pets.state().label) == {"cat", "dog :red[x]", "<b>"}
    assert pets.batches().iloc[-1].who == "ann" and not pets.state().reviewed.any()
    press(at, "Undo: merge Cat to cat")
    assert "Cat" in set(pets.state().label)


@pytest.mark.slow
def test_a_rename_shows_what_it_changes_before_it_does(pets):
    at = panel(pets, "<b>")
    assert not at.button
    at = sound(at.text_input[0].set_value("cat").run())
    splits = pets.classes().set_index("name").loc["<b>"]
    words = at.caption[0].value.replace("\\", "")
    assert f"12 samples ({splits.train} train" in words and "are merged into" in words
    assert "<b>" in set(pets.state().label)
    press(at, "Merge")
    assert "<b>" not in set(pets.state().label)
    at = sound(panel(pets, "cat").text_input[0].set_value("   ").run())
    assert "nobody could see" in at.warning[0].value and not at.button


@pytest.mark.slow
def test_nobody_changes_a_class_without_a_name(pets):
    at = sound(opened(pets, "classes"))
    assert all(b.disabled for b in at.button)


@pytest.mark.slow
def test_a_class_is_added(pets):
    at = sound(opened(pets, "classes", who="ann"))
    field = next(t for t in at.text_input if t.placeholder == "add a class")
    press(sound(field.set_value("bird").run()), "Add")
    assert pets.classes().query("declared").name.tolist() == ["bird"]


@pytest.mark.browser
@pytest.mark.slow
def test_review_offers_a_class_that_is_new_and_adds_it_when_told_to(scanned):
    with workbench(scanned.path) as server, browser() as chrome:
        page = server.page(chrome, "/review?who=ann")
        look(page)
        page.keyboard.press("/")
        page.keyboard.type("eleven")
        page.keyboard.press("Enter")
        problem = page.get_by_text("no class is called eleven")
        problem.wait_for(timeout=60_000)
        assert "eleven" not in set(scanned.state().label)
        page.keyboard.press("Shift+Enter")
        stored(page)
        assert "eleven" in set(scanned.state().label)
        option = page.locator('#assay-names option[value="eleven"]')
        option.wait_for(state="attached", timeout=60_000)  # the next one is typed by its beginning
