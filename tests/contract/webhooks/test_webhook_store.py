"""What every store of webhooks keeps to."""

from shared.contracts.webhooks import WebhookChanges, WebhookFilter, WebhookStatus
from tests.contract.webhooks.conftest import Stores
from tests.contract.webhooks.samples import webhook


class TestWebhookStore:
    async def test_keeps_webhooks_and_their_secrets_apart(self, stores: Stores) -> None:
        """A stored webhook is given as it was; its secret only when asked for."""
        one = webhook(filter={"events": ("execution.*",), "templates": ("deploy",)})
        await stores.webhooks.add(one, "sealed")
        assert await stores.webhooks.get("wh_1") == one
        assert list(await stores.webhooks.sealed_secrets("wh_1", 0)) == ["sealed"]
        assert await stores.webhooks.get("wh_2") is None
        assert list(await stores.webhooks.sealed_secrets("wh_2", 0)) == []

    async def test_changes_only_what_is_given(self, stores: Stores) -> None:
        """What the changes leave out stays, and nothing is made where nothing was."""
        one = webhook(description="old")
        await stores.webhooks.add(one, "sealed")
        narrow = WebhookFilter(events=("step.failed",), templates=("deploy",))
        changed = await stores.webhooks.change("wh_1", WebhookChanges(filter=narrow), 7_000)
        assert changed == one.model_copy(update={"filter": narrow, "changed_at_ms": 7_000})
        moved = WebhookChanges(url="https://hooks.example.com/y", description="")
        await stores.webhooks.change("wh_1", moved, 8_000)
        found = await stores.webhooks.get("wh_1")
        assert found is not None
        assert (found.url, found.description, found.filter) == (moved.url, "", narrow)
        assert await stores.webhooks.change("wh_2", moved, 8_000) is None
        assert await stores.webhooks.get("wh_2") is None

    async def test_a_new_secret_stands_beside_the_old_one(self, stores: Stores) -> None:
        """Until the overlap ends both are given, the new one first; then the new one alone."""
        await stores.webhooks.add(webhook(), "first")
        rotated = await stores.webhooks.rotate("wh_1", "$second", 7_000, 9_000)
        assert rotated == webhook(rotated_at_ms=7_000, old_secret_until_ms=9_000)
        assert list(await stores.webhooks.sealed_secrets("wh_1", 8_999)) == ["$second", "first"]
        assert list(await stores.webhooks.sealed_secrets("wh_1", 9_000)) == ["$second"]
        await stores.webhooks.rotate("wh_1", "third", 9_500, 9_900)
        assert list(await stores.webhooks.sealed_secrets("wh_1", 9_600)) == ["third", "$second"]
        assert await stores.webhooks.rotate("wh_2", "none", 7_000, 9_000) is None

    async def test_lists_the_newest_first(self, stores: Stores) -> None:
        """The one made last comes first."""
        for number in (1, 3, 2):
            await stores.webhooks.add(webhook(number), "sealed")
        assert [w.id for w in await stores.webhooks.all()] == ["wh_3", "wh_2", "wh_1"]

    async def test_removes(self, stores: Stores) -> None:
        """A removed webhook is gone, and removing it again changes nothing."""
        await stores.webhooks.add(webhook(), "sealed")
        assert await stores.webhooks.remove("wh_1")
        assert not await stores.webhooks.remove("wh_1")
        assert await stores.webhooks.get("wh_1") is None

    async def test_disables_once(self, stores: Stores) -> None:
        """Of several calls that disable, one is told that it did."""
        await stores.webhooks.add(webhook(), "sealed")
        assert await stores.webhooks.disable("wh_1", "gone", 7_000)
        assert not await stores.webhooks.disable("wh_1", "other", 8_000)
        assert not await stores.webhooks.disable("wh_9", "none", 8_000)
        found = await stores.webhooks.get("wh_1")
        assert found is not None
        assert (found.status, found.disabled_reason, found.disabled_at_ms) == (
            WebhookStatus.DISABLED,
            "gone",
            7_000,
        )

    async def test_enables_with_a_clean_slate(self, stores: Stores) -> None:
        """Enabling forgets failures; enabling one that is enabled changes nothing."""
        await stores.webhooks.add(webhook(), "sealed")
        await stores.webhooks.failed("wh_1", 6_000)
        await stores.webhooks.disable("wh_1", "gone", 7_000)
        enabled = await stores.webhooks.enable("wh_1", 9_000, 5)
        assert enabled == webhook(enabled_at_ms=9_000, after_seq=5)
        assert await stores.webhooks.enable("wh_1", 9_500, 6) == enabled
        assert await stores.webhooks.enable("wh_2", 9_500, 6) is None

    async def test_counts_failures_since_the_last_success(self, stores: Stores) -> None:
        """Failures add up, with the time of the first; a success forgets them."""
        await stores.webhooks.add(webhook(), "sealed")
        await stores.webhooks.failed("wh_1", 5_000)
        failing = await stores.webhooks.failed("wh_1", 6_000)
        assert failing is not None
        assert (failing.consecutive_failures, failing.failing_since_ms) == (2, 5_000)
        await stores.webhooks.succeeded("wh_1", 7_000)
        well = await stores.webhooks.get("wh_1")
        assert well is not None
        assert (well.consecutive_failures, well.failing_since_ms) == (0, 0)
        assert well.last_success_at_ms == 7_000
        assert await stores.webhooks.failed("wh_2", 5_000) is None
