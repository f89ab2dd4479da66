"""No page points to a file or heading that is not there."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from support.markdown import REPOSITORY, anchors, links, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_relative_link_leads_somewhere(page):
    for link in links(page):
        if link.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = page if not path else (page.parent / path).resolve()
        assert target.exists(), f"{link}: there is no {target}"
        assert target.is_relative_to(REPOSITORY), f"{link} leads out of the repository"
        if anchor:
            assert anchor in anchors(target), f"{link}: no such heading"


def test_links_are_found_and_code_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "see [a](a.md) and ![b](b.png), [`c`](c.md#d-e)\n`[no](no.md)`\n```\n[no](no.md)\n```\n",
        encoding="utf-8",
    )

    assert list(links(page)) == ["a.md", "b.png", "c.md#d-e"]


def test_headings_become_anchors_as_on_github(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A & b: `c`\n## Twice\n## Twice\n```\n# no\n```\n", encoding="utf-8")

    assert anchors(page) == {"a--b-c", "twice", "twice-1"}
