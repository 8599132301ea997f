# SPDX-License-Identifier: Apache-2.0
"""A node of your own: a model that all such nodes share, and a state that belongs to each session."""

from collections import Counter

import remotemedia as rm


def load_dictionary() -> dict[str, str]:
    """The model."""
    print("loading the dictionary")
    return {"eins": "one", "zwei": "two", "drei": "three"}


class Translate(rm.Node):
    """Text in, translated text out; at the end of a session, how many words nobody knew."""

    def initialize(self) -> None:
        """Takes the model."""
        self.dictionary = rm.get_or_load("dictionary@cpu", load_dictionary)

    def cleanup(self) -> None:
        """Gives it back."""
        self.dictionary.release()

    def open_session(self, session_id: str) -> Counter[str]:
        """Makes the state of a session."""
        del session_id
        return Counter()

    def process(self, item: rm.RuntimeData, unknown: Counter[str]) -> rm.RuntimeData:
        """Called for each item, in a thread of the node's own."""
        words = item.payload.split()
        unknown.update(word for word in words if word not in self.dictionary.model)
        return item.replace(payload=" ".join(self.dictionary.model.get(word, "?") for word in words))

    def finish(self, unknown: Counter[str]) -> rm.RuntimeData:
        """Called when the stream of a session ends."""
        return rm.RuntimeData.text(f"unknown words: {unknown.total()}")


items = [
    rm.RuntimeData.text("eins zwei", session_id="anna"),
    rm.RuntimeData.text("drei vier", session_id="bert"),
    rm.RuntimeData.text("zwei drei", session_id="anna"),
]
for result in rm.Pipeline([Translate("translate")]).run(items):
    print(f"{result.session_id}: {result.payload}")
