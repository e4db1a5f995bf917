"""/api/jobs, of which the ComfyUI on the package index (0.3.75) has nothing: against captures alone."""

from tests.comfy_images.engine.captures import load, shape, timeless
from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.graphs import empty, save, steps


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
    assert shape(completed).keys() == shape(captured["job completed"]).keys()
    assert timeless(completed["preview_output"]) == timeless(
        captured["job completed"]["preview_output"]
    )


async def test_an_unknown_job_is_not_found_and_has_no_short_route(client: EngineClient) -> None:
    answer = await client.get("/api/jobs/nosuch")

    assert (answer.status, answer.body) == (404, {"error": "Job not found"})
    assert (await client.get("/jobs/nosuch")).status == 404
