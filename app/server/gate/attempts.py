"""Wrong access tokens: a line in the log, and a delay that grows with each attempt."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

FIRST_DELAY = 0.1  # seconds; doubles with each wrong token
LONGEST_DELAY = 5.0
_FREE = 3  # wrong tokens without a delay: a person who mistypes
_MOST_ADDRESSES = 1_000  # remembered, the latest


@dataclass(slots=True)
class _Address:
    wrong: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Attempts:
    """Wrong tokens by the address of the client. Attempts of one address are answered one after the other."""

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, _Address] = OrderedDict()

    async def wrong(self, address: str) -> None:
        """Count and log a wrong token, and wait before it is answered."""
        known = self._addresses.pop(address, None) or _Address()
        self._addresses[address] = known
        while len(self._addresses) > _MOST_ADDRESSES:
            self._addresses.popitem(last=False)
        known.wrong += 1
        log.warning("Wrong access token from %s (%d so far).", address, known.wrong)
        async with known.turn:
            await asyncio.sleep(self.delay(address))

    def delay(self, address: str) -> float:
        """Seconds that a wrong token of this address waits now."""
        known = self._addresses.get(address)
        beyond = known.wrong - _FREE if known else 0
        return min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(beyond - 1, 20)) if beyond > 0 else 0.0

    def right(self, address: str) -> None:
        """Forget the wrong tokens of an address that has the right one."""
        self._addresses.pop(address, None)
