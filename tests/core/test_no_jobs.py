"""New jobs are refused while nobody can promise to keep them."""

from tests.core.query_farm import QueryFarm

JOB = {
    "name": "j",
    "user_name": "artist",
    "blocks": [{"name": "b", "flags": 1, "frame_first": 1, "frame_last": 2}],
}


def test_a_job_is_refused_with_the_reason_of_the_store_and_taken_later() -> None:
    farm = QueryFarm()
    farm.farm.why_no_jobs = lambda: "The store cannot be written: No space left on device."
    answer = farm.json({"job": JOB})
    assert answer == {"id": 0, "serial": 0, "error": "The store cannot be written: No space left on device."}
    assert "j" not in farm.farm.jobs.by_name
    farm.farm.why_no_jobs = str
    assert farm.json({"job": JOB})["id"] > 0
