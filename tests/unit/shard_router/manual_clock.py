"""A clock that stands still until the test moves it."""

import asyncio


class ManualClock:
    """shard_router.clock.Clock."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_us(self) -> int:
        return round(self.now_s * 1_000_000)

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now_s + seconds, woken))
        await woken

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        sleeping = asyncio.create_task(self.sleep(seconds))
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait({sleeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waiting.cancel()
        return event.is_set()

    @property
    def pauses_s(self) -> list[float]:
        """How long each sleeper still has."""
        return [until_s - self.now_s for until_s, woken in self._sleepers if not woken.done()]

    def advance(self, seconds: float) -> None:
        """Wakes whoever's time has come."""
        self.now_s += seconds
        due = [woken for until_s, woken in self._sleepers if until_s <= self.now_s]
        self._sleepers = [s for s in self._sleepers if s[0] > self.now_s and not s[1].done()]
        for woken in due:
            if not woken.done():
                woken.set_result(None)
