"""What holds for any graph, any version, any chain of steps."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.workflow import graph
from shared.workflow.definition import Step, version_key
from tests.unit.workflow.scenario import Run, step

NAMES = [f"s{n}" for n in range(7)]
NUMBERS = st.integers(0, 20)
PARTS = st.lists(
    st.integers(0, 20).map(str) | st.from_regex(r"[a-z][a-z0-9-]{0,3}", fullmatch=True), max_size=3
)


@st.composite
def drawn_steps(draw: st.DrawFn) -> list[Step]:
    """Draw steps that depend on any of each other, in groups or not."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    return [
        Step(
            id=name,
            command="noop",
            depends_on=tuple(draw(st.lists(st.sampled_from(names), max_size=2))),
            parallel_group=draw(st.sampled_from([None, None, "g1"])),
        )
        for name in names
    ]


def ends(dependencies: dict[str, set[str]]) -> bool:
    """Tell whether everything can end, by starting whatever is ready until nothing is."""
    done: set[str] = set()
    while ready := {s for s, before in dependencies.items() if s not in done and before <= done}:
        done |= ready
    return len(done) == len(dependencies)


@settings(deadline=None)
@given(drawn_steps())
def test_graphs_are_ordered_or_cyclic(steps: list[Step]) -> None:
    """A graph is built exactly when every step can end, and its order respects every edge."""
    group = {s.id for s in steps if s.parallel_group}
    shared = {name for s in steps if s.parallel_group for name in s.depends_on} - group
    needed = {s.id: set(s.depends_on) | (shared if s.id in group else set()) for s in steps}
    built, problems = graph.build(steps)
    assert (built is not None) == ends(needed) == (problems == [])
    if built is None:
        return
    place = {name: index for index, name in enumerate(built.order)}
    for name, before in needed.items():
        assert set(built.dependencies[name]) == before
        assert all(place[other] < place[name] for other in before)
        assert built.ancestors[name] == before.union(*(built.ancestors[b] for b in before))
        assert all(name in built.dependents[other] for other in before)


@settings(deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS, PARTS, PARTS)
def test_versions_have_one_order(
    major: int, minor: int, patch: int, pre: list[str], other: list[str]
) -> None:
    """A pre-release is before its release, and a longer one after the shorter it begins with."""
    core = f"{major}.{minor}.{patch}"
    written = f"{core}-{'.'.join(pre)}" if pre else core
    assert version_key(core) < version_key(f"{major}.{minor}.{patch + 1}")
    assert (version_key(written) < version_key(core)) == bool(pre)
    if pre and other:
        longer = f"{written}.{'.'.join(other)}"
        assert version_key(written) < version_key(longer) < version_key(core)


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_a_chain_runs_each_step_once(outcomes: list[bool]) -> None:
    """A chain of tolerated outcomes runs to its end, and the end names each failure."""
    run = Run(
        *(
            step(f"s{n}", *([f"s{n - 1}"] if n else []), continue_on_failure=True)
            for n in range(len(outcomes))
        )
    )
    run.request()
    for index, succeeds in enumerate(outcomes):
        (run.succeed if succeeds else run.fail)(f"s{index}")
    assert run.status == ("completed" if all(outcomes) else "completed_with_errors")
    assert all(len(s.attempts) == 1 for s in run.state.steps.values())
