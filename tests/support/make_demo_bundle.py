"""Make the demo bundle of `shelfrank.testing`: the real pipeline on a simulated shop.

    PYTHONPATH=tests python -m support.make_demo_bundle

The shop and its shoppers are made up (`examples/train_on_your_data/simulate_shop.py`), and both
private keys follow from text that stands here for everyone to read. So whoever trusts this root
trusts everyone: no device outside a test may.

Keys, dates, seed and version are fixed. The result is the same bytes again as long as the versions
of numpy, scikit-learn, skl2onnx and zlib are; `tests/end_to_end/test_demo_bundle.py` asks only that
the ranking is the same.
"""

from __future__ import annotations

import hashlib
import runpy
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shelfrank.consent.policy import Policy
from shelfrank_training.aggregates import AggregateSettings, aggregate
from shelfrank_training.publish.build import build_bundle, sign_bundle
from shelfrank_training.publish.keys import SigningKey, make_root, role, sign_root
from shelfrank_training.train import TrainSettings, train

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY: Final = Path(__file__).resolve().parents[2]
SHOP: Final = REPOSITORY / "examples/train_on_your_data"
TARGET: Final = REPOSITORY / "sdk/shelfrank/testing/data"

ISSUED: Final = datetime(2026, 1, 1, tzinfo=UTC)
EXPIRES: Final = datetime(2126, 1, 1, tzinfo=UTC)  # a test must not fail because years went by
MIN_SHOPPERS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The two files.

    Attributes:
        bundle: ``demo.shelfrank``, signed.
        root: ``root.json`` that trusts it.
    """

    bundle: bytes
    root: bytes


def make(folder: Path) -> Demo:
    """Simulate, aggregate, train, build and sign.

    Args:
        folder: for the files in between; empty.
    """
    write_shop = runpy.run_path(str(SHOP / "simulate_shop.py"))["write_shop"]
    events, catalog = write_shop(folder)
    policy = SHOP / "policy.toml"
    settings = AggregateSettings(
        policy=Policy.parse(policy.read_bytes()), min_shoppers=MIN_SHOPPERS, until=ISSUED
    )
    aggregate(events, catalog, folder / "aggregates", settings)
    model = folder / "model"
    train(folder / "aggregates", catalog, model, settings=TrainSettings(policy=policy))
    root_key, bundle_key = _key("root"), _key("bundle")
    root = sign_root(
        make_root(
            version=1, expires=EXPIRES, root_role=role([root_key]), bundle_role=role([bundle_key])
        ),
        root_key,
    )
    unsigned = build_bundle(
        model, name="demo", version=1, issued_at=ISSUED, expires=EXPIRES, root=root
    )
    return Demo(bundle=sign_bundle(unsigned, bundle_key), root=root)


def _key(name: str) -> SigningKey:
    """Return a key that everybody can make."""
    return SigningKey.from_seed(
        hashlib.sha256(b"shelfrank demo, public: " + name.encode()).digest()
    )


def main(arguments: Sequence[str]) -> None:
    """Write both files to the folder given, or to the package."""
    target = Path(arguments[0]) if arguments else TARGET
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        demo = make(Path(folder))
    (target / "demo.shelfrank").write_bytes(demo.bundle)
    (target / "root.json").write_bytes(demo.root)
    print(f"{target}: {len(demo.bundle):,} bytes")  # noqa: T201 - a script


if __name__ == "__main__":
    main(sys.argv[1:])
