"""Mining: proposals from recorded commands. The same commands give the same proposals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.commands.registry import CommandRegistry
from shared.learning.records import RecordedCommand
from shared.mining.acts import Corpus, Stretch, corpus_of, without_repeats
from shared.mining.chance import Background, significant
from shared.mining.drafting import Evidence
from shared.mining.episodes import Grower, Workflow
from shared.mining.foreseeing import foreseen_keys
from shared.mining.options import MiningOptions
from shared.mining.patterns import Keys, Pattern, frequent
from shared.mining.proposals import Proposal
from shared.mining.proposing import Finding, Known, Proposer
from shared.mining.sessions import sessions_of
from shared.mining.settling import settled
from shared.mining.undoing import undo_pairs

DEFAULT: Final = MiningOptions()
COVERED: Final = 0.6
"""Share of common steps from which a workflow is one that was found already."""
MOST_FRUITLESS: Final = 300
"""Patterns in a row that grow into what was found already, after which the search ends."""
MOST_GROWN: Final = 400
"""Workflows that are grown from patterns; the patterns that cover most come first."""
WEEK_MS: Final = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Mined:
    """What was found, best first, and how much was looked at."""

    proposals: tuple[Proposal, ...]
    commands: int
    stretches: int
    patterns: int
    significant: int
    undoing: int
    cut_short: bool


@dataclass(frozen=True, slots=True)
class Searched:
    """Stretches with only what is frequent, and the patterns in them that chance does not
    explain, each with log10 of its p-value."""

    corpus: Corpus
    stretches: tuple[Stretch, ...]
    sequences: tuple[tuple[int, ...], ...]
    patterns: Mapping[Keys, Pattern]
    significant: Mapping[Keys, float]
    cut_short: bool


def mine(
    commands: Sequence[RecordedCommand],
    registry: CommandRegistry,
    options: MiningOptions = DEFAULT,
    known: Known | None = None,
) -> Mined:
    """The proposals for what was recorded, best first. `commands` are in the order of the record;
    `known` is what is there already, or was refused."""
    newest = commands[-options.most_commands :]
    found = search(newest, options)
    pairs = {
        many: undo_pairs(found.corpus.stretches, many) for many in (1, options.shared_after_users)
    }
    proposer = Proposer(registry, options, known or Known(), pairs)
    weeks = _weeks(newest)
    findings = [
        Finding(evidence, owner, evidence.sessions, log_p, weeks)
        for workflow, log_p in workflows(found, options)
        for owner, evidence in scopes(workflow, found.stretches, options)
    ]
    findings.sort(key=lambda one: (bool(one.owner), -one.sessions * len(one.evidence.acts)))
    proposals = [one for one in map(proposer.of, findings) if one is not None]
    return Mined(
        tuple(sorted(proposals, key=lambda one: (-one.score, one.id))[: options.most_proposals]),
        len(newest),
        len(found.corpus.stretches),
        len(found.patterns),
        len(found.significant),
        len(pairs[options.shared_after_users]),
        found.cut_short,
    )


def search(commands: Sequence[RecordedCommand], options: MiningOptions) -> Searched:
    """The patterns in what was recorded that are frequent and not explained by chance."""
    corpus = corpus_of(sessions_of(commands))
    support = max(options.min_sessions, int(options.share_of_sessions * len(corpus.stretches)))
    holding: Counter[int] = Counter()
    for one in corpus.stretches:
        holding.update({act.key for act in one.acts})
    often = {key for key, many in holding.items() if many >= support}
    kept = often & foreseen_keys(corpus.stretches, options.gap + 1)
    stretches = tuple(
        Stretch(one.user, one.host, without_repeats([a for a in one.acts if a.key in kept]))
        for one in corpus.stretches
    )
    sequences = tuple(tuple(act.key for act in one.acts) for one in stretches)
    found = frequent(sequences, support, options)
    users = [one.user for one in stretches]
    background = Background([len(one) for one in sequences], options.gap + 1, users)
    remarkable = significant(found.patterns, background, options.significance)
    return Searched(corpus, stretches, sequences, found.patterns, remarkable, found.cut_short)


def workflows(found: Searched, options: MiningOptions) -> Iterator[tuple[Workflow, float]]:
    """The workflows that the significant patterns are threads of, each once, with log10 of the
    p-value of the pattern that it grew from."""
    grower = Grower(found.sequences, options)
    covered: list[Counter[int]] = []
    fruitless = 0
    for keys in sorted(
        found.significant,
        key=lambda keys: (-found.patterns[keys].support * (len(keys) - 1), keys),
    ):
        if len(covered) >= MOST_GROWN or fruitless >= MOST_FRUITLESS:
            return
        if any(_share(Counter(keys), one) >= COVERED for one in covered):
            continue
        workflow = grower.grown(keys)
        fruitless += 1
        steps = Counter(key for key, _ in workflow.slots)
        if len(workflow.slots) < 2 or any(_share(steps, one) >= COVERED for one in covered):
            continue
        covered.append(steps)
        fruitless = 0
        yield workflow, found.significant[keys]


def scopes(
    workflow: Workflow, stretches: Sequence[Stretch], options: MiningOptions
) -> Iterator[tuple[str, Evidence]]:
    """For whom a workflow can be written: for all where enough users ran it, or for each user who
    ran it often enough alone. With what is known for them."""
    users = {stretches[one.stretch].user for one in workflow.episodes}
    if len(users) >= options.shared_after_users:
        fair = without_majority(workflow, stretches)
        evidence = settled(fair, stretches, options.ordered, options.shared_after_users)
        enough = evidence is not None and evidence.sessions >= options.min_sessions
        if enough and evidence is not None and evidence.users >= options.shared_after_users:
            yield "", evidence
            return
    for user in sorted(users):
        own = replace(
            workflow,
            episodes=tuple(e for e in workflow.episodes if stretches[e.stretch].user == user),
        )
        if len(own.stretches) >= options.min_sessions:
            evidence = settled(own, stretches, options.ordered, 1)
            if evidence is not None and evidence.sessions >= options.min_sessions:
                yield user, evidence


def without_majority(workflow: Workflow, stretches: Sequence[Stretch]) -> Workflow:
    """The workflow with no more runs of one user than all others have together: the latest ones.
    So nobody alone says in what order its steps are, or which value is usual."""
    runs = Counter(stretches[one.stretch].user for one in workflow.episodes)
    user, most = max(runs.items(), key=lambda one: (one[1], one[0]))
    leave = most - (runs.total() - most)
    kept = []
    for one in workflow.episodes:
        if leave > 0 and stretches[one.stretch].user == user:
            leave -= 1
        else:
            kept.append(one)
    return replace(workflow, episodes=tuple(kept))


def _share(one: Counter[int], other: Counter[int]) -> float:
    return (one & other).total() / max(1, (one | other).total())


def _weeks(commands: Sequence[RecordedCommand]) -> float:
    times = [one.at_ms for one in commands if one.at_ms]
    return (max(times) - min(times)) / WEEK_MS if times else 0.0
