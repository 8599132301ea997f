# SPDX-License-Identifier: Apache-2.0
"""Pipelines that transcribe real recordings at once and share one voice detector and one Whisper.

Run it with `scripts/demo`, or where everything is set up with `python -m examples.speech_demo`.
"""
