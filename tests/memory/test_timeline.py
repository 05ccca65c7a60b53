"""Storages and the graph of a step, played by hand."""

from __future__ import annotations

from trainlint.memory.timeline import Graph, Node, Storage, Timeline, total

KIB = 1024


def test_the_peak_says_what_was_alive() -> None:
    timeline = Timeline()
    weights = timeline.allocate(4 * KIB, "parameters", 1, pinned=True)
    first = timeline.allocate(8 * KIB, "activations", 2)
    timeline.free(first)
    timeline.allocate(2 * KIB, "activations", 3)
    timeline.settle()
    assert timeline.peak.allocated == 12 * KIB
    assert timeline.peak.roles == {"parameters": 4 * KIB, "activations": 8 * KIB}
    assert timeline.peak.lines == {1: 4 * KIB, 2: 8 * KIB}
    assert timeline.peak.line == 2
    assert not weights.dead


def test_backward_frees_what_was_kept_and_leaves_gradients() -> None:
    """Two linear layers: y = b(a(x)); the gradient of x is not wanted."""
    timeline = Timeline()
    graph = Graph(timeline)
    x = timeline.allocate(KIB, "batch", 0)
    hidden = timeline.allocate(2 * KIB, "activations", 1)
    graph.add(Node(1, (11,), (), (("a", 3 * KIB),), (x,), ()))
    graph.add(Node(2, (12,), ((11, 2 * KIB, False),), (("b", 5 * KIB),), (hidden,), ()))
    released: list[Storage] = []
    timeline.phase = "backward"
    graph.backward(12, 512, released.append)
    assert released == [hidden, x]
    assert {key: g.size for key, g in graph.gradients.items()} == {"a": 3 * KIB, "b": 5 * KIB}
    assert total(timeline.by_role(), "temporary") == 0
    # both weights' gradients, that of the hidden layer, and what was kept (nothing frees it here)
    assert timeline.peak.allocated == (1 + 2 + 2 + 5 + 3) * KIB
    graph.clear(["a"])
    assert set(graph.gradients) == {"b"}


def test_a_second_backward_adds_to_the_gradients() -> None:
    timeline = Timeline()
    graph = Graph(timeline)
    for _ in range(2):
        graph.add(Node(1, (1,), (), (("w", KIB),), (), ()))
        graph.backward(1, 512, lambda storage: None)
    assert timeline.allocator.allocated == KIB


def test_a_view_shares_the_gradient() -> None:
    timeline = Timeline()
    graph = Graph(timeline)
    graph.add(Node(1, (1,), (), (("w", KIB),), (), ()))
    graph.add(Node(2, (2,), ((1, 4 * KIB, True),), (), (), ()))
    timeline.watch()
    graph.backward(2, 4 * KIB, lambda storage: None)
    assert timeline.peak.allocated == 5 * KIB


def test_a_graph_that_nobody_holds_dies() -> None:
    timeline = Timeline()
    graph = Graph(timeline)
    kept = timeline.allocate(KIB, "activations", 1)
    graph.add(Node(1, (1,), (), (), (kept,), ()))
    graph.drop(set(), timeline.free)
    assert kept.dead
    assert not graph.reaches(1)


def test_a_graph_dies_with_the_last_value_that_hangs_on_it() -> None:
    """y = b(a(x)) and z = c(a(x)): without y only b goes, without z all."""
    timeline = Timeline()
    graph = Graph(timeline)
    kept = [timeline.allocate(KIB, "activations", number) for number in range(3)]
    graph.add(Node(1, (11,), (), (("a", KIB),), (kept[0],), ()))
    graph.add(Node(2, (12,), ((11, KIB, False),), (), (kept[1],), ()))
    graph.add(Node(3, (13,), ((11, KIB, False),), (), (kept[2],), ()))
    released: list[Storage] = []
    graph.forget(11, {12, 13}.__contains__, released.append)
    assert released == []
    graph.forget(12, {13}.__contains__, released.append)
    assert released == [kept[1]]
    aged = graph.age()
    assert not graph.reaches(13)
    assert graph.reaches(aged[13])
    graph.forget(aged[13], set[int]().__contains__, released.append)
    assert released == [kept[1], kept[2], kept[0]]
