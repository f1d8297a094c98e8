"""The exception for a payload that gives no page."""


class RefusedPayload(Exception):
    """A payload that gives no page: `reason` out of schemas.extract.RECORD_REASONS."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail
