"""/api/jobs, of which the ComfyUI on the package index (0.3.75) has nothing: against captures alone."""

from typing import Any

import pytest

from tests.comfy_images.engine.captures import load, shape, timeless
from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.graphs import empty, node, probe, save, saved_color, steps


async def test_a_job_is_found_wherever_it_is(client: EngineClient) -> None:
    captured = load("jobs.json")
    running = await client.submit(steps(10, 0.02), client_id="c")
    await client.running(running)
    prompt = {"1": empty(40), "2": save("1", "meta")}
    workflow = {"workflow": {"id": "11111111-2222-4333-8444-555555555555"}}
    pending = await client.submit(prompt, client_id="c", extra_data={"extra_pnginfo": workflow})

    in_progress = (await client.get(f"/api/jobs/{running}")).body
    waiting = (await client.get(f"/api/jobs/{pending}")).body
    await client.finished(pending)
    completed = (await client.get(f"/api/jobs/{pending}")).body

    assert in_progress.keys() == captured["job running"].keys()
    assert in_progress["status"] == "in_progress"
    assert waiting.keys() - {"workflow_id"} == captured["job pending"].keys()
    assert waiting["status"] == "pending"
    assert completed["workflow_id"] == workflow["workflow"]["id"]
    assert shape(completed).keys() == shape(captured["job completed"]).keys()
    assert timeless(completed["preview_output"]) == timeless(
        captured["job completed"]["preview_output"]
    )


async def test_an_unknown_job_is_not_found_and_has_no_short_route(client: EngineClient) -> None:
    answer = await client.get("/api/jobs/nosuch")

    assert (answer.status, answer.body) == (404, {"error": "Job not found"})
    assert (await client.get("/jobs/nosuch")).status == 404


async def test_an_interrupted_job_is_a_failed_one(client: EngineClient) -> None:
    prompt_id = await client.submit(steps(1000, 0.02), client_id="c")
    await client.running(prompt_id)
    await client.interrupted(prompt_id)

    job = (await client.get(f"/api/jobs/{prompt_id}")).body

    assert job["status"] == "failed"
    assert job.keys() == load("jobs.json")["job interrupted"].keys()


async def test_the_list_is_newest_first_whatever_the_state(client: EngineClient) -> None:
    await client.post("/history", {"clear": True})
    done = await client.submit(saved_color(41), client_id="c")
    await client.finished(done)
    running = await client.submit(steps(30, 0.02), client_id="c")
    await client.running(running)
    pending = await client.submit(saved_color(42), client_id="c")

    listed = (await client.get("/api/jobs")).body
    oldest = (await client.get("/api/jobs", params={"sort_order": "asc", "limit": 1})).body
    await client.post("/interrupt")
    await client.finished(pending)

    assert [(job["id"], job["status"]) for job in listed["jobs"]] == [
        (pending, "pending"),
        (running, "in_progress"),
        (done, "completed"),
    ]
    assert listed["pagination"] == {"offset": 0, "limit": None, "total": 3, "has_more": False}
    assert [job["id"] for job in oldest["jobs"]] == [done]
    assert oldest["pagination"] == {"offset": 0, "limit": 1, "total": 3, "has_more": True}
    assert "outputs" not in listed["jobs"][-1]


async def test_the_list_can_be_filtered_by_state_and_workflow(client: EngineClient) -> None:
    await client.post("/history", {"clear": True})
    workflow = {"extra_pnginfo": {"workflow": {"id": "w1"}}}
    await client.run(saved_color(43), prompt_id="plain")
    await client.run(saved_color(44), prompt_id="of-workflow", extra_data=workflow)
    failing = {"7": probe("Error", kind="OSError", message="x"), "2": save("7")}
    await client.run(failing, prompt_id="failed")

    async def ids(**query: str) -> list[str]:
        return [job["id"] for job in (await client.get("/api/jobs", params=query)).body["jobs"]]

    assert await ids(status="failed") == ["failed"]
    assert await ids(status="completed,failed") == ["failed", "of-workflow", "plain"]
    assert await ids(status="pending") == []
    assert await ids(workflow_id="w1") == ["of-workflow"]
    assert await ids(offset="-4", limit="1") == ["failed"]
    assert await ids(offset="1", limit="1") == ["of-workflow"]
    assert await ids(offset="9") == []


async def test_jobs_can_be_sorted_by_how_long_they_took(client: EngineClient) -> None:
    await client.post("/history", {"clear": True})
    await client.run(steps(5, 0.05), prompt_id="slow")
    await client.run(saved_color(45), prompt_id="quick")

    query = {"sort_by": "execution_duration", "sort_order": "asc"}
    jobs = (await client.get("/api/jobs", params=query)).body["jobs"]

    assert [job["id"] for job in jobs] == ["quick", "slow"]


async def test_only_files_count_as_outputs(client: EngineClient) -> None:
    """Neither texts nor the flag `animated`, as captured."""
    moving = {"images": ["1", 0], "filename_prefix": "m", "fps": 6.0, "compress_level": 4}
    prompt = {
        "1": empty(46, batch_size=2),
        "2": node("PreviewAny", source="a text"),
        "3": node("SaveAnimatedPNG", **moving),
        "4": save("1", "two"),
    }
    await client.run(prompt, prompt_id="counted")

    assert (await client.get("/api/jobs/counted")).body["outputs_count"] == 3


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        (
            {"status": "bogus"},
            "Invalid status value(s): bogus. Valid values: pending, in_progress, completed, failed",
        ),
        ({"limit": "0"}, "limit must be a positive integer"),
        ({"sort_by": "x"}, "sort_by must be 'created_at' or 'execution_duration'"),
        ({"sort_order": "x"}, "sort_order must be 'asc' or 'desc'"),
        ({"limit": "x"}, "limit must be a positive integer"),
        ({"offset": "x"}, "offset must be an integer"),
    ],
)
async def test_a_query_that_cannot_be_is_refused(
    client: EngineClient, query: Any, complaint: str
) -> None:
    """The first three are captured, word for word."""
    answer = await client.get("/api/jobs", params=query)

    assert (answer.status, answer.body) == (400, {"error": complaint})
