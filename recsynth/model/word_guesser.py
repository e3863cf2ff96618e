"""A masked-language model of a folder (BERT and the like): it says what might stand in the place of a word."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForMaskedLM, PreTrainedTokenizerBase

from recsynth.errors import ModelError
from recsynth.model.text_generator import places_of, read_model

_CJK = r"\u3040-\u30ff\u3400-\u9fff"
# A sign that is a word of its own in Chinese and Japanese; elsewhere three letters or more.
_WORD = re.compile(rf"[{_CJK}]|\b[^\W\d_{_CJK}]{{3,}}\b")
# How tokenizers mark that a token begins a word: SentencePiece, byte pairs; and that it goes on with one: WordPiece.
_BEGINS, _GOES_ON = ("\u2581", "\u0120"), "##"


class WordGuesser:
    """A masked-language model, its tokenizer, and the whole words among its tokens."""

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model, self.tokenizer = model.to(self.device).eval(), tokenizer
        tokens = [t or "" for t in tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))]
        # A mark is a letter too (Maltese): in a vocabulary that has no marks a token or two may begin with it.
        is_marked = 10 * sum(t.startswith(_BEGINS) for t in tokens) > len(tokens)
        self.words: list[str] = [
            t.lstrip("".join(_BEGINS)) if not is_marked or t.startswith(_BEGINS) or _is_sign(t) else "" for t in tokens
        ]
        self.is_sign_V = np.array([_is_sign(w) for w in self.words])
        self.is_word_V = np.array([bool(_WORD.fullmatch(w)) for w in self.words]) & ~self.is_sign_V

    @torch.no_grad()
    def fill(self, text: str, share: float, top_p: float, rng: np.random.Generator) -> str:
        """A text with words, each with this chance, said otherwise; the same for the same random numbers.

        All chosen words are hidden at once; each is drawn from the likeliest that together have the share top_p, the
        hidden one left out. Words beyond what the model reads stay, and a text that says the mask itself.
        """
        mask = str(self.tokenizer.mask_token)
        chosen = [m for m in _WORD.finditer(text) if rng.random() < share]
        if not chosen or mask in text:
            return text
        hidden, end = "", 0
        for word in chosen:
            hidden, end = f"{hidden}{text[end : word.start()]} {mask} ", word.end()
        longest = min(places_of(self.model), self.tokenizer.model_max_length)
        tokens = self.tokenizer(hidden + text[end:], return_tensors="pt", truncation=True, max_length=longest)
        tokens = tokens.to(self.device)
        is_mask_T = tokens["input_ids"][0] == self.tokenizer.mask_token_id
        chances_NV = self.model(**tokens).logits[0, is_mask_T].double().softmax(-1).cpu().numpy()
        said, end = "", 0
        for word, chances_V in zip(chosen, chances_NV, strict=False):
            said, end = said + text[end : word.start()] + self._drawn(word.group(), chances_V, top_p, rng), word.end()
        return said + text[end:]

    def _drawn(self, hidden: str, chances_V: np.ndarray, top_p: float, rng: np.random.Generator) -> str:
        may_V = self.is_sign_V if _is_sign(hidden) else self.is_word_V
        best = np.argsort(-np.where(may_V, chances_V, 0.0), kind="stable")
        best = np.array([i for i in best[:64] if may_V[i] and self.words[i].lower() != hidden.lower()], int)
        if not len(best):
            return hidden
        shares = chances_V[best] / chances_V[best].sum()
        likely = best[: int(np.searchsorted(shares.cumsum(), top_p)) + 1]
        word = self.words[int(rng.choice(likely, p=chances_V[likely] / chances_V[likely].sum()))]
        return word.upper() if hidden.isupper() else word.capitalize() if hidden[0].isupper() else word


def read_guesser(folder: str, setting: str) -> WordGuesser:
    """The model of a folder. Raises ModelError where it is none that guesses masked words."""
    model, tokenizer = read_model(folder, setting, lambda _: AutoModelForMaskedLM, "guesses masked words")
    if tokenizer.mask_token_id is None:
        raise ModelError(f"{setting} {folder}: expected a tokenizer with a mask token, found none")
    return WordGuesser(model, tokenizer)


def _is_sign(word: str) -> bool:
    return re.fullmatch(f"[{_CJK}]", word) is not None
