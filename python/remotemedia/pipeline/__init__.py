# SPDX-License-Identifier: Apache-2.0
"""Pipelines: nodes that work at the same time on streams of items."""

from remotemedia.pipeline.failure import NodeFailure
from remotemedia.pipeline.manifest import ManifestError
from remotemedia.pipeline.pipeline import Pipeline

__all__ = ["ManifestError", "NodeFailure", "Pipeline"]
