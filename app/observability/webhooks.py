"""Webhook attempts in numbers: what came of each, and how long it took."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30)


class WebhookMetrics:
    """The instruments."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "comfyburst_webhook_attempts",
            "Attempts by what became of the delivery: `pending` is tried again, `exhausted` is not.",
            ("status",),
            registry=registry,
        )
        self._seconds = Histogram(
            "comfyburst_webhook_attempt_seconds",
            "From taking a delivery to having written down what came of it.",
            buckets=_SECONDS,
            registry=registry,
        )

    def attempted(self, status: str, seconds: float) -> None:
        """Count an attempt."""
        self._attempts.labels(status).inc()
        self._seconds.observe(seconds)
