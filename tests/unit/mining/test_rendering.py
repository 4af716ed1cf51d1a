"""Values in scripts stay values, whatever is in them."""

from __future__ import annotations

import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mining.lifting import Member, lift
from shared.mining.rendering import shell_of
from shared.mining.splitting import parts_of
from shared.workflow.declared import Parameter, ParameterType

TEXT = Parameter(type=ParameterType.STRING)
HOSTILE = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"),
    min_size=1,
    max_size=30,
)


def _script() -> tuple[str, dict[str, str]]:
    runs = ["printf '%s' /srv/ann.cfg ann | cat", "printf '%s' /srv/bob.cfg bob | cat"]
    columns = [[Member("ann", parts_of(line, "/w")[0]) for line in runs]]
    lifted = lift(columns, 1, [False])
    assert lifted is not None
    shell = shell_of(lifted.steps[0].words, (), ["who"], {"who": TEXT})
    return shell["script"], shell["env"]


@given(HOSTILE)
@settings(max_examples=30, deadline=None)
def test_a_value_means_nothing_to_the_shell(value: str) -> None:
    """What a script prints of a value is that value, also within a word, with quotes, `$`, `;` and
    line ends in it."""
    script, env = _script()
    assert env == {"WHO": "${{ params.who }}"}
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", script], env={"WHO": value}, capture_output=True, check=True
    )
    assert done.stdout.decode() == f"/srv/{value}.cfg{value}"
