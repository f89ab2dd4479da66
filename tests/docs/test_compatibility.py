"""compatibility.md says what pyproject.toml and the code say."""

from __future__ import annotations

import re
import tomllib

from shelfrank.bundle import catalog, manifest, trust
from shelfrank.consent import journal, record
from shelfrank.history import envelope
from shelfrank.rights import exported
from shelfrank_training.aggregates import info
from shelfrank_training.export import folder, writer
from support.markdown import REPOSITORY, table_rows

PAGE = REPOSITORY / "sdk/docs/compatibility.md"
ROWS = {row[0]: row[1:] for row in table_rows(PAGE)}
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_floors_are_those_of_the_package():
    floors = dict(requirement.split(">=") for requirement in PROJECT["dependencies"])

    assert {name: ROWS[name][0] for name in floors} == floors
    assert f">={ROWS['Python'][0]}" == PROJECT["requires-python"]


def test_the_formats_are_those_of_the_code():
    read = {
        "bundle manifest": manifest.FORMATS,
        "bundle roots": trust.ROOT_FORMATS,
        "bundle catalog": catalog.CATALOG_FORMATS,
        "history": (envelope.FORMAT,),
        "export": (exported.FORMAT,),
        "record of choices": (record.FORMAT,),
        "journal of choices": (journal.FORMAT,),
        "aggregates": (info.FORMAT,),
        "model folder": (folder.FORMAT,),
    }

    for name, formats in read.items():
        assert ROWS[name] == [str(formats[-1]), ", ".join(map(str, formats))], name


def test_the_opset_is_that_of_the_exporter():
    stated = re.search(r"opset (\d+)", PAGE.read_text(encoding="utf-8"))

    assert stated is not None
    assert int(stated[1]) == writer.OPSET
