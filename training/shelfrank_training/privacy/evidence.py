"""Everything that counsel needs to judge a policy and a bundle, as files of one folder."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shelfrank.bundle import archive
from shelfrank.consent.notice import write_notice
from shelfrank.consent.policy import Policy, stricter
from shelfrank.consent.presets import NOT_LEGAL_ADVICE, law_name
from shelfrank_training.privacy.check import check
from shelfrank_training.privacy.inventory import COLUMNS, inventory, unused
from shelfrank_training.privacy.promises import promises
from shelfrank_training.privacy.samples import receipt_samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from shelfrank_training.privacy.check import Verdict
    from shelfrank_training.privacy.inventory import Kept
    from shelfrank_training.publish.label_source import FoundLabel

INDEX: Final = "index.md"
"""The page to start from; every folder of evidence has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the evidence is about.

    Attributes:
        policy: the bytes of a ``policy.toml`` that a device takes.
        bundle: the bytes of a bundle, or None.
        label: the label in it; None without a bundle.
        presets: ids of the laws; none takes those that the policy names.
        tests: a report of a test run, such as JUnit's XML, or None.
        at: the moment the folder is dated.
    """

    policy: bytes
    bundle: bytes | None
    label: FoundLabel | None
    presets: tuple[str, ...]
    tests: bytes | None
    at: datetime


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    what: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was gathered.

    Attributes:
        files: by name.
        sound: no rule of the check fails, and nothing is kept for nothing.
    """

    files: dict[str, bytes]
    sound: bool


def gather(subject: Subject) -> Evidence:
    """Gather the files of the folder; the same subject gives the same bytes.

    Raises:
        PolicyError: a device would not take the policy.
        BundleError: the bundle cannot be read.
        PublishError: its graph is not one of ours.
    """
    carried = _carried(subject)
    policy = Policy.parse(subject.policy)
    in_force = policy if carried is None else stricter(policy, Policy.parse(carried))
    verdict = check(subject.policy, presets=subject.presets, on=subject.at.date())
    kept = inventory(policy, subject.bundle)
    files = [
        _File("policy.toml", "the policy", subject.policy),
        _File("check.md", "every rule, and what the laws ask for", _check_page(verdict)),
        _File("check.json", "the same for machines", _json(verdict.to_json())),
        _File("inventory.csv", "what is kept, why, how long, and what uses it", _table(kept)),
        *_notices(in_force),
        *_receipts(in_force, subject),
        *_label(subject.label),
        _File("promises.md", "what the software promises, and the tests of it", _promises_page()),
    ]
    if carried is not None and carried != subject.policy:
        files.append(_File("bundle-policy.toml", "the policy in the bundle", carried))
    if subject.tests is not None:
        files.append(_File("tests.xml", "the report of a test run, as given", subject.tests))
    found = _Found(policy=policy, verdict=verdict, needless=unused(kept), carried=carried)
    return Evidence(
        files={INDEX: _index(subject, found, files)} | {file.name: file.data for file in files},
        sound=verdict.passed and not found.needless,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    policy: Policy
    verdict: Verdict
    needless: Sequence[Kept]
    carried: bytes | None


def _carried(subject: Subject) -> bytes | None:
    """Return the policy inside the bundle."""
    if subject.bundle is None:
        return None
    return archive.read_members(subject.bundle).get(archive.POLICY)


def _notices(policy: Policy) -> Iterable[_File]:
    for purpose in policy.purposes:
        for language in policy.languages:
            # The token marks one showing, so it is no part of what is read.
            notice = write_notice(policy, purpose, language, token="sample")  # noqa: S106
            text = f"{notice}\n\n[SHA-256 {notice.hash}]\n"
            what = f"the notice of {purpose.id} in {language}, both layers"
            yield _File(f"notice-{purpose.id}-{language}.txt", what, text.encode())


def _receipts(policy: Policy, subject: Subject) -> Iterable[_File]:
    for name, data in receipt_samples(policy, at=subject.at).items():
        yield _File(name, "a sample of the receipt that a shopper gets", data)


def _label(found: FoundLabel | None) -> Iterable[_File]:
    if found is None:
        return
    from shelfrank.types import LANGUAGES
    from shelfrank_training.publish.label_page import label_page

    yield _File("label.json", "what the bundle promises", _json(found.label.raw))
    for language in LANGUAGES:
        page = label_page(found, language).encode()
        yield _File(f"label-{language}.html", f"the same for people, in {language}", page)


def _check_page(verdict: Verdict) -> bytes:
    lines = [
        f"# Policy {verdict.policy}, checked on {verdict.on}",
        "",
        f"**{'Passed' if verdict.passed else 'Failed'}**, under: "
        + "; ".join(f"{law_name(one)} (`{one}`)" for one in verdict.presets)
        + ".",
        "",
        NOT_LEGAL_ADVICE["en"],
        "",
        *_markdown(
            ("rule", "outcome", "what must hold", "source", "found"),
            [
                (
                    judged.rule.id,
                    judged.outcome,
                    judged.rule.sentence,
                    judged.rule.source,
                    "; ".join(f"{f.where}: {f.got}, wanted {f.wanted}" for f in judged.faults),
                )
                for judged in verdict.rules
            ],
        ),
        "",
        "## What the laws ask for",
        "",
        *_markdown(
            ("law", "about", "what it says", "since", "source", "evidence", "checked", "answer"),
            [
                (
                    duty.fact.preset,
                    duty.fact.key,
                    duty.fact.value,
                    str(duty.fact.effective_from or ""),
                    duty.fact.source,
                    duty.fact.evidence,
                    str(duty.fact.checked_on),
                    f"{duty.by}: {duty.answer}",
                )
                for duty in verdict.duties
            ],
        ),
    ]
    return _page(lines)


def _promises_page() -> bytes:
    lines = ["# What the software promises", "", "Tests are in the source folder.", ""]
    lines += _markdown(
        ("", "promise", "tests"),
        [(one.id, one.says, ", ".join(one.tests)) for one in promises("invariant")],
    )
    lines += ["", "## Beyond the law", ""]
    lines += _markdown(
        ("", "promise", "what the law asks", "tests"),
        [(one.id, one.says, one.law, ", ".join(one.tests)) for one in promises("beyond")],
    )
    return _page(lines)


def _index(subject: Subject, found: _Found, files: list[_File]) -> bytes:
    policy, verdict = found.policy, found.verdict
    passed = "passed" if verdict.passed else "**failed**"
    needless = ", ".join(f"{row.purpose}.{row.field}" for row in found.needless)
    receipts = any(file.name.startswith("receipt") for file in files)
    facts = [
        f"Responsible: {'; '.join(f'{c.name} ({c.contact})' for c in policy.controllers)}.",
        f"The check {passed}, under {', '.join(verdict.presets)}.",
        _reviews(policy),
        f"Kept for nothing: {needless or 'nothing'}.",
        _bundle_line(subject, found.carried),
        f"Receipts: {'samples are below' if receipts else 'no sample here'}.",
        f"Tests: {'a report is below' if subject.tests else 'no report was given (--tests)'}.",
    ]
    digests = [
        (f"[{file.name}]({file.name})", file.what, hashlib.sha256(file.data).hexdigest())
        for file in files
    ]
    lines = [
        f"# Evidence on policy {policy.id}, version {policy.version}",
        "",
        f"Gathered on {subject.at.date()} by `shelfrank privacy evidence`.",
        NOT_LEGAL_ADVICE["en"],
        "",
        *(f"- {fact}" for fact in facts),
        "",
        *_markdown(("file", "what it is", "SHA-256"), digests),
    ]
    return _page(lines)


def _reviews(policy: Policy) -> str:
    if not policy.reviews:
        return "Reviewed by nobody who signed for it."
    return "Reviewed by " + "; ".join(f"{one.by} on {one.on}" for one in policy.reviews) + "."


def _bundle_line(subject: Subject, carried: bytes | None) -> str:
    if subject.bundle is None or subject.label is None:
        return "Bundle: none was given."
    if carried is None:
        same = "it carries no policy"
    elif carried == subject.policy:
        same = "it carries this very policy"
    else:
        same = "it carries another policy; notices and inventory show the stricter of both"
    digest = hashlib.sha256(subject.bundle).hexdigest()
    return f"Bundle: {subject.label.title} ({subject.label.standing}); {same}; SHA-256 {digest}."


def _table(kept: Sequence[Kept]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in kept:
        writer.writerow(_flat(value) for value in row.to_json().values())
    return out.getvalue().encode()


def _flat(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _json(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(columns), "|" + "---|" * len(columns), *map(line, rows)]


def _page(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
