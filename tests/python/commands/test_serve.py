# SPDX-License-Identifier: Apache-2.0
"""`remotemedia serve` with a loader: what it says, what it serves, how it ends."""

import json
import signal
import socket
from pathlib import Path

import numpy as np
import pytest

import remotemedia as rm
from tests.python.commands.command import Command, Serve, objects, run, run_each


def test_it_serves_what_a_class_makes_and_says_when(serve: Serve, folder: Path) -> None:
    command = Command("serve", "models:Doubler", "--endpoint", f"unix:{folder}/a", folder=folder)
    assert command.ready() == f"ready unix:{folder}/a\n"
    with rm.ModelWorkerClient.connect(f"unix:{folder}/a") as client:
        assert client.status().model_id == "doubler"
        assert client.infer([[1, 2]]).to_numpy().tolist() == [[2, 4]]
    code, output, log = command.end(signal.SIGTERM)
    assert (code, output) == (0, "")
    assert "asked to end, and drains" in log
    assert log.endswith("info: ended, all 1 accepted requests answered\n")
    assert not (folder / "a").exists()


def test_in_json_every_line_is_an_object(folder: Path) -> None:
    words = ["--endpoint", f"unix:{folder}/a", "--endpoint", f"unix:{folder}/b", "--log-format", "json"]
    command = Command("serve", "models:Doubler", *words, folder=folder)
    ready = json.loads(command.ready())
    assert ready == {"event": "ready", "model": "doubler", "endpoints": [f"unix:{folder}/a", f"unix:{folder}/b"]}
    for endpoint in ready["endpoints"]:
        with rm.ModelWorkerClient.connect(endpoint) as client:
            assert client.health_check()
    code, output, log = command.end(signal.SIGINT)
    assert (code, output) == (0, "")
    assert all(line.keys() == {"time", "level", "message"} for line in objects(log))
    assert objects(log)[-1]["level"] == "info"
    assert objects(log)[-1]["message"] == "ended, all 0 accepted requests answered"


def test_arguments_are_json_or_text(serve: Serve) -> None:
    _, endpoint = serve("models:scale", "--arg", "by=2.5", "--arg", "text=a=b")
    with rm.ModelWorkerClient.connect(endpoint) as client:
        assert client.status().model_id == "scale 2.5 'a=b'"
        assert client.infer(np.array([2.0])).to_numpy().tolist() == [5]


@pytest.mark.parametrize(("words", "name"), [([], "models"), (["--model-id", "mine"], "mine")])
def test_a_callable_is_named_by_its_module_or_as_told(serve: Serve, words: list[str], name: str) -> None:
    _, endpoint = serve("models:plain", *words)
    with rm.ModelWorkerClient.connect(endpoint) as client:
        assert client.status().model_id == name
        assert client.infer(1).to_numpy() == 2


def test_its_limits_are_the_workers(serve: Serve) -> None:
    command, endpoint = serve("models:Gated", "--max-batch-size", "3", "--max-queue", "1", "--model-id", "limited")
    with rm.ModelWorkerClient.connect(endpoint) as client:
        assert (client.status().model_id, client.status().max_batch_size) == ("limited", 3)
        running = client.infer_future([[-1]])
        command.wait_for("began")
        waiting = client.infer_future([[1]])
        for _ in range(2):
            with pytest.raises(rm.Rejected, match="max_queue"):
                client.infer([[2]])
        command.tell("go")
        assert [running.result().to_numpy(), waiting.result().to_numpy()] == [-2, 2]


def test_what_the_model_prints_and_warns_is_in_the_log(serve: Serve, folder: Path) -> None:
    (folder / "loud.py").write_text("""
import logging, os, warnings
def load():
    print("printed")
    os.system("echo from another process")
    logging.getLogger("loud").info("logged by %s", "its library")
    warnings.simplefilter("always")
    warnings.warn("warned")
    return lambda x: x
""")
    command, _ = serve("loud:load")
    code, output, log = command.end(signal.SIGTERM)
    assert (code, output) == (0, "")
    for text in ("printed\n", "from another process\n", "info: logged by its library\n", "UserWarning: warned"):
        assert text in log


def test_a_loader_tells_how_far_it_is(serve: Serve, folder: Path) -> None:
    (folder / "far.py").write_text("""
def load(progress):
    for stage in ("reading", "warming up"):
        for percent in range(100):
            progress(percent / 100, stage)
    progress(None)
    return lambda x: x
""")
    command, _ = serve("far:load")
    log = command.end(signal.SIGTERM)[2]
    told = [line.partition(" info: ")[2] for line in log.splitlines() if "far:load: " in line]
    assert told[0] == "far:load: reading, 0%"
    assert "far:load: warming up, 0%" in told
    assert told[-1] == "far:load: loading"
    assert len(told) < 10  # and not one for each report


LOADERS = """
import sys
import remotemedia as rm

number = 3
def raises(): raise OSError("no weights\\nin two lines")
def leaves(): sys.exit(7)
def nothing(): pass
async def later(): return lambda x: x
def a_class(): return rm.InferenceModel
class Nameless(rm.InferenceModel): pass
class Torn(rm.InferenceModel):
    model_id = "torn"
    def signature(self): raise KeyError("lost")
class Cold(rm.InferenceModel):
    model_id = "cold"
    def warm_up(self): raise OSError("no weights")
"""


UNLOADABLE = [
    ("none:load", "no module 'none'"),
    ("none.inner:load", "no module 'none'"),
    ("broken:load", "module 'broken' cannot be imported: ModuleNotFoundError: No module named 'not_installed'"),
    ("unreadable:load", "module 'unreadable' cannot be imported: SyntaxError"),
    ("loaders:load", "loaders has no 'load': it has raises, leaves, nothing"),
    ("loaders:number", "loaders:number is no loader, a function or a class, but int"),
    ("loaders:raises", "loaders:raises failed: OSError: no weights"),
    ("loaders:leaves", "loaders:leaves failed: SystemExit: 7"),
    ("loaders:nothing", "loaders:nothing returned NoneType: a model is an InferenceModel or a callable"),
    ("loaders:later", "loaders:later is a coroutine function"),
    ("loaders:a_class", "loaders:a_class returned the class InferenceModel"),
    ("loaders:Nameless", "what loaders:Nameless returned cannot be served: InvalidArgument: Nameless has no model"),
    ("loaders:Torn", "what loaders:Torn returned cannot be served: KeyError: 'lost'"),
    ("loaders:Cold", "model 'cold' failed to warm up: OSError: no weights"),
    ("missing.onnx", "'missing.onnx' is neither a file nor package.module:loader"),
]


def test_what_cannot_be_loaded_is_one_line_and_code_3(folder: Path) -> None:
    (folder / "loaders.py").write_text(LOADERS)
    (folder / "broken.py").write_text("import not_installed\n")
    (folder / "unreadable.py").write_text("def load(:\n")
    commands = [["serve", target, "--log-level", "error"] for target, _ in UNLOADABLE]
    for (code, said), (_, reason) in zip(run_each(*commands, folder=folder), UNLOADABLE, strict=True):
        assert (code, len(said)) == (3, 1), said
        assert f" error: {reason}" in said[0]
    code, output, said_alone = run(*commands[0], folder=folder)
    assert (code, output) == (3, "")
    assert said_alone.count("\n") == 1


def test_the_traceback_is_there_for_who_debugs(folder: Path) -> None:
    (folder / "loaders.py").write_text(LOADERS)
    code, _, log = run("serve", "loaders:raises", "--log-level", "debug", folder=folder)
    assert code == 3
    assert "Traceback" in log
    assert 'loaders.py", line 6, in raises' in log


SENSELESS: list[tuple[list[str], str]] = [
    ([], "TARGET"),
    (["models:scale", "--arg", "by"], "'by' is not NAME=VALUE"),
    (["models:scale", "--arg", "bye=2"], "models:scale takes (by=2, text='none'): got an unexpected keyword"),
    (["models:scale", "--instances", "0"], "instances must be at least 1"),
    (["models:scale", "--max-batch-size", "many"], "--max-batch-size"),
    (["models:scale", "--drain-timeout", "-1"], "drain_timeout_seconds must not be negative"),
    (["models:scale", "--log-format", "xml"], "--log-format"),
    (["models:scale", "--device", "cpu"], "not for a loader: --device"),
    (["models:scale", "--no-such-option"], "--no-such-option"),
    (["models.py", "--arg", "by=2"], "for loaders, not for files: --arg"),
    (["models.py", "--stream-window", "1", "--session-idle", "9"], "not for files: --stream-window --session-idle"),
    (["models:scale", "--concurrent-streams", "0"], "concurrent_streams must be at least 1"),
    (["models:scale", "--systemd-notify"], "NOTIFY_SOCKET"),
]


def test_wrong_arguments_are_one_line_and_code_2(folder: Path) -> None:
    commands = [["serve", *words, *(["--log-level", "error"] if words else [])] for words, _ in SENSELESS]
    for (code, said), (_, reason) in zip(run_each(*commands, folder=folder), SENSELESS, strict=True):
        assert (code, len(said)) == (2, 1), said
        assert reason in said[0]
        assert said[0].startswith("remotemedia serve: ")
        assert said[0].endswith("; see --help")
    assert run("serve", folder=folder)[:2] == (2, "")


def test_an_endpoint_where_it_cannot_listen_has_a_code_of_its_own(serve: Serve, folder: Path) -> None:
    _, endpoint = serve("models:Doubler")
    for wrong, reason in (
        (endpoint, endpoint.removeprefix("unix:")),
        ("pigeon:home", "pigeon"),
        ("unix:/proc/x", "/proc"),
    ):
        code, output, log = run("serve", "models:Doubler", "--endpoint", wrong, folder=folder)
        assert (code, output) == (4, "")
        assert reason in log.splitlines()[-1]
    with rm.ModelWorkerClient.connect(endpoint) as client:
        assert client.infer([[1]]).to_numpy() == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_the_call_that_is_under_way(serve: Serve, number: int) -> None:
    command, endpoint = serve("models:Gated")
    with rm.ModelWorkerClient.connect(endpoint, max_retries=0) as client:
        running = client.infer_future([[-1]])
        command.wait_for("began")
        command.process.send_signal(number)
        command.wait_for("drains")
        while client.status().status != "stopping":  # it says so before it refuses
            assert command.process.poll() is None
        with pytest.raises((rm.Rejected, rm.WorkerUnavailable)):
            client.infer([[1]])
        command.tell("go")
        assert running.result().to_numpy() == -2
    code, output, log = command.end()
    assert (code, output) == (0, "")
    assert "all 1 accepted requests answered" in log


def test_a_second_signal_cuts_off(serve: Serve) -> None:
    command, endpoint = serve("models:Gated", "--log-format", "json")
    with rm.ModelWorkerClient.connect(endpoint, max_retries=0) as client:
        running = client.infer_future([[-1]])
        command.wait_for("began")
        command.process.send_signal(signal.SIGTERM)
        command.wait_for("drains")
        command.process.send_signal(signal.SIGTERM)
        with pytest.raises(rm.WorkerUnavailable):
            running.result(timeout=60)
        command.tell("go")
    code, output, log = command.end()
    assert (code, output) == (5, "")
    assert json.loads(log.splitlines()[-1])["message"] == "ended, some of 1 accepted requests cut off"


def test_draining_has_a_limit(serve: Serve) -> None:
    command, endpoint = serve("models:Gated", "--max-batch-size", "1", "--drain-timeout", "0.05")
    with rm.ModelWorkerClient.connect(endpoint, max_retries=0) as client:
        calls = [client.infer_future([[-1]])]
        command.wait_for("began")
        calls.append(client.infer_future([[1]]))
        while client.status().queue_depth < 1:
            pass
        command.process.send_signal(signal.SIGTERM)
        with pytest.raises(rm.WorkerUnavailable):
            calls[1].result(timeout=60)
        command.tell("go")
    code, _, log = command.end()
    assert code == 5
    assert "accepted requests cut off" in log


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_when_it_is_ready(serve: Serve, folder: Path, abstract: bool) -> None:
    name = f"@remotemedia-{folder.name}-{id(folder)}" if abstract else f"{folder}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0" + name[1:] if abstract else name)
        heard.settimeout(60)
        serve("models:Doubler", "--systemd-notify", environment={"NOTIFY_SOCKET": name})
        assert heard.recv(100) == b"READY=1"


def test_a_systemd_that_is_not_there_ends_it(folder: Path) -> None:
    words = ["serve", "models:Doubler", "--systemd-notify", "--endpoint", f"unix:{folder}/a"]
    code, _, log = run(*words, folder=folder, environment={"NOTIFY_SOCKET": f"{folder}/nobody"})
    assert code == 1
    assert "error: cannot tell that it is ready: No such file or directory" in log
