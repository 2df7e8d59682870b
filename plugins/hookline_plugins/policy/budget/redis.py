"""Spending in Redis, for replicas that share no disk.

Two scripts do the work, since Redis runs each of them as a whole. All keys have one hash tag, so that they
lie together in a cluster. A reservation is a key that expires with its lease, a period a hash that
expires a year after its end; what was reserved and never settled stays spent.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from attrs import astuple, field, frozen

from hookline import InputError, MissingExtra
from hookline_plugins.policy.budget.ledger import Charge, Exceeded
from hookline_plugins.policy.budget.limits import Account

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ModuleNotFoundError as missing:
    raise MissingExtra("redis", "redis", "a budget in Redis") from missing

__all__ = ["RedisLedger"]

_KEPT_SECONDS: Final = 400 * 86_400

# KEYS: the reservation, then the period of each charge. ARGV: lease in ms, seconds that periods are kept,
# then field, amount and limit of each charge. Numbers are doubles here, and exact up to 2^53.
_RESERVE: Final = """
local totals = {}
if redis.call('EXISTS', KEYS[1]) == 1 then  -- sent again, after its answer was lost
    for place = 2, #KEYS do
        totals[place - 1] = redis.call('HGET', KEYS[place], ARGV[3 * (place - 1)])
    end
    return {1, unpack(totals)}
end
for place = 2, #KEYS do
    local at = 3 * (place - 1)
    local spent = tonumber(redis.call('HGET', KEYS[place], ARGV[at]) or '0')
    if spent + tonumber(ARGV[at + 1]) > tonumber(ARGV[at + 2]) then
        return {0, place - 2, string.format('%.0f', spent)}
    end
end
for place = 2, #KEYS do
    local at = 3 * (place - 1)
    redis.call('HINCRBY', KEYS[place], ARGV[at], ARGV[at + 1])
    totals[place - 1] = redis.call('HGET', KEYS[place], ARGV[at])
    if not string.find(KEYS[place], ':total:', 1, true) then
        redis.call('EXPIRE', KEYS[place], ARGV[2])
    end
    redis.call('RPUSH', KEYS[1], KEYS[place], ARGV[at], ARGV[at + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {1, unpack(totals)}
"""
# KEYS: the reservation, then the periods. ARGV: what was taken, for each charge.
_SETTLE: Final = """
local kept = redis.call('LRANGE', KEYS[1], 0, -1)
if #kept == 0 then return 0 end
redis.call('DEL', KEYS[1])
for place = 1, #kept / 3 do
    local correction = string.format('%.0f', tonumber(ARGV[place]) - tonumber(kept[3 * place]))
    redis.call('HINCRBY', kept[3 * place - 2], kept[3 * place - 1], correction)
end
return 1
"""


@frozen(eq=False)
class RedisLedger:
    """Spending in a Redis server.

    Attributes:
        url: ``redis://…`` or ``rediss://…``; may hold credentials.
        prefix: in front of every key.
        patience: seconds in which the server must answer.

    """

    url: str = field(repr=False)
    prefix: str = "hookline:budget"
    patience: float = 2.0
    _client: Any = field(init=False, repr=False)
    _reserve: Any = field(init=False, repr=False)
    _settle: Any = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        client = redis.Redis.from_url(
            self.url,
            decode_responses=True,
            socket_timeout=self.patience,
            socket_connect_timeout=self.patience,
            # Once more where a connection had ended, and not where a server is silent: its own
            # default is to wait for that four times, each time for longer.
            retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),
        )
        object.__setattr__(self, "_client", client)
        object.__setattr__(self, "_reserve", client.register_script(_RESERVE))
        object.__setattr__(self, "_settle", client.register_script(_SETTLE))

    def reserve(
        self, reservation: str, charges: Sequence[Charge], lease: float
    ) -> Exceeded | tuple[int, ...]:
        """See ``Ledger.reserve``."""
        keys = [self._open_key(reservation), *(self._period_key(each.account) for each in charges)]
        arguments: list[Any] = [max(1, int(lease * 1000)), _KEPT_SECONDS]
        for each in charges:
            arguments += [_field(each.account), each.amount, each.limit]
        fits, *numbers = self._reserve(keys=keys, args=arguments)
        if fits:
            return tuple(map(int, numbers))
        place, spent = numbers
        return Exceeded(charges[int(place)], int(spent))

    def settle(self, reservation: str, amounts: Sequence[int]) -> bool:
        """See ``Ledger.settle``."""
        return bool(self._settle(keys=[self._open_key(reservation)], args=list(amounts)))

    def spent(self) -> Iterator[tuple[Account, int]]:
        """See ``Ledger.spent``."""
        before = self._key("spent:")
        try:
            for key in self._client.scan_iter(match=f"{_literal(before)}*"):
                per, _, period = key[len(before) :].partition(":")
                for name, spent in self._client.hgetall(key).items():
                    by, subject, unit = json.loads(name)
                    yield Account(by, subject, per, period, unit), int(spent)
        except (redis.RedisError, ValueError) as error:
            raise InputError(f"budget: the spending in Redis cannot be read: {error}") from error

    def open(self) -> None:
        """See ``Ledger.open``; connections are made when they are needed."""

    def close(self) -> None:
        """See ``Ledger.close``."""
        self._client.close()

    def _period_key(self, account: Account) -> str:
        return self._key(f"spent:{account.per}:{account.period}")

    def _open_key(self, reservation: str) -> str:
        return self._key(f"open:{reservation}")

    def _key(self, name: str) -> str:
        return f"{{{self.prefix}}}:{name}"


def _field(account: Account) -> str:
    by, subject, _per, _period, unit = astuple(account)
    return json.dumps([by, subject, unit])


def _literal(text: str) -> str:
    """Return a text as the glob patterns of Redis write it."""
    return "".join(f"\\{c}" if c in "*?[]\\^" else c for c in text)
