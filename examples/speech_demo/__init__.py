# SPDX-License-Identifier: Apache-2.0
"""Programs that transcribe real recordings at once, and workers that have the only voice detector and Whisper.

Run it with `scripts/demo`, or where everything is set up with `python -m examples.speech_demo`.
"""
