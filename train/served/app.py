"""The web server: the page, and what it asks, as FastAPI has it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from schemas.errors import UserError
from train.served import shapes
from train.served.guard import BODY_BYTES, App, Guard, HostNames
from train.served.heads import Served
from train.served.server import Server
from train.served.turns import Busy, TooSlow, Turns
from train.served.vectors import ServedVectors

FILES = {"page.css": "text/css", "page.js": "text/javascript"}
ABOUT = "__ABOUT__"  # its place in page.html
TITLE = "Questions to encoders: words for masks, classes, tags, answers, vectors and the sentences nearest to them."
SAID = {
    413: f"The question has more than {BODY_BYTES:,} bytes",
    422: "What is wrong with the question",
    503: "Too many questions wait already",
    504: "The answer took too long",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": shapes.Error, "description": text} for code, text in SAID.items()
}


def make_app(
    models: Sequence[Served],
    names: HostNames,
    vectors: ServedVectors | None = None,
    turns: Turns | None = None,
    body_bytes: int = BODY_BYTES,
) -> App:
    """An ASGI application behind its guard."""
    server = Server(models, vectors, turns or Turns())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        server.turns.close()

    # The pages of docs_url and redoc_url are made of scripts from elsewhere.
    app = FastAPI(title="wanyu", description=TITLE, version="1", docs_url=None, redoc_url=None, lifespan=lifespan)
    _pages(app, server)
    _questions(app, server)
    _errors(app)
    return Guard(app, names, body_bytes)


def _pages(app: FastAPI, server: Server) -> None:
    folder = resources.files("train.served")
    about = server.about().model_dump_json().replace("<", "\\u003c")  # so that no name can end the script it stands in
    page = (folder / "page.html").read_text(encoding="utf-8").replace(ABOUT, about)

    def file(path: str, content: str, kind: str) -> None:
        @app.get(path, include_in_schema=False)
        async def read() -> Response:
            return Response(content, media_type=kind)

    file("/", page, "text/html")
    for name, kind in FILES.items():
        file(f"/{name}", (folder / name).read_text(encoding="utf-8"), kind)


def _questions(app: FastAPI, server: Server) -> None:
    @app.get("/models", summary="What is served, and how much may be asked at once")
    async def models() -> shapes.About:
        return server.about()

    @app.post("/fill-mask", responses=ERRORS, summary="The likeliest words for each [MASK]")
    async def fill_mask(question: shapes.MaskQuestion) -> shapes.Answers[shapes.Filled]:
        return await server.fill_mask(question)

    @app.post("/classify", responses=ERRORS, summary="The class of each text or pair, or its number")
    async def classify(question: shapes.ClassifyQuestion) -> shapes.Answers[shapes.Classified]:
        return await server.classify(question)

    @app.post("/tag", responses=ERRORS, summary="Stretches of one kind in each text, as names")
    async def tag(question: shapes.TagQuestion) -> shapes.Answers[shapes.Tagged]:
        return await server.tag(question)

    @app.post("/answer", responses=ERRORS, summary="Where in its context the answer to each question stands")
    async def answer(question: shapes.AnswerQuestion) -> shapes.Answers[shapes.Answered]:
        return await server.answer(question)

    @app.post("/embed", responses=ERRORS, summary="The vector of each text: the mean of its tokens, of the last layer")
    async def embed(question: shapes.EmbedQuestion) -> shapes.Answers[shapes.Embedded]:
        return await server.embed(question)

    @app.post("/nearest", responses=ERRORS, summary="The sentences nearest to each text, by cosine")
    async def nearest(question: shapes.NearestQuestion) -> shapes.Answers[shapes.Neighbours]:
        return await server.nearest(question)


def _errors(app: FastAPI) -> None:
    """Each as {"error": one line}."""

    def told(status: int, text: str) -> JSONResponse:
        return JSONResponse({"error": " ".join(text.split())}, status)

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> Response:
        return told(422, problem(error.errors()[0]))

    @app.exception_handler(UserError)
    async def refused(_: Request, error: UserError) -> Response:
        return told(422, str(error))

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        known = {
            400: "the question cannot be read: see /openapi.json",
            404: f"there is no {request.url.path[:80]} here: see /openapi.json",
            405: f"{request.url.path[:80]} is asked by another method: see /openapi.json",
        }
        return told(error.status_code, known.get(error.status_code, str(error.detail)))

    @app.exception_handler(Busy)
    async def busy(_: Request, error: Busy) -> Response:
        return told(503, "too many questions wait already: ask again in a moment")

    @app.exception_handler(TooSlow)
    async def slow(_: Request, error: TooSlow) -> Response:
        return told(504, "the answer took too long: ask for fewer or shorter texts at once")

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        return told(500, "the server failed at this question: its terminal shows how")


def problem(error: dict[str, Any]) -> str:
    """A mistake that pydantic found, in plain words, with the field it is in."""
    at = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"][1:]).lstrip(".")
    context = error.get("ctx", {})
    match error["type"]:
        case "json_invalid":
            return "the question is no JSON: see /openapi.json"
        case "model_attributes_type" | "dict_type" if not at:
            return "the question is no JSON object, or not sent as application/json: see /openapi.json"
        case "missing":
            return f"{at or 'the question'} is missing: see /openapi.json"
        case "extra_forbidden":
            return f"{at} is no field of this question: see /openapi.json"
        case "string_too_long":
            return f"{at} has more than {context['max_length']:,} characters: shorten it"
        case "too_long":
            return f"{at} has more than {context['max_length']:,} entries: ask in parts"
        case "too_short":
            return f"{at} is empty: there is nothing to ask"
        case "string_unicode":
            return f"{at} is no text that Unicode knows: it holds half of a sign"
        case "value_error":
            return f"{at or 'the question'} {context['error']}".strip()
        case _:
            return f"{at or 'the question'}: {error['msg'][:1].lower()}{error['msg'][1:]}"
