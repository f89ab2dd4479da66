"""What a field is good for is said of the models, and is what their graph does."""

from __future__ import annotations

import onnx
import pytest

from shelfrank import testing
from shelfrank.bundle import archive
from shelfrank.bundle.manifest import Manifest
from shelfrank.consent.purposes import FIELD_NAMES
from shelfrank_training.errors import PublishError
from shelfrank_training.privacy.uses import needless, uses_of_graph, uses_of_models


def demo_model():
    members = archive.read_members(testing.demo_bundle())
    return members[archive.MODEL], Manifest.parse(members[archive.MANIFEST]).model.parts


def test_what_is_said_of_the_models_is_what_their_graph_does():
    assert uses_of_graph(*demo_model()) == uses_of_models()


def test_every_field_has_its_answer():
    assert tuple(uses_of_models()) == FIELD_NAMES


def test_a_graph_that_reads_quantities_is_seen_to():
    data, parts = demo_model()
    model = onnx.load_from_string(data)
    (node,) = [node for node in model.graph.node if "part_popularity" in node.output]
    node.input.append("event_quantity")

    assert uses_of_graph(model.SerializeToString(), parts)["quantity"] == ("popularity",)


def test_a_graph_put_together_otherwise_is_refused():
    data, parts = demo_model()
    model = onnx.load_from_string(data)
    (node,) = [node for node in model.graph.node if "parts" in node.output]
    node.op_type = "Sum"

    with pytest.raises(PublishError, match="no Concat"):
        uses_of_graph(model.SerializeToString(), parts)


@pytest.mark.parametrize(
    ("name", "kinds", "reason"),
    [
        ("item", ["view"], None),
        ("brand", ["view"], None),
        ("quantity", ["purchase"], "quantity, which no part of the score uses"),
        ("quantity", ["view", "like"], "quantity, of events that have none"),
        ("location", ["view"], None),
    ],
)
def test_a_field_is_needless_where_nothing_reads_it(name, kinds, reason):
    assert needless(name, kinds) == reason
