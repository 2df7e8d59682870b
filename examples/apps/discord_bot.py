"""A Discord bot: a conversation for each channel, in one pipeline for all of them.

``DISCORD_TOKEN=… python discord_bot.py`` runs it. It answers where it is mentioned.
"""

import asyncio
import os
from collections import defaultdict
from typing import Any

import discord

from hookline import AsyncConversation, AsyncPipeline, HooklineError, PolicyViolation, Principal

CONFIG = {"plugins": {"retry": {"attempts": 2}}}
MOST = 2000  # characters of a message, says Discord
REMEMBERED = 40  # messages of a channel, the oldest of which are let go


class Bot(discord.Client):
    """Answers where it is mentioned.

    Args:
        line: the pipeline; it stays the caller's to close.

    """

    def __init__(self, line: AsyncPipeline) -> None:
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents)
        self.line = line
        self.chats: dict[int, AsyncConversation] = {}
        self.turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def on_message(self, message: discord.Message) -> None:
        """Answer a message that mentions the bot."""
        if message.author.bot or self.user is None or self.user not in message.mentions:
            return
        # A conversation takes one turn after the other.
        async with self.turns[message.channel.id], message.channel.typing():
            for part in parts(await self.answer(message)):
                await message.reply(part, mention_author=False)

    async def answer(self, message: discord.Message) -> str:
        """Return what to say."""
        chat = self.chats.setdefault(
            message.channel.id,
            self.line.conversation(system="You are a helpful member of a Discord server."),
        )
        chat.messages = chat.messages[-REMEMBERED:]
        try:
            reply = await chat.send(
                message.clean_content,
                principal=Principal(user=str(message.author.id)),
                context={"channel": str(message.channel.id)},
            )
        except PolicyViolation as error:
            return str(error)
        except HooklineError:
            return "I cannot answer at the moment."
        return reply.text or "…"


def parts(text: str) -> list[str]:
    """Return a text in pieces that Discord takes."""
    return [text[start : start + MOST] for start in range(0, len(text), MOST)]


async def run(token: str, **options: Any) -> None:
    """Run the bot until it is stopped; ``options`` are those of ``AsyncPipeline``."""
    async with (
        AsyncPipeline(config=CONFIG, context={"service": "discord"}, **options) as line,
        Bot(line) as bot,
    ):
        await bot.start(token)


if __name__ == "__main__":
    asyncio.run(run(os.environ["DISCORD_TOKEN"]))
