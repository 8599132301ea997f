# SPDX-License-Identifier: Apache-2.0
"""Metrics as Prometheus reads them, and the page for people."""

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from tests.python.wire.test_http_calls import HTTP, asked
from tests.python.wire.test_http_hostile import GOOD, INFER
from tests.python.wire.wire_server import WireServer, wire_server


def text_of(server: WireServer, path: str) -> str:
    answer = urllib3.request("GET", server.endpoint + path)
    assert answer.status == 200
    return answer.data.decode()


def samples(server: WireServer, path: str) -> dict[tuple[str, ...], float]:
    """Values by name, model and further labels."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text_of(server, path))
        for sample in family.samples
    }


def test_metrics_count_what_happened() -> None:
    with wire_server(f"serve(Doubler(), Sums(), {HTTP})") as server:
        before = samples(server, "/metrics")
        assert before["remotemedia_requests_total", "doubler", "answered"] == 0
        rows = {"inputs": [{**GOOD["inputs"][0], "shape": [2, 1]}]}
        for body in (GOOD, rows, rows):
            assert asked(server, INFER, body)[0] == 200
        assert asked(server, "/v2/models/sums/infer", GOOD)[0] == 400
        opens = {
            "inputs": [{"name": "x", "datatype": "INT64", "shape": [1], "data": [3]}],
            "parameters": {"sequence_id": 5, "sequence_start": True},
        }
        assert asked(server, "/v2/models/sums/infer", opens)[0] == 200
        after = samples(server, "/metrics")
        assert after["remotemedia_requests_total", "doubler", "answered"] == 3
        assert after["remotemedia_model_runs_total", "doubler"] == 3
        assert after["remotemedia_model_rows_total", "doubler"] == 5
        assert after["remotemedia_sessions", "sums"] == 1
        assert after["remotemedia_serving", "doubler"] == 1
        buckets = [value for key, value in after.items() if key[0].endswith("_bucket") and "doubler" in key]
        assert buckets == sorted(buckets)
        assert buckets[-1] == after["remotemedia_request_duration_seconds_count", "doubler"] == 3
        assert 0 < after["remotemedia_request_duration_seconds_sum", "doubler"] < 60


def test_metrics_have_the_names_of_a_triton_when_asked() -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        for count in (1, 2):
            assert asked(server, INFER, GOOD)[0] == 200
            told = samples(server, "/metrics?names=triton")
            assert told["nv_inference_request_success_total", "doubler", "1"] == count
            assert told["nv_inference_compute_infer_duration_us_total", "doubler", "1"] > 0
        assert all(key[0].startswith("nv_") for key in told)


def test_names_of_models_are_no_part_of_the_page_or_the_metrics() -> None:
    name = '<script>"a\\\\b"</script>'
    with wire_server(f"Doubler.model_id = {name!r}\nserve(Doubler(), {HTTP})") as server:
        page = text_of(server, "/")
        assert "<script>" not in page
        assert "&lt;script&gt;" in page
        assert samples(server, "/metrics")["remotemedia_queue_depth", name] == 0


def test_the_page_shows_each_model() -> None:
    with wire_server(f"serve(Doubler(), Sums(), {HTTP})") as server:
        assert asked(server, INFER, GOOD)[0] == 200
        assert samples(server, "/metrics")["remotemedia_serving", "doubler"] == 1
        page = text_of(server, "/")
        assert "doubler" in page
        assert "sums" in page
        assert page.count('class="well"') == 2
        assert asked(server, "/v2/repository/models/doubler/unload", {})[0] == 200
        page = text_of(server, "/")
        assert page.count('class="well"') == 1
        assert '<td class="ill">unloaded</td>' in page
        assert samples(server, "/metrics")["remotemedia_serving", "doubler"] == 0


REGISTRIES = """
def loads():
    return [1]

def fails():
    raise ValueError("not there")

def count():
    shared = rm.registry()
    for key in ("a", "a", "b"):
        shared.get_or_load(key, loads, memory_bytes=100).release()
    shared.evict("a")
    shared.get_or_load("b", loads, memory_bytes=100).release()
    for _ in range(2):
        with contextlib.suppress(rm.LoadFailed):
            shared.get_or_load("c", fails)
    small = rm.ModelRegistry(rm.RegistryConfig(max_models=1))
    for key in ("one", "other"):
        small.get_or_load(key, loads).release()
    small.clear()
    allocator = rm.SharedMemoryAllocator(rm.AllocatorConfig(max_memory_bytes=2_000_000))
    held = [allocator.allocate_tensor(1_500_000) for _ in range(3)]
    say(str([each.storage for each in held]))
"""


def test_metrics_tell_of_registries_and_allocators() -> None:
    with wire_server(f"{REGISTRIES}\ncount()\nserve(Doubler(), {HTTP})") as server:
        for _ in range(2):
            told = samples(server, "/metrics")
            assert told["remotemedia_model_loads_total", "loaded"] == 4
            assert told["remotemedia_model_loads_total", "failed"] >= 1
            assert told["remotemedia_model_load_duration_seconds_count",] == 4
            assert told["remotemedia_model_load_duration_seconds_bucket", "+Inf"] == 4
            assert told["remotemedia_model_hits_total",] >= 2
            assert told["remotemedia_model_evictions_total", "asked"] == 2
            assert told["remotemedia_model_evictions_total", "pressure"] == 1
            assert told["remotemedia_model_evictions_total", "time"] == 0
            assert told["remotemedia_models_in_memory",] == 1
            assert told["remotemedia_models_in_memory_bytes",] == 100
            assert told["remotemedia_shared_memory_fallbacks_total", "budget"] == 2
    assert "['shared_memory', 'heap', 'heap']" in server.program.lines
