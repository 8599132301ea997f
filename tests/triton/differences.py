# SPDX-License-Identifier: Apache-2.0
"""Where a worker answers otherwise than a Triton, and why: all that the checks of this folder allow to differ.

Each group is a row of "Beside a real Triton" in docs/wire.md, unless another table there says it already.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """What each of the two answers: a code, a status, or what a check says that it saw."""

    triton: Any
    worker: Any

    def __post_init__(self) -> None:
        assert self.triton != self.worker, "nothing differs"


@dataclass(frozen=True)
class Difference:
    """Cases of one kind, by the words of the checks; and the row of the page."""

    what: str
    triton: str
    worker: str
    why: str
    cases: dict[str, Case]
    told_above: bool = field(default=False)
    """In one of the page's other tables."""


def _both(what: str, grpc: Case | None, http: Case | None) -> dict[str, Case]:
    """The same case over gRPC and over HTTP."""
    return {f"{what}, {way}": case for way, case in (("grpc", grpc), ("http", http)) if case is not None}


def _each(names: list[str], case: Case) -> dict[str, Case]:
    return dict.fromkeys(names, case)


NOT_FOUND_THERE = (Case("NOT_FOUND", "INVALID_ARGUMENT"), Case("404", "400"))
INTERNAL_THERE = (Case("INTERNAL", "INVALID_ARGUMENT"), Case("500", "400"))
TAKEN_THERE = (Case("OK", "INVALID_ARGUMENT"), Case("200", "400"))
TAKEN_HERE = (Case("INVALID_ARGUMENT", "OK"), Case("400", "200"))

GROUPS = [
    Difference(
        "names: server, platform of models",
        "`triton`, `python`",
        "`remotemedia`",
        "programs can see whom they call",
        {
            "the name of the server": Case("triton", "remotemedia"),
            "the platform of a model": Case("python", "remotemedia"),
        },
    ),
    Difference(
        "extensions",
        "also `classification`, `cuda_shared_memory`, `logging`, `trace`, `model_repository(unload_dependents)`",
        "those that are there",
        "what is not listed is not there",
        {
            "extensions beyond those of both": Case(
                "classification cuda_shared_memory logging model_repository(unload_dependents) trace", ""
            ),
        },
    ),
    Difference(
        "`model_transaction_policy` in `ModelConfig`",
        "`decoupled` where a model streams",
        "never",
        "every model answers by `ModelInfer` and by `ModelStreamInfer`",
        {"decoupled": Case(True, False)},
    ),
    Difference(
        "`ModelInfer` of a model that streams",
        "`UNIMPLEMENTED`, 501",
        "one answer, its `infer`",
        "the same",
        _both("one call of a model that streams", Case("UNIMPLEMENTED", "OK"), Case("501", "200")),
    ),
    Difference(
        "`triton_final_response` of the only answer",
        "true",
        "not there; where `triton_enable_empty_final_response` was asked for, an empty answer follows",
        "when an answer goes out nobody knows yet whether the model gives another",
        {
            "the only answer to a request": Case("final", "not final"),
            "the only answer to a request, final ones asked for": Case("final", "not final, and an empty one that is"),
        },
    ),
    Difference(
        "after an error in a stream",
        "the empty final answer, where the model ends its request apart",
        "nothing more of that request",
        "the error is its end",
        {"an error in a stream, and what follows": Case(["error", "g", "h", "h"], ["error", "h", "h"])},
    ),
    Difference(
        "`inference_count` in `ModelStatistics`",
        "rows that were answered",
        "rows that the model was given",
        "`execution_count` counts failed runs too, and their quotient is the size of a batch",
        {
            "rows of failed requests": Case(0, 2),
        },
    ),
    Difference(
        "statistics of a model that is not there",
        "`INVALID_ARGUMENT`, 400",
        "`NOT_FOUND`, 404",
        "as all other calls of it",
        {
            "GET /v2/models/nobody/stats": Case("400", "404"),
            **_each(
                [f"ModelStatistics of {each}" for each in ("'nobody' ''", "'doubler' '7'", "'doubler' 'one'")],
                Case("INVALID_ARGUMENT", "NOT_FOUND"),
            ),
        },
    ),
    Difference(
        "a version that is no number",
        "`INVALID_ARGUMENT`",
        "`NOT_FOUND`; not ready",
        "it is a version that is not there",
        {
            "a version that is no number, grpc": Case("INVALID_ARGUMENT", "NOT_FOUND"),
            **_each(
                [f"{method} of 'doubler' 'one'" for method in ("ModelMetadata", "ModelConfig")],
                Case("INVALID_ARGUMENT", "NOT_FOUND"),
            ),
            "ModelReady of 'doubler' 'one'": Case("INVALID_ARGUMENT", "OK"),
        },
    ),
    Difference(
        "a message that is no protobuf",
        "`INTERNAL`",
        "`INVALID_ARGUMENT`",
        "the mistake is the caller's",
        {"bytes that are no message": Case("INTERNAL", "INVALID_ARGUMENT")},
    ),
    Difference(
        "a body, or a field of it, that is not what the protocol says",
        "500",
        "400",
        "the same",
        {
            **_each(
                [
                    "no JSON",
                    "a list",
                    "inputs that are a number",
                    "an id that is a number",
                    "an input without a name",
                    "an input without a shape",
                    "an input without a datatype",
                    "a shape that is text",
                    "an extent that is no whole number",
                    "fewer data than the shape says",
                    "more data than the shape says",
                    "text among the data",
                    "null among the data",
                    "a datatype that is a number",
                    "JSON and a bracket behind it",
                    "an extent of -1, http",
                    "an extent of -2, http",
                    "a priority that is text, http",
                    "a timeout that is negative, http",
                    "Inference-Header-Content-Length: 1e2",
                ],
                Case("500", "400"),
            ),
        },
    ),
    Difference(
        "`Inference-Header-Content-Length` that is no number",
        "taken as none",
        "400",
        "nobody guesses where JSON ends",
        {"Inference-Header-Content-Length: abc": Case("200", "400")},
    ),
    Difference(
        "no body, and no `Inference-Header-Content-Length`",
        "an input without elements",
        "400",
        "nobody said that JSON is left out",
        {"nothing": Case("200", "400")},
    ),
    Difference(
        "BYTES that are no UTF-8, asked for as JSON",
        "200, and what is no UTF-8 is lost",
        "400",
        "who asks would get other bytes",
        {"BYTES that are no text, binary_data False": Case("other text", "400")},
    ),
    Difference(
        "lists in lists of another shape than `shape`",
        "taken in their order",
        "400",
        "one of the two is wrong",
        {"lists of another shape": Case("200", "400")},
    ),
    Difference(
        "the same output asked for twice",
        "given once",
        "`INVALID_ARGUMENT`, 400",
        "as an input that is given twice",
        _both("the same output twice", *TAKEN_THERE),
    ),
    Difference(
        "raw contents beyond the inputs",
        "passed over",
        "`INVALID_ARGUMENT`",
        "one of them could be the right one",
        {"more raw contents than inputs": Case("OK", "INVALID_ARGUMENT")},
    ),
    Difference(
        "typed contents that their datatype does not hold (128 of INT8)",
        "cut to it",
        "`INVALID_ARGUMENT`",
        "another number would be computed with",
        {"typed contents beyond their datatype": Case("OK", "INVALID_ARGUMENT")},
    ),
    Difference(
        "a `timeout` that is negative",
        "taken over gRPC",
        "`INVALID_ARGUMENT`",
        "it says nothing",
        {"a timeout that is negative, grpc": Case("OK", "INVALID_ARGUMENT")},
    ),
    Difference(
        "a `timeout` that is over",
        "`UNAVAILABLE`, 503; and only where the model's configuration allows it",
        "`DEADLINE_EXCEEDED`, 504",
        "as gRPC's own deadline",
        _both("a late request", Case("UNAVAILABLE", "DEADLINE_EXCEEDED"), Case("503", "504")),
    ),
    Difference(
        "a call of a stateful model without a sequence",
        "`INVALID_ARGUMENT`, 400",
        "the model's to answer",
        "a model may do without",
        _both("a step of no sequence", Case("INVALID_ARGUMENT", "INTERNAL"), Case("400", "500")),
    ),
    Difference(
        "a shape whose number of bytes wraps around (`[1, 2**62 + 1]` with four of them)",
        "`INTERNAL`, 500: the process of its Python backend dies, and each later call of that model fails",
        "`INVALID_ARGUMENT`, 400",
        "sizes are checked before they are multiplied",
        {
            key: case
            for what in ("2**62 + 1 elements and four bytes", "2**32 times 2**32 elements and no bytes")
            for key, case in {
                **_both(what, *INTERNAL_THERE),
                **_both(f"calls after {what}", Case(["INTERNAL"] * 2, ["OK"] * 2), Case(["500"] * 2, ["200"] * 2)),
            }.items()
        },
    ),
    Difference(
        "a region that is not registered",
        "`NOT_FOUND`, 404",
        "`INVALID_ARGUMENT`, 400",
        "`NOT_FOUND` is for models",
        {
            "a region that is not registered": NOT_FOUND_THERE[0],
            "a region that is not registered, in JSON": NOT_FOUND_THERE[1],
            "a region without a size": NOT_FOUND_THERE[1],
            **_both("a region that nobody registered", *NOT_FOUND_THERE),
            **_both("an output to a region that nobody registered", *NOT_FOUND_THERE),
            **_both("the status of a region that is none", *NOT_FOUND_THERE),
        },
    ),
    Difference(
        "a region's name that is taken",
        "`ALREADY_EXISTS`",
        "`INVALID_ARGUMENT`",
        "there is no such error here",
        {"register twice, grpc": Case("ALREADY_EXISTS", "INVALID_ARGUMENT")},
    ),
    Difference(
        "a key that is empty or climbs, an output that is larger than its part of a region",
        "`INTERNAL`, 500",
        "`INVALID_ARGUMENT`, 400",
        "the mistake is the caller's",
        {
            **_both("register an empty key", *INTERNAL_THERE),
            **_both("register a key that climbs", *INTERNAL_THERE),
            **_both("an output that does not fit its bytes", *INTERNAL_THERE),
        },
    ),
    Difference(
        "a region that begins within a page, or whose key has a name already",
        "`INVALID_ARGUMENT`, 400; `INTERNAL`, 500",
        "taken",
        "nothing is mapped",
        {
            **_both("register an offset within a page", Case("INVALID_ARGUMENT", "OK"), Case("400", "OK")),
            **_both("register a key by a second name", Case("INTERNAL", "OK"), Case("500", "OK")),
        },
    ),
    Difference(
        "the order of outputs",
        "the model's",
        "the request's",
        "who asks for them in an order wants it",
        _each(
            [f"the order of outputs {names}" for names in (["product", "sum"], ["product", "difference", "sum"])],
            Case("as the model gives them", "as asked"),
        ),
        told_above=True,
    ),
    Difference(
        "FP16 and BF16 over HTTP where nothing was asked",
        "400",
        "bytes",
        "JSON has no such numbers",
        _each(["FP16 as whatever", "BF16 as whatever"], Case("400", "bytes")),
        told_above=True,
    ),
    Difference(
        "a sequence without a start",
        "refused",
        "begins with its first request",
        "",
        {
            **_both("a sequence without its start", *TAKEN_HERE),
            "a sequence that goes on after its end": Case("refused", "begins anew with 1"),
        },
        told_above=True,
    ),
    Difference(
        "readiness over HTTP",
        "400",
        "503",
        "",
        {"GET /v2/models/nobody/ready": Case("400", "503")},
        told_above=True,
    ),
    Difference(
        "a full queue",
        "`UNAVAILABLE`",
        "`RESOURCE_EXHAUSTED`",
        "",
        _both("a full queue", Case("UNAVAILABLE", "RESOURCE_EXHAUSTED"), Case("503", "429")),
        told_above=True,
    ),
    Difference("`Watch`", "none", "there", "", {"watching health": Case("UNIMPLEMENTED", 1)}, told_above=True),
    Difference(
        "classification",
        "taken",
        "400",
        "",
        {"a classification": Case("200", "400")},
        told_above=True,
    ),
]

CASES = {what: case for group in GROUPS for what, case in group.cases.items()}
