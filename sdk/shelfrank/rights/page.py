"""``readme.html``: what is kept, to be read by the shopper, in any browser, without software.

One file without script and without anything from elsewhere, and its content policy forbids both:
an item's title must not be able to make a page do something (export-format.md, section 2). Pure.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from shelfrank.consent.words import fill
from shelfrank.rights.exported import ACTIVITIES, CHOICES, HISTORY, MANIFEST, README, WISHES
from shelfrank.rights.words import WORDS
from shelfrank.wishes.wishes import as_lists

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from shelfrank.consent.purposes import Purpose
    from shelfrank.history.events import StoredEvent
    from shelfrank.rights.exported import ChoiceNow, Takeaway
    from shelfrank.rights.words import Words

_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #ccc}"
    "td{overflow-wrap:anywhere}"
)
_CONTENT_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"

# Letters, figures and what stands between them in ids and dates.
_PLAIN: Final = re.compile(r"[\w .,:;/+-]*")
# What HTML forbids in text; whatever wrote it into an id or a title, it must not end the page.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


def write_page(takeaway: Takeaway) -> bytes:
    """Return the page in the takeaway's language."""
    words = WORDS[takeaway.language]
    body = [
        f"<h1>{words.title}</h1>",
        f"<p>{words.made.format(_day(takeaway.created, words))} {words.intro}</p>",
        *_controllers(takeaway, words),
        f"<h2>{words.choices}</h2>",
        *_purposes(takeaway, words),
        *_wishes(takeaway, words),
        f"<h2>{words.events.format(len(takeaway.events))}</h2>",
        *_unreadable(takeaway, words),
        *_events(takeaway, words),
        f"<h2>{words.files_title}</h2>",
        "<ul>",
        *(
            f"<li><code>{name}</code>: {words.files[name]}</li>"
            for name in (README, HISTORY, ACTIVITIES, CHOICES, WISHES, MANIFEST)
            if name != WISHES or takeaway.wishes
        ),
        "</ul>",
        f"<p>{words.move}</p>",
        f"<p>{words.warning}</p>",
    ]
    head = (
        f'<!doctype html>\n<html lang="{takeaway.language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_CONTENT_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{words.title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    )
    return (head + "\n".join(body) + "\n</body>\n</html>\n").encode()


def _controllers(takeaway: Takeaway, words: Words) -> list[str]:
    if takeaway.policy is None:
        return []
    parties = "; ".join(f"{one.name} ({one.contact})" for one in takeaway.policy.controllers)
    return [f"<p>{words.controllers.format(_text(parties))}</p>"] if parties else []


def _purposes(takeaway: Takeaway, words: Words) -> list[str]:
    if not takeaway.choices:
        return [f"<p>{words.no_choices}</p>"]
    counts = Counter(name for stored in takeaway.events for name in stored.purposes)
    rows = (_purpose_row(takeaway, choice, counts, words) for choice in takeaway.choices)
    return _table(words.purpose_columns, rows)


def _wishes(takeaway: Takeaway, words: Words) -> list[str]:
    if not takeaway.wishes:
        return []
    rows = (
        (words.wish_sorts[sort], ", ".join(values))
        for sort, values in as_lists(takeaway.wishes).items()
        if values
    )
    return [f"<h2>{words.wishes}</h2>", *_table(words.wish_columns, rows)]


def _purpose_row(
    takeaway: Takeaway, choice: ChoiceNow, counts: Counter[str], words: Words
) -> tuple[str, ...]:
    purpose, answer = _declared(takeaway, choice.purpose), choice.answer
    kept = ("", "", "")
    if purpose is not None:
        kept = (
            ", ".join(words.kinds[kind] for kind in purpose.kinds),
            words.granularities[purpose.granularity],
            words.days.format(purpose.retention_days),
        )
    return (
        _purpose_title(takeaway, choice.purpose),
        words.status(choice.status),
        words.not_asked if answer is None else _day(answer.at, words),
        "" if answer is None or answer.until is None else _day(answer.until, words),
        *kept,
        str(counts[choice.purpose]),
    )


def _unreadable(takeaway: Takeaway, words: Words) -> list[str]:
    n = takeaway.unreadable
    return [f"<p><strong>{words.unreadable.format(n)}</strong></p>"] if n else []


def _events(takeaway: Takeaway, words: Words) -> list[str]:
    if not takeaway.events:
        return [f"<p>{words.no_events}</p>"]
    titles = {
        name: _purpose_title(takeaway, name)
        for stored in takeaway.events
        for name in stored.purposes
    }
    newest_first = reversed(takeaway.events)
    return _table(
        words.event_columns,
        (_event_row(takeaway, stored, titles, words) for stored in newest_first),
    )


def _event_row(
    takeaway: Takeaway, stored: StoredEvent, titles: dict[str, str], words: Words
) -> tuple[str, ...]:
    event = stored.event
    title, category = takeaway.about(event.item_id)
    return (
        _moment(event.time, words),
        words.kinds[event.kind],
        title or "",
        event.item_id,
        category or "",
        f"{event.quantity:g}",
        event.context,
        "; ".join(sorted(titles[name] for name in stored.purposes)),
    )


def _declared(takeaway: Takeaway, purpose_id: str) -> Purpose | None:
    policy = takeaway.policy
    if policy is None:
        return None
    return next((one for one in policy.purposes if one.id == purpose_id), None)


def _purpose_title(takeaway: Takeaway, purpose_id: str) -> str:
    purpose = _declared(takeaway, purpose_id)
    if purpose is None or takeaway.language not in purpose.texts:
        return purpose_id
    text = purpose.texts[takeaway.language]
    days = {"retention_days": purpose.retention_days, "validity_days": purpose.validity_days}
    return fill(text, **days).title


def _day(time: datetime, words: Words) -> str:
    return time.strftime(words.date)


def _moment(time: datetime, words: Words) -> str:
    day = _day(time, words)
    # Midnight is how a day is kept; whoever keeps minutes loses one in 1,440 here, not the day.
    return day if (time.hour, time.minute) == (0, 0) else f"{day} {time:%H:%M}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    head = "".join(f"<th>{_text(column)}</th>" for column in columns)
    lines = ("".join(f"<td><bdi>{_text(cell)}</bdi></td>" for cell in row) for row in rows)
    return ["<table>", f"<tr>{head}</tr>", *(f"<tr>{line}</tr>" for line in lines), "</table>"]


def _text(text: str) -> str:
    """Return text that means itself in HTML, whatever it is."""
    # Most of a long history needs nothing, and half of the time would go into finding that out.
    if _PLAIN.fullmatch(text):
        return text
    return html.escape(_CONTROL.sub("\ufffd", text), quote=True)
