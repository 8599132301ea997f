# SPDX-License-Identifier: Apache-2.0
"""What is measured from Python. Each module is a program that prints its measurements as JSON."""
