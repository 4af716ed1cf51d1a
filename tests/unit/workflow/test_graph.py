"""What waits for what."""

from shared.workflow import graph
from shared.workflow.definition import Step
from shared.workflow.errors import Problem
from shared.workflow.graph import Graph
from tests.unit.workflow.scenario import step


def built(*steps: dict[str, object]) -> Graph:
    made, problems = graph.build([Step.model_validate(s) for s in steps])
    assert problems == []
    assert made is not None
    return made


def refused(*steps: dict[str, object]) -> list[Problem]:
    made, problems = graph.build([Step.model_validate(s) for s in steps])
    assert made is None
    return problems


def test_steps_are_in_topological_order() -> None:
    """Each step comes after those it waits for; where that leaves it open, as the author wrote."""
    made = built(step("c", "b"), step("a"), step("b", "a"), step("d"))
    assert made.order == ("a", "d", "b", "c")
    assert made.dependencies["c"] == ("b",)
    assert made.dependents["a"] == ("b",)
    assert made.ancestors["c"] == {"a", "b"}


def test_a_group_stands_for_its_members() -> None:
    """To wait for a parallel group is to wait for all of its members."""
    made = built(step("a", parallel_group="g"), step("b", parallel_group="g"), step("c", "g"))
    assert made.dependencies["c"] == ("a", "b")


def test_a_group_becomes_ready_together() -> None:
    """Each member of a group waits for what any member waits for."""
    made = built(
        step("x"), step("a", "x", parallel_group="g"), step("b", parallel_group="g"), step("c")
    )
    assert made.dependencies["b"] == ("x",)
    assert made.dependencies["c"] == ()


def test_members_may_wait_for_each_other() -> None:
    """A member that waits for another member keeps that, without the others doing so."""
    made = built(step("a", parallel_group="g"), step("b", "a", parallel_group="g"))
    assert made.dependencies == {"a": (), "b": ("a",)}


def test_a_name_may_be_given_twice() -> None:
    """Naming a dependency twice is naming it once."""
    assert built(step("a"), step("b", "a", "a")).dependencies["b"] == ("a",)


def test_unknown_dependencies_are_named() -> None:
    """Every dependency that does not exist is reported, with what there is."""
    problems = refused(step("a", "nowhere", parallel_group="g"), step("b", "nothing"))
    assert [(p.path, p.code) for p in problems] == [
        ("steps/0/depends_on", "unknown_dependency"),
        ("steps/1/depends_on", "unknown_dependency"),
    ]
    assert problems[1].fix == "use one of: a, g"


def test_an_unknown_dependency_of_the_only_step() -> None:
    """Where there is nothing to wait for, the advice is to remove the dependency."""
    (problem,) = refused(step("a", "nowhere"))
    assert problem.fix == "remove it: there is nothing to wait for"


def test_a_group_cannot_be_called_like_a_step() -> None:
    """A name means a step or a group, never both."""
    (problem,) = refused(step("a"), step("b", parallel_group="a"))
    assert (problem.path, problem.code) == ("steps/1/parallel_group", "group_name_taken")


def test_cycles_are_shown() -> None:
    """Steps that wait for each other are reported with the whole cycle and how to break it."""
    (problem,) = refused(step("z"), step("a", "z", "c"), step("b", "a"), step("c", "b"))
    assert problem.code == "cyclic_dependencies"
    assert problem.message == "steps wait for each other: a → c → b → a"
    assert "'c' from the depends_on of 'a'" in problem.fix


def test_a_step_cannot_wait_for_itself() -> None:
    """The smallest cycle is one step, directly or through its own group."""
    assert refused(step("a", "a"))[0].message.endswith("a → a")
    assert refused(step("a", "g", parallel_group="g"))[0].message.endswith("a → a")


def test_a_cycle_through_a_group() -> None:
    """A step between two members of one group cannot be: they become ready together."""
    problems = refused(
        step("a", parallel_group="g"),
        step("between", "a"),
        step("b", "between", parallel_group="g"),
    )
    assert problems[0].code == "cyclic_dependencies"


def test_a_step_behind_a_cycle_is_not_part_of_it() -> None:
    """The reported cycle holds only steps that wait for each other."""
    (problem,) = refused(step("behind", "a"), step("a", "b"), step("b", "a"))
    assert problem.message.endswith("a → b → a")
