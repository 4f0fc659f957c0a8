"""The routes of Map: places, colours, picked samples and drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assay.app.server import map_data
from assay.app.server.browse_view import BrowseView, open_view
from assay.app.server.picked import pick_samples
from assay.app.server.requests import answer_errors, read_body, read_field
from assay.app.server.review_session import ReviewSession
from assay.curation.errors import UserError
from assay.curation.features import image_map, scan_settings
from assay.pipelines.indexing import draw_map
from assay.pipelines.jobs import job_files, tasks

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

LARGEST = 16 << 20  # bytes of a pick: two million positions


def make_map_routes(session: Callable[[], ReviewSession]) -> list[Route]:
    """Make the routes of Map; each works in a thread."""

    def view() -> BrowseView:
        return open_view(session())

    def answer_packed(pack: Callable[[BrowseView, str], bytes], name: str) -> Callable:
        """Answer with what `pack` makes of one word of the query."""

        @answer_errors
        async def answer(request: Request) -> Response:
            found = await run_in_threadpool(pack, view(), request.query_params.get(name, ""))
            return Response(found, media_type="application/octet-stream")

        return answer

    @answer_errors
    async def pick(request: Request) -> Response:
        asked = await read_body(request, LARGEST)
        return JSONResponse(await run_in_threadpool(pick_samples, view(), asked))

    @answer_errors
    async def drawing(request: Request) -> Response:
        bench = session().bench
        if request.method == "POST":
            wanted = read_field(await read_body(request), "do", str, "")
            await run_in_threadpool(change_drawing, bench, wanted)
        return JSONResponse(await run_in_threadpool(describe_drawing, bench))

    return [
        Route("/assay/map/places", answer_packed(map_data.pack_places, "drawn")),
        Route("/assay/map/colours", answer_packed(map_data.pack_colours, "by")),
        Route("/assay/map/drawing", drawing, methods=["GET", "POST"]),
        Route("/assay/picked", pick, methods=["POST"]),
    ]


def describe_drawing(bench: Bench) -> dict[str, Any]:
    """Say which maps there are, and what is at work on one.

    Returns dict scanned, method and key of the map, components (whether they are drawn), job: None, or dict name,
    state, text, share, error.
    """
    kept = image_map.load_map(bench)
    job = find_job(bench)
    fields = ("name", "state", "question", "text", "share", "error")
    return dict(
        scanned=scan_settings.is_scanned(bench),
        method=kept and kept.method,
        key=kept and kept.key,
        components=image_map.load_components(bench) is not None,
        job=job and {name: job.get(name) for name in fields},
    )


def find_job(bench: Bench) -> dict | None:
    """Find what draws the map, or the scan that it waits for."""
    names = (draw_map.JOB, f"{tasks.PREFIX}scan")
    found = {job["name"]: job for job in job_files.list_jobs(bench) if job["name"] in names}
    running = [job for job in found.values() if job["state"] == "running"]
    return next(iter(running or found.values()), None)


def change_drawing(bench: Bench, wanted: str) -> None:
    """Start a drawing or scan, stop it, or dismiss a failed one."""
    job = find_job(bench)
    if wanted == "stop":
        return job_files.stop_job(bench, job) if job else None
    if wanted == "dismiss":
        return job_files.dismiss_job(bench, job["name"]) if job else None
    if job and job["state"] == "running":
        raise UserError(f"expected nobody at work on the map, found {job['name']}", "stop it first")
    if wanted == "scan":
        tasks.launch_task(bench, "scan")
    elif wanted in map_data.METHODS:
        draw_map.start_drawing(bench, wanted)
    else:
        expected = ", ".join((*map_data.METHODS, "scan", "stop", "dismiss"))
        raise UserError(f"expected one of {expected}, found another value", "reload the page")
