# SPDX-License-Identifier: Apache-2.0
"""`remotemedia infer`: calls a worker once."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from remotemedia._core import TensorBuffer
from remotemedia.commands.command_error import CommandError, ExitCode, named
from remotemedia.commands.command_parser import add_command
from remotemedia.commands.named_values import named_value, read_value
from remotemedia.commands.tensor_values import first_values, json_values, read_tensor
from remotemedia.commands.worker_connection import add_endpoint, connect, seconds
from remotemedia.core.errors import RemoteMediaError

_EPILOG = """\
exit codes: 0 answered, 1 the call failed, 2 wrong arguments, 4 no worker there

example: remotemedia infer unix:/run/user/1000/scale --input x=[[1,2,3]]
"""


def add_to(commands: Any) -> None:
    """Its arguments."""
    parser = add_command(
        commands,
        "infer",
        _run,
        help="call a worker once",
        description="Calls a worker once, and prints what it answers. `remotemedia status` says what it takes.",
        epilog=_EPILOG,
    )
    add_endpoint(parser)
    parser.add_argument(
        "--input",
        action="append",
        type=named_value,
        default=[],
        metavar="NAME=VALUE",
        help="an input: FILE.npy, or numbers in JSON, which take the dtype of the model's input; @FILE is either in a "
        "file, @- on standard input",
    )
    parser.add_argument(
        "--parameter",
        action="append",
        type=named_value,
        default=[],
        metavar="NAME=VALUE",
        help="for the model: a number, true or false, else text",
    )
    parser.add_argument("--session", metavar="ID", help="names a session, which ends with this command")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="after which the call is over, there too")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write each output to FOLDER/NAME.npy")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="json has all values (default: text)"
    )


def _run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:  # noqa: ARG001
    inputs = {name: read_tensor(name, text) for name, text in arguments.input}
    parameters = {name: _parameter(text) for name, text in arguments.parameter}
    with connect(arguments) as client:
        try:
            answer = client.infer(
                inputs, parameters=parameters, session_id=arguments.session, timeout=arguments.timeout
            )
        except (RemoteMediaError, TypeError) as error:
            raise CommandError(ExitCode.FAILED, named(error)) from error
        names = [spec.name for spec in client.signature().outputs]
    if isinstance(answer, dict):
        outputs = {name: answer[name] for name in names or answer}
    else:
        outputs = {names[0] if names else "output": answer}
    described = {name: _described(name, tensor, arguments) for name, tensor in outputs.items()}
    if arguments.format == "json":
        print(json.dumps(described, ensure_ascii=False))
        return ExitCode.DONE
    for name, output in described.items():
        shape = f"({', '.join(map(str, output['shape']))})"
        print(f"{name} {output['dtype']} {shape}:", output.get("file") or first_values(outputs[name].to_numpy()))
    return ExitCode.DONE


def _parameter(text: str) -> str | int | float | bool:
    value = read_value(text)
    return value if isinstance(value, str | int | float | bool) else text


def _described(name: str, tensor: TensorBuffer, arguments: argparse.Namespace) -> dict[str, Any]:
    output: dict[str, Any] = {"dtype": str(tensor.dtype), "shape": list(tensor.shape)}
    if arguments.output is not None:
        output["file"] = str(_write(arguments.output, name, tensor))
    elif arguments.format == "json":
        output["values"] = json_values(tensor.to_numpy())
    return output


def _write(folder: Path, name: str, tensor: TensorBuffer) -> Path:
    path = folder / f"{name}.npy"
    if path.parent != folder:
        raise CommandError(ExitCode.FAILED, f"output '{name}' cannot be a file's name")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path, tensor.to_numpy())
    except OSError as error:
        raise CommandError(ExitCode.FAILED, f"'{path}' cannot be written: {error.strerror}") from error
    return path
