"""What kind of server it is, by the settings, by its own word, by its host, and by what it shows of itself."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final
from warnings import catch_warnings, simplefilter

from hookline.cli.doctor.found import Found, State
from hookline.config import Settings
from hookline.errors import HooklineError, PluginWarning

if TYPE_CHECKING:
    from hookline.pipeline import Pipeline
    from hookline.profiles import Profile
    from hookline.send_options.options import SendOptions

__all__ = ["opened", "profile"]

_SECONDS: Final = 5.0  # that a server may take to answer
_TELLING: Final = "The quick brown fox jumps over the"
_LACKS: Final = {
    "documents": "documents",
    "url_sources": "links",
    "output_config": "output_config",
    "count_tokens": "counts of tokens",
    "files": "files",
}


def opened(config: str | None) -> "Pipeline":
    """Return a pipeline that asks the server, and does not wait for long."""
    from hookline.pipeline import Pipeline  # noqa: PLC0415 -- only where the server is asked

    with catch_warnings():
        simplefilter("ignore", PluginWarning)  # a broken plugin has been found already
        return Pipeline(config=config, timeout=_SECONDS)


def profile(settings: Settings, config: str | None, headers: Mapping[str, str]) -> Iterator[Found]:
    """Tell what kind of server it is, and let one of an uncertain kind show its habits.

    Args:
        settings: may name a profile; else the server's own word counts, and then its host.
        config: a settings file, as for ``Pipeline``.
        headers: of an answer, by which a server may name itself.

    """
    with opened(config) as line:
        claude = line.profile.claude and line.model_table.is_claude(settings.model)
        if line.profile.repeats_prefill == "learned" and not claude:
            try:
                _asked(line)
            except HooklineError as error:
                what = f"whether {settings.model} continues a prefill is not known: {error}"
                yield Found("prefill", "note", what, "name the server's model: HOOKLINE_MODEL")
        for lesson in line.servers.lessons:
            if lesson.name != "name":
                yield Found("prefill", "good", str(lesson))
        named = line.servers.table.named_by(headers)
        if settings.server and named is not None and named.name != line.profile.name:
            what = f"it calls itself {named.name}, and is taken for {line.profile.name}"
            yield Found("profile", "finding", what, f'say so: server = "{named.name}"')
            return
        taken = named if named is not None and not settings.server else line.profile
        how = "as the settings say" if settings.server else "by its host"
        if named is not None and not settings.server:
            how = "by the headers of its answers"
        unknown = taken.name == "generic"
        state: State = "note" if unknown else "good"
        fix = "name it if it is one that is known: HOOKLINE_SERVER" if unknown else ""
        yield Found("profile", state, f"{taken.name}, {how}{_lacking(taken)}", fix)


def _lacking(taken: "Profile") -> str:
    lacks = [words for name, words in _LACKS.items() if not getattr(taken, name)]
    return f"; it is without {', '.join(lacks)}" if lacks else ""


def _asked(line: "Pipeline") -> None:
    """Let the server continue words that nobody says by chance, whole and streamed, for one token each."""
    options: SendOptions = {"prefill": _TELLING, "max_tokens": 1}
    line.send("Say a sentence.", **options)
    with line.stream("Say a sentence.", **options) as stream:
        _ = stream.reply  # which reads it to its end
