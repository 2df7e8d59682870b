"""Django: a view that replies, and one that streams; each worker process has a pipeline of its own.

Put ``urlpatterns`` into your URLs. A pipeline is made when a process first needs it, so that a server that
forks its workers does not share connections between them.
"""

import atexit
from collections.abc import Iterator
from functools import cache

from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_POST

from hookline import HooklineError, InputError, Pipeline, PolicyViolation, Principal, Stream
from hookline.send_options import SendOptions

CONFIG = {"plugins": {"retry": {"attempts": 2}}}


@cache
def line() -> Pipeline:
    """Return this process's pipeline."""
    made = Pipeline(config=CONFIG, context={"service": "django"})
    atexit.register(made.close)
    return made


@require_POST
def ask(request: HttpRequest) -> JsonResponse:
    """Reply to the form field ``text``."""
    try:
        reply = line().send(request.POST.get("text", ""), **told(request))
    except InputError as error:
        return JsonResponse({"error": str(error)}, status=400)
    except PolicyViolation as error:
        return JsonResponse({"error": str(error)}, status=403)
    except HooklineError:
        return JsonResponse({"error": "no answer; try again later"}, status=502)
    return JsonResponse({"text": reply.text, "cost": str(reply.cost)})


@require_POST
def stream(request: HttpRequest) -> HttpResponseBase:
    """Reply to the form field ``text`` while the reply is written."""
    try:
        opened = line().stream(request.POST.get("text", ""), **told(request))
    except InputError as error:
        return JsonResponse({"error": str(error)}, status=400)
    return StreamingHttpResponse(pieces(opened), content_type="text/plain; charset=utf-8")


def pieces(opened: Stream) -> Iterator[str]:
    """Yield the text; Django closes this generator when the reader leaves, and so the connection."""
    with opened:
        yield from opened.text


def told(request: HttpRequest) -> SendOptions:
    """Return on whose behalf a request is made, and what plugins may know of it."""
    user = getattr(request, "user", None)
    name = user.get_username() if user is not None and user.is_authenticated else ""
    return {"principal": Principal(user=name), "context": {"path": request.path}}


urlpatterns = [path("ask", ask), path("stream", stream)]
