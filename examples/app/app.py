"""A shop in a terminal: asks for consent, remembers, ranks, explains, forgets.

    python app.py [--language de|nl|en] [--folder FOLDER] [--bundle FILE --trust FILE]

Commands are read line by line, so a file of answers can be piped in. Without --bundle it uses the
demo bundle, whose shop and shoppers are simulated and whose keys are public. What the shopper does
is kept encrypted in FOLDER, and only after a yes.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from shelfrank import Device, Dropped, Page, keys, testing
from shelfrank.errors import BundleError, ConsentError, HistoryError
from shelfrank.types import LANGUAGES, RANK_PURPOSE, Kind, Language

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WORDS: Final[Mapping[str, Mapping[str, str]]] = tomllib.loads(
    Path(__file__).with_name("words.toml").read_text(encoding="utf-8")
)
PAGE_LENGTH: Final = 6


class App:
    """One shopper before one screen.

    Args:
        device: opened.
        language: of every text.
    """

    def __init__(self, device: Device, *, language: Language) -> None:
        self._device = device
        self._language = language
        self._words = WORDS[language]
        self._page: Page | None = None
        self._actions: Mapping[str, Callable[[str], None]] = {
            "look": lambda item: self._record("view", item),
            "buy": lambda item: self._record("purchase", item),
            "show": lambda _: self._show(),
            "why": self._why,
            "yes?": lambda _: self._ask_consent(),
            "withdraw": lambda _: self._withdraw(),
            "erase": lambda _: self._erase(),
        }

    def run(self) -> None:
        """Read commands until there are no more."""
        print(self._words["help"])
        while (line := _read("> ")) not in {"quit", None}:
            command, _, argument = str(line).partition(" ")
            action = self._actions.get(command)
            if action is None:
                print(self._words["help"])
                continue
            try:
                action(argument.strip())
            except (ConsentError, HistoryError) as error:
                print(f"{self._words['failed']} ({error})")

    def _ask_consent(self) -> None:
        """Show the notice; only the word that stands for yes is a yes."""
        notice = self._device.consent.notice(RANK_PURPOSE, language=self._language)
        print(f"\n{notice}\n")
        answer = _read(self._words["question"])
        if answer == self._words["yes"]:
            self._device.consent.grant(RANK_PURPOSE, shown=notice)
            print(self._words["given"])
        elif answer == self._words["no"]:
            self._device.consent.refuse(RANK_PURPOSE)
            print(self._words["refused"])

    def _record(self, kind: Kind, item: str) -> None:
        result = self._device.record(kind, item)
        if isinstance(result, Dropped):
            print(f"{self._words['not_kept']} ({result.reason})")

    def _show(self) -> None:
        self._page = self._device.rank(k=PAGE_LENGTH)
        print(self._words[self._page.mode])
        for place, item in enumerate(self._page, start=1):
            print(f"{place}. {item.item_id}")

    def _why(self, place: str) -> None:
        if self._page is None or place not in {str(n + 1) for n in range(len(self._page))}:
            print(self._words["help"])
            return
        print(self._page[int(place) - 1].why(language=self._language))

    def _withdraw(self) -> None:
        done = self._device.consent.withdraw(RANK_PURPOSE)
        self._page = None
        # The no holds whatever follows. Say so if the disk did not take it, or not all of it.
        print(self._words["withdrawn" if done.erased else "withdrawn_not_erased"])
        if not done.durable:
            print(self._words["withdrawn_here"])

    def _erase(self) -> None:
        self._device.erase()
        self._page = None
        print(self._words["erased"])


def open_device(folder: Path, *, bundle: bytes, trust: bytes, words: Mapping[str, str]) -> Device:
    """Open the device; a refused bundle or an unreadable history is no dead end.

    Raises:
        SystemExit: the history cannot be opened, and the shopper wants to keep it.
    """
    # The key must not lie in the folder it locks. A real app takes the platform's key store:
    # keys.host(secret), or keys.host_callbacks(...).
    key = keys.file(folder.with_name(f"{folder.name}.key"))
    try:
        return Device.open(folder, bundle=bundle, trust=trust, key=key)
    except BundleError as error:
        print(f"{words['no_bundle']} ({error})")
        # Ranking waits for a good bundle; withdrawing and erasing do not.
        return Device.open(folder, bundle=None, trust=None, key=key)
    except HistoryError as error:
        print(f"{words['no_history']} ({error})")
        if _read(words["erase_question"]) != words["yes"]:
            raise SystemExit(1) from None
        Device.erase_at(folder, key=key)
        return Device.open(folder, bundle=bundle, trust=trust, key=key)


def _read(prompt: str) -> str | None:
    """Return the next line, or None at the end of the input."""
    try:
        return input(prompt).strip()
    except EOFError:
        return None


def main() -> None:
    """Read the command line, open the device and run."""
    parser = argparse.ArgumentParser(description="A shop in a terminal.")
    parser.add_argument("--language", choices=get_args(Language), default=LANGUAGES[-1])
    parser.add_argument("--folder", type=Path, default=Path("profile"))
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--trust", type=Path)
    asked = parser.parse_args()
    if (asked.bundle is None) != (asked.trust is None):
        parser.error("--bundle and --trust go together")
    with open_device(
        asked.folder,
        bundle=asked.bundle.read_bytes() if asked.bundle else testing.demo_bundle(),
        trust=asked.trust.read_bytes() if asked.trust else testing.demo_root(),
        words=WORDS[asked.language],
    ) as device:
        App(device, language=asked.language).run()


if __name__ == "__main__":
    main()
