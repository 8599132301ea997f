# SPDX-License-Identifier: Apache-2.0
"""What was said and what was heard, compared word by word."""
