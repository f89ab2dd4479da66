"""Write the events and the catalog of a small kitchen-and-coffee shop that does not exist.

    python simulate_shop.py FOLDER

Shoppers, purchases and tastes are made up, by a fixed seed: the same call writes the same files.
Nobody's behaviour is in them, so nothing can be learned from them about people; they are there to
try the commands on, and to test with. Replace both files by your own.

What is simulated: every shopper has one main taste, and a second one now and then. A visit buys
what has run out (beans, filters, flour), then walks along a trail of things that go together (the
machine before the cups), looking at most of them and buying some. So there is something to find in
what follows what, what goes together, and what comes back.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHOPPERS: Final = 600
SEED: Final = 2025
OPENING: Final = datetime(2025, 1, 1, 8, tzinfo=UTC)
OPEN_HOURS: Final = 12  # every day from eight to eight
DAYS: Final = 364  # the shop is simulated for one year
VISIT_GAP_DAYS: Final = 21.0  # mean time between two visits of a shopper

# item_id | title | category | brand | price
CATALOG: Final = """
espresso-beans      | Espresso beans, 1 kg        | coffee/beans        | Torre   | 19.90
filter-coffee       | Filter coffee, 500 g        | coffee/beans        | Torre   |  8.90
decaf-beans         | Decaf beans, 500 g          | coffee/beans        | Torre   | 11.50
house-blend         | House blend, 1 kg           | coffee/beans        | Corner  | 14.90
espresso-machine    | Espresso machine            | coffee/machines     | Lumo    | 389.00
moka-pot            | Moka pot, 6 cups            | coffee/machines     | Torre   | 32.00
french-press        | French press, 1 l           | coffee/machines     | Lumo    | 29.00
filter-holder       | Filter holder, porcelain    | coffee/machines     | Hella   | 24.00
coffee-grinder      | Coffee grinder              | coffee/machines     | Lumo    | 119.00
milk-frother        | Milk frother                | coffee/machines     | Lumo    | 45.00
milk-jug            | Milk jug, steel             | coffee/barista      | Lumo    | 18.50
tamper              | Tamper, 58 mm               | coffee/barista      | Lumo    | 27.00
knock-box           | Knock box                   | coffee/barista      | Lumo    | 22.00
coffee-scale        | Coffee scale with timer     | coffee/barista      | Hella   | 39.00
barista-cloth       | Barista cloths, 3           | coffee/barista      | Corner  | 9.90
grinder-brush       | Grinder brush               | coffee/care         | Corner  | 6.50
descaler            | Descaler, 250 ml            | coffee/care         | Klar    | 7.90
cleaning-tablets    | Cleaning tablets, 20        | coffee/care         | Klar    | 9.50
filter-papers       | Filter papers, 100          | coffee/care         | Corner  | 3.20
water-filter        | Water filters, 4            | coffee/care         | Klar    | 21.00
espresso-cups       | Espresso cups, set of 4     | tableware/cups      | Hella   | 28.00
cappuccino-cups     | Cappuccino cups, set of 4   | tableware/cups      | Hella   | 34.00
latte-glasses       | Latte glasses, set of 2     | tableware/cups      | Hella   | 19.00
mug                 | Mug, blue                   | tableware/cups      | Corner  | 9.00
thermos-mug         | Thermos mug                 | tableware/cups      | Lumo    | 26.00
tea-glasses         | Tea glasses, set of 6       | tableware/cups      | Corner  | 21.00
sugar-bowl          | Sugar bowl                  | tableware/serving   | Hella   | 14.00
cake-stand          | Cake stand                  | tableware/serving   | Hella   | 36.00
bread-basket        | Bread basket                | tableware/serving   | Corner  | 17.00
black-tea           | Black tea, 250 g            | tea/leaves          | Nebel   | 9.90
green-tea           | Green tea, 100 g            | tea/leaves          | Nebel   | 8.50
herbal-tea          | Herbal tea, 20 bags         | tea/leaves          | Nebel   | 4.20
teapot              | Teapot, 1.2 l               | tea/pots            | Hella   | 42.00
tea-strainer        | Tea strainer                | tea/pots            | Corner  | 7.50
kettle              | Kettle with thermometer     | tea/pots            | Lumo    | 69.00
tea-warmer          | Tea warmer                  | tea/pots            | Hella   | 16.00
oat-milk            | Oat milk, 1 l               | pantry/drinks       | Corner  | 2.30
vanilla-syrup       | Vanilla syrup               | pantry/drinks       | Torre   | 7.90
sugar-cubes         | Sugar cubes                 | pantry/sweet        | Corner  | 2.90
amaretti            | Amaretti, 200 g             | pantry/sweet        | Torre   | 5.90
dark-chocolate      | Dark chocolate              | pantry/sweet        | Torre   | 3.40
shortbread          | Shortbread                  | pantry/sweet        | Nebel   | 4.80
flour               | Flour, 2 kg                 | pantry/baking       | Corner  | 2.60
yeast               | Yeast, 6 sachets            | pantry/baking       | Corner  | 1.80
baking-paper        | Baking paper                | pantry/baking       | Klar    | 3.10
vanilla-sugar       | Vanilla sugar               | pantry/baking       | Corner  | 1.90
olive-oil           | Olive oil, 750 ml           | pantry/cooking      | Torre   | 13.90
sea-salt            | Sea salt                    | pantry/cooking      | Corner  | 3.50
pasta               | Pasta, 1 kg                 | pantry/cooking      | Torre   | 3.90
mixing-bowl         | Mixing bowl                 | kitchen/baking      | Hella   | 23.00
whisk               | Whisk                       | kitchen/baking      | Corner  | 8.00
cake-tin            | Cake tin, 26 cm             | kitchen/baking      | Hella   | 18.00
muffin-tray         | Muffin tray                 | kitchen/baking      | Hella   | 15.00
proofing-basket     | Proofing basket             | kitchen/baking      | Corner  | 19.00
kitchen-scale       | Kitchen scale               | kitchen/baking      | Lumo    | 29.00
frying-pan          | Frying pan, 28 cm           | kitchen/cooking     | Lumo    | 59.00
saucepan            | Saucepan, 2 l               | kitchen/cooking     | Lumo    | 44.00
chef-knife          | Chef's knife                | kitchen/cooking     | Klinge  | 79.00
chopping-board      | Chopping board, oak         | kitchen/cooking     | Corner  | 27.00
knife-sharpener     | Knife sharpener             | kitchen/cooking     | Klinge  | 25.00
pepper-mill         | Pepper mill                 | kitchen/cooking     | Hella   | 31.00
coffee-liqueur      | Coffee liqueur              | spirits/liqueur     | Torre   | 17.90
grappa              | Grappa                      | spirits/brandy      | Torre   | 24.90
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """What a shopper with this taste is drawn to.

    Attributes:
        trails: things that go together, in the order in which they are usually looked for.
        staples: what runs out, and after how many days.
    """

    trails: tuple[tuple[str, ...], ...]
    staples: dict[str, int] = field(default_factory=dict)


TASTES: Final = {
    "espresso": Taste(
        trails=(
            ("espresso-machine", "tamper", "milk-jug", "espresso-cups", "knock-box"),
            ("coffee-grinder", "espresso-beans", "grinder-brush", "coffee-scale"),
            ("espresso-cups", "sugar-bowl", "sugar-cubes", "amaretti", "grappa"),
            ("milk-frother", "milk-jug", "cappuccino-cups", "latte-glasses", "vanilla-syrup"),
            ("descaler", "cleaning-tablets", "barista-cloth", "water-filter"),
        ),
        staples={"espresso-beans": 24, "descaler": 90, "cleaning-tablets": 75, "oat-milk": 20},
    ),
    "filter": Taste(
        trails=(
            ("filter-holder", "filter-papers", "kettle", "coffee-scale", "mug"),
            ("french-press", "filter-coffee", "mug", "thermos-mug"),
            ("moka-pot", "house-blend", "dark-chocolate", "coffee-liqueur"),
            ("decaf-beans", "shortbread", "mug"),
        ),
        staples={"filter-coffee": 28, "filter-papers": 45, "house-blend": 40, "water-filter": 100},
    ),
    "tea": Taste(
        trails=(
            ("teapot", "tea-strainer", "tea-warmer", "tea-glasses", "sugar-bowl"),
            ("kettle", "green-tea", "tea-strainer", "tea-glasses"),
            ("black-tea", "shortbread", "sugar-cubes", "cake-stand"),
        ),
        staples={"black-tea": 35, "green-tea": 40, "herbal-tea": 30, "shortbread": 45},
    ),
    "baking": Taste(
        trails=(
            ("mixing-bowl", "whisk", "cake-tin", "cake-stand", "vanilla-sugar"),
            ("proofing-basket", "yeast", "kitchen-scale", "bread-basket"),
            ("muffin-tray", "baking-paper", "dark-chocolate", "vanilla-sugar"),
        ),
        staples={"flour": 25, "yeast": 35, "baking-paper": 60, "vanilla-sugar": 50},
    ),
    "cooking": Taste(
        trails=(
            ("chef-knife", "chopping-board", "knife-sharpener", "frying-pan"),
            ("frying-pan", "olive-oil", "sea-salt", "pepper-mill"),
            ("saucepan", "pasta", "olive-oil", "pepper-mill"),
        ),
        staples={"olive-oil": 45, "pasta": 22, "sea-salt": 80},
    ),
}
TASTE_SHARES: Final = {
    "espresso": 0.32,
    "filter": 0.2,
    "tea": 0.18,
    "baking": 0.16,
    "cooking": 0.14,
}

SECOND_TASTE: Final = 0.25  # share of visits that follow the second taste
KEEP_WALKING: Final = 0.8  # chance of the next step on a trail
BUY: Final = 0.35  # chance that something looked at is bought
STROLL: Final = 0.08  # chance of a glance at anything in the shop


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the events file."""

    shopper_id: str
    item_id: str
    time: datetime
    kind: str
    visit_id: str


def catalog_rows() -> list[list[str]]:
    """Return the rows of the catalog: item_id, title, category, brand, price."""
    return [[cell.strip() for cell in row.split("|")] for row in CATALOG.strip().splitlines()]


class Shopper:
    """One made-up person."""

    def __init__(self, name: str, rng: np.random.Generator, items: Sequence[str]) -> None:
        self.name = name
        self._rng = rng
        self._items = items
        self._tastes = [self._draw_taste(), self._draw_taste()]
        self._bought: dict[str, datetime] = {}

    def lines(self) -> Iterator[Line]:
        """Yield everything this shopper does in the year, oldest first."""
        day = self._wait()
        number = 0
        while day < DAYS:
            number += 1
            whole = int(day)
            start = OPENING + timedelta(days=whole, hours=OPEN_HOURS * (day - whole))
            yield from self._visit(start, str(number))
            day += self._wait()

    def _visit(self, start: datetime, visit: str) -> Iterator[Line]:
        start = start.replace(microsecond=0)
        second = self._rng.random() < SECOND_TASTE
        taste = TASTES[self._tastes[int(second)]]
        for minute, (kind, item) in enumerate(self._steps(taste, start)):
            if kind == "purchase":
                self._bought[item] = start
            yield Line(self.name, item, start + timedelta(minutes=minute), kind, visit)

    def _steps(self, taste: Taste, now: datetime) -> Iterator[tuple[str, str]]:
        for item, days in taste.staples.items():
            # People differ in how soon they restock, and do not find out on the very day.
            due = days * (0.7 + 0.6 * self._rng.random())
            last = self._bought.get(item)
            fresh = last is None and self._rng.random() < 0.5
            if fresh or (last is not None and now - last >= timedelta(days=due)):
                yield "purchase", item
        yield from self._walk(taste.trails[self._below(len(taste.trails))])
        if self._rng.random() < STROLL:
            yield "view", self._items[self._below(len(self._items))]

    def _walk(self, trail: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        for item in trail[self._below(len(trail) - 1) :]:
            yield "view", item
            if item not in self._bought and self._rng.random() < BUY:
                yield "purchase", item
            if self._rng.random() > KEEP_WALKING:
                return

    def _wait(self) -> float:
        """Return days until the next visit, exponentially spread."""
        return float(-VISIT_GAP_DAYS * np.log1p(-self._rng.random()))

    def _draw_taste(self) -> str:
        ends = np.cumsum(list(TASTE_SHARES.values()))
        return list(TASTE_SHARES)[int(np.searchsorted(ends, self._rng.random() * ends[-1]))]

    def _below(self, n: int) -> int:
        return int(self._rng.random() * n)


def simulate(*, shoppers: int, rng: np.random.Generator) -> list[Line]:
    """Return the events of all shoppers."""
    items = [row[0] for row in catalog_rows()]
    everybody = [Shopper(f"shopper-{number:04}", rng, items) for number in range(shoppers)]
    return [line for shopper in everybody for line in shopper.lines()]


def write_shop(folder: Path, *, shoppers: int = SHOPPERS, seed: int = SEED) -> tuple[Path, Path]:
    """Write ``events.csv`` and ``catalog.csv``, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    events, catalog = folder / "events.csv", folder / "catalog.csv"
    with events.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["shopper_id", "item_id", "time", "kind", "visit_id"])
        for line in simulate(shoppers=shoppers, rng=np.random.default_rng(seed)):
            time = line.time.isoformat()
            writer.writerow([line.shopper_id, line.item_id, time, line.kind, line.visit_id])
    with catalog.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "title", "category", "brand", "price"])
        writer.writerows(catalog_rows())
    return events, catalog


def main() -> None:
    """Read the command line and write both files."""
    parser = argparse.ArgumentParser(description="Write the files of a simulated shop.")
    parser.add_argument("folder", type=Path, help="where events.csv and catalog.csv go")
    parser.add_argument("--shoppers", type=int, default=SHOPPERS)
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    events, catalog = write_shop(asked.folder, shoppers=asked.shoppers, seed=asked.seed)
    print(f"{events} and {catalog} written")


if __name__ == "__main__":
    main()
