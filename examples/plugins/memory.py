"""A long-term memory in SQLite: what a user asked to be remembered is told to the model each time."""

import sqlite3
from contextlib import closing

from attrs import field, frozen

from hookline import Message, Request, TextBlock, Turn, hookimpl
from hookline.plugin import Outcome, option

_TABLE = "CREATE TABLE IF NOT EXISTS facts (user TEXT, fact TEXT, PRIMARY KEY (user, fact))"


@frozen
class Memory:
    """Keeps each message that begins with a keyword, for its user alone.

    Attributes:
        path: the SQLite file; made if it is not there.
        keyword: what such a message begins with.
        most: how many facts of a user are told, the latest first.

    """

    contract = ">=1,<2"
    samples = ("Remember: my ants are black.",)
    path: str = "memory.sqlite"
    keyword: str = field(default="Remember:", metadata=option(harmless=True))
    most: int = field(default=20, metadata=option(harmless=True, least=1))

    @hookimpl
    async def build_history(self, turn: Turn, request: Request) -> Request | None:
        """Tell what is known of the user."""
        facts = await turn.io.run_blocking(self._facts, turn.principal.user or "")
        if not facts:
            return None
        return request.with_system("What you know of the user:\n- " + "\n- ".join(facts))

    @hookimpl
    async def conclude(self, turn: Turn, outcome: Outcome) -> None:
        """Remember what was asked to be remembered, once the turn went well."""
        if outcome.reply is None or outcome.reply.refusal is not None or not turn.asks_model:
            return
        told = [each for each in outcome.reply.request.messages if each.role == "user"]
        facts = [fact for message in told for fact in self._told(message)]
        if facts:
            await turn.io.run_blocking(self._keep, turn.principal.user or "", facts)

    def _told(self, message: Message) -> list[str]:
        texts = (block.text for block in message.blocks if isinstance(block, TextBlock))
        return [
            text.removeprefix(self.keyword).strip()
            for text in texts
            if text.startswith(self.keyword)
        ]

    def _facts(self, user: str) -> list[str]:
        with closing(self._opened()) as database:
            rows = database.execute(
                "SELECT fact FROM facts WHERE user = ? ORDER BY rowid DESC LIMIT ?",
                (user, self.most),
            )
            return [fact for (fact,) in rows]

    def _keep(self, user: str, facts: list[str]) -> None:
        with closing(self._opened()) as database, database:
            database.executemany(
                "INSERT OR IGNORE INTO facts VALUES (?, ?)", [(user, fact) for fact in facts]
            )

    def _opened(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=10)
        database.execute(_TABLE)
        return database
