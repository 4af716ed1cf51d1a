"""What every store of deliveries keeps to."""

import asyncio

from shared.contracts.webhooks import ATTEMPTS_KEPT, DeliveryStatus
from tests.contract.webhooks.conftest import Stores
from tests.contract.webhooks.samples import outcome, queued

LEASE = 1_000


class TestDeliveryStore:
    async def test_the_same_delivery_is_queued_once(self, stores: Stores) -> None:
        """An id that is known is left as it is, whatever else comes with it."""
        await stores.deliveries.enqueue([queued(1)])
        await stores.deliveries.enqueue([queued(1, due_at_ms=9), queued(2)])
        claimed = await stores.deliveries.claim(10, LEASE, 10)
        assert [c.delivery.id for c in claimed] == ["msg_001", "msg_002"]
        assert claimed[0].body == '{"number": 1}'
        await stores.deliveries.enqueue([])

    async def test_gives_what_is_due_first(self, stores: Stores) -> None:
        """Claims come in the order in which they are due, up to a limit; the rest is left."""
        await stores.deliveries.enqueue([queued(1, 300), queued(2, 100), queued(3, 200)])
        assert await stores.deliveries.next_due_ms() == 100
        first = await stores.deliveries.claim(250, LEASE, 1)
        second = await stores.deliveries.claim(250, LEASE, 5)
        assert [c.delivery.id for c in [*first, *second]] == ["msg_002", "msg_003"]
        assert await stores.deliveries.next_due_ms() == 300

    async def test_rivals_never_get_the_same(self, stores: Stores) -> None:
        """Several claims at once share the deliveries out."""
        await stores.deliveries.enqueue([queued(n) for n in range(20)])
        claims = await asyncio.gather(*(stores.deliveries.claim(1, LEASE, 8) for _ in range(4)))
        ids = [c.delivery.id for claimed in claims for c in claimed]
        assert len(ids) == len(set(ids)) == 20

    async def test_leaves_webhooks_to_avoid(self, stores: Stores) -> None:
        """Deliveries of busy webhooks are left for later."""
        await stores.deliveries.enqueue([queued(1), queued(2, webhook_id="wh_2")])
        claimed = await stores.deliveries.claim(1, LEASE, 5, avoid=["wh_1"])
        assert [c.delivery.id for c in claimed] == ["msg_002"]

    async def test_a_claim_ends(self, stores: Stores) -> None:
        """What was claimed and not settled is due again after the lease, for anybody; the first
        one's result does not count then."""
        await stores.deliveries.enqueue([queued(1)])
        (first,) = await stores.deliveries.claim(10, LEASE, 5)
        assert await stores.deliveries.claim(LEASE + 9, LEASE, 5) == []
        (second,) = await stores.deliveries.claim(LEASE + 10, LEASE, 5)
        assert not await stores.deliveries.settle(first.delivery, outcome("delivered"))
        assert await stores.deliveries.settle(second.delivery, outcome("delivered"))
        assert not await stores.deliveries.settle(second.delivery, outcome("dead"))

    async def test_a_claim_can_be_given_up(self, stores: Stores) -> None:
        """It is due again at the time that is given, untried; a claim that has ended cannot be."""
        await stores.deliveries.enqueue([queued(1)])
        (first,) = await stores.deliveries.claim(10, LEASE, 5)
        assert await stores.deliveries.release(first.delivery, 20)
        assert not await stores.deliveries.release(first.delivery, 20)
        (second,) = await stores.deliveries.claim(20, LEASE, 5)
        assert (second.delivery.attempt, second.delivery.attempts) == (0, ())
        assert await stores.deliveries.settle(second.delivery, outcome("delivered"))
        assert not await stores.deliveries.release(second.delivery, 30)

    async def test_what_is_left_to_others_does_not_count_as_due(self, stores: Stores) -> None:
        """The next time leaves out webhooks to avoid."""
        await stores.deliveries.enqueue([queued(1, 100), queued(2, 300, webhook_id="wh_2")])
        assert await stores.deliveries.next_due_ms(avoid=["wh_1"]) == 300
        assert await stores.deliveries.next_due_ms(avoid=["wh_1", "wh_2"]) is None

    async def test_records_a_success(self, stores: Stores) -> None:
        """A delivery that arrived is not due again, and tells how it went."""
        await stores.deliveries.enqueue([queued(1)])
        (claimed,) = await stores.deliveries.claim(1, LEASE, 5)
        sent = outcome("delivered")
        assert await stores.deliveries.settle(claimed.delivery, sent)
        found = await stores.deliveries.get("msg_001")
        assert found is not None
        assert (found.status, found.attempt, found.ended_at_ms) == (
            DeliveryStatus.DELIVERED,
            1,
            5_012,
        )
        assert found.attempts == (sent.attempt,)
        assert await stores.deliveries.next_due_ms() is None
        assert await stores.deliveries.claim(10**15, LEASE, 5) == []

    async def test_tries_again_when_it_is_due(self, stores: Stores) -> None:
        """A failed attempt makes the delivery due at the time that is given."""
        await stores.deliveries.enqueue([queued(1)])
        (claimed,) = await stores.deliveries.claim(1, LEASE, 5)
        await stores.deliveries.settle(
            claimed.delivery, outcome("pending", due_at_ms=9_000, code=None)
        )
        assert await stores.deliveries.claim(8_999, LEASE, 5) == []
        (again,) = await stores.deliveries.claim(9_000, LEASE, 5)
        assert (again.delivery.attempt, again.delivery.ended_at_ms) == (1, 0)
        assert again.body == claimed.body

    async def test_keeps_a_bounded_number_of_attempts(self, stores: Stores) -> None:
        """Of very many attempts the newest are kept."""
        await stores.deliveries.enqueue([queued(1)])
        for number in range(1, ATTEMPTS_KEPT + 3):
            (claimed,) = await stores.deliveries.claim(1, 0, 1)
            await stores.deliveries.settle(claimed.delivery, outcome("pending", number=number))
        found = await stores.deliveries.get("msg_001")
        assert found is not None
        assert found.attempt == ATTEMPTS_KEPT + 2
        assert [a.number for a in found.attempts] == list(range(3, ATTEMPTS_KEPT + 3))

    async def test_a_dead_one_is_queued_again(self, stores: Stores) -> None:
        """Redelivery counts attempts anew and keeps the record of the old ones."""
        await stores.deliveries.enqueue([queued(1)])
        assert await stores.deliveries.redeliver("msg_001", 7_000) is None
        (claimed,) = await stores.deliveries.claim(1, LEASE, 5)
        await stores.deliveries.settle(claimed.delivery, outcome("dead"))
        again = await stores.deliveries.redeliver("msg_001", 7_000)
        assert again is not None
        assert (again.status, again.attempt, again.reason) == (DeliveryStatus.PENDING, 0, "")
        assert len(again.attempts) == 1
        assert await stores.deliveries.redeliver("msg_001", 7_000) is None
        assert await stores.deliveries.redeliver("msg_009", 7_000) is None
        (claimed,) = await stores.deliveries.claim(7_000, LEASE, 5)
        assert claimed.body == '{"number": 1}'

    async def test_buries_what_is_pending(self, stores: Stores) -> None:
        """All that is pending for one webhook is given up, also what is claimed."""
        await stores.deliveries.enqueue([queued(1), queued(2), queued(3, webhook_id="wh_2")])
        (claimed,) = await stores.deliveries.claim(1, LEASE, 1)
        assert await stores.deliveries.pending("wh_1", 10) == 2
        assert await stores.deliveries.pending("wh_1", 1) == 1
        assert await stores.deliveries.bury("wh_1", "disabled", 8_000) == 2
        assert await stores.deliveries.pending("wh_1", 10) == 0
        assert not await stores.deliveries.settle(claimed.delivery, outcome("delivered"))
        dead = await stores.deliveries.find(status=DeliveryStatus.DEAD)
        assert [(d.id, d.reason, d.ended_at_ms) for d in dead] == [
            ("msg_002", "disabled", 8_000),
            ("msg_001", "disabled", 8_000),
        ]

    async def test_finds_page_by_page(self, stores: Stores) -> None:
        """Lists are newest first, narrowed by webhook and status, and go on behind the last."""
        await stores.deliveries.enqueue([queued(n, created_at_ms=1_000 + n // 2) for n in range(5)])
        await stores.deliveries.enqueue([queued(9, webhook_id="wh_2")])
        first = await stores.deliveries.find(webhook_id="wh_1", limit=2)
        assert [d.id for d in first] == ["msg_004", "msg_003"]
        last = first[-1]
        rest = await stores.deliveries.find(
            webhook_id="wh_1", before=(last.created_at_ms, last.id), limit=10
        )
        assert [d.id for d in rest] == ["msg_002", "msg_001", "msg_000"]
        assert await stores.deliveries.find(status=DeliveryStatus.DELIVERED) == []
        assert len(await stores.deliveries.find()) == 6

    async def test_trims_the_log(self, stores: Stores) -> None:
        """Of those that arrived and of the dead, the newest of each webhook are kept; pending ones
        always."""
        statuses = ["delivered", "dead", "delivered", "failed", "dead", "delivered"]
        await stores.deliveries.enqueue([queued(n) for n in range(8)])
        for claimed in await stores.deliveries.claim(1, LEASE, 6):
            number = int(claimed.delivery.id.removeprefix("msg_"))
            await stores.deliveries.settle(claimed.delivery, outcome((statuses * 2)[number]))
        settled = await stores.deliveries.find()
        pending = [d.id for d in settled if d.status is DeliveryStatus.PENDING]
        logged = [d.id for d in settled if d.status.value in ("delivered", "failed")]
        dead = [d.id for d in settled if d.status is DeliveryStatus.DEAD]
        forgotten = await stores.deliveries.trim("wh_1", delivered=2, dead=1)
        assert forgotten == len(logged) - 2 + len(dead) - 1
        kept = {d.id for d in await stores.deliveries.find()}
        assert kept == {*pending, *logged[:2], *dead[:1]}
        assert await stores.deliveries.trim("wh_1", delivered=2, dead=1) == 0

    async def test_forgets_a_webhook(self, stores: Stores) -> None:
        """All deliveries of one webhook go."""
        await stores.deliveries.enqueue([queued(1), queued(2), queued(3, webhook_id="wh_2")])
        assert await stores.deliveries.forget("wh_1") == 2
        assert [d.id for d in await stores.deliveries.find()] == ["msg_003"]
