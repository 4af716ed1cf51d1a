"""The webhooks of one gateway, put together, with one life."""

from __future__ import annotations

import random
from dataclasses import dataclass

from services.gateway.parts import Parts
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.bounds import Bounds, BoundsKeeper
from services.gateway.webhooks.delivery import DeliveryWorker, Pace
from services.gateway.webhooks.fanout import FanOut
from services.gateway.webhooks.judging import DisablingRule, Judge
from services.gateway.webhooks.operations import WebhookOperations
from services.gateway.webhooks.schedule import RetrySchedule
from services.gateway.webhooks.sending import Sender
from services.gateway.webhooks.signing_secrets import SigningSecrets
from services.gateway.webhooks.targets import TargetRules
from services.gateway.webhooks.vocabulary import Vocabulary

KEY_FILE = "webhooks.key"


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Call `start` before, `close` after."""

    operations: WebhookOperations
    fanout: FanOut
    worker: DeliveryWorker
    keeper: BoundsKeeper
    judge: Judge
    vocabulary: Vocabulary

    @classmethod
    def of(cls, parts: Parts, settings: GatewaySettings) -> Webhooks:
        """Put the parts together. The key that seals secrets is made in `home` if it is missing."""
        ports, clock = parts.webhooks, parts.clock
        signing = SigningSecrets(ports.webhooks, clock, settings.home / KEY_FILE)
        rules = TargetRules(settings.webhook_allow_private, settings.webhook_allow_http)
        judge = Judge(
            ports.webhooks,
            ports.deliveries,
            parts.sink,
            RetrySchedule(settings.webhook_retry_s, random.random),
            DisablingRule(
                settings.webhook_disable_failures, round(settings.webhook_disable_after_s * 1_000)
            ),
            clock,
            parts.ids,
        )
        worker = DeliveryWorker(
            ports.webhooks,
            ports.deliveries,
            Sender(rules, settings.webhook_timeout_s, clock),
            judge,
            signing,
            clock,
            Pace(
                settings.webhook_concurrency, settings.webhook_timeout_s, settings.webhook_grace_s
            ),
        )
        fanout = FanOut(
            ports.feed,
            ports.webhooks,
            ports.deliveries,
            clock,
            settings.webhook_source,
            worker.wake,
        )
        vocabulary = Vocabulary(parts.templates)
        operations = WebhookOperations(
            parts,
            worker,
            fanout,
            signing,
            rules,
            vocabulary,
            limit=settings.webhook_limit,
        )
        bounds = Bounds(
            settings.webhook_log_kept, settings.webhook_dead_kept, settings.webhook_pending_limit
        )
        keeper = BoundsKeeper(ports.webhooks, ports.deliveries, judge, bounds)
        return cls(operations, fanout, worker, keeper, judge, vocabulary)

    def start(self) -> None:
        """Begin to follow events and to send."""
        self.fanout.start()
        self.worker.start()
        self.keeper.start()

    async def close(self) -> None:
        """Take no more events, and let attempts under way end within the grace."""
        await self.fanout.close()
        await self.keeper.close()
        await self.worker.close()
