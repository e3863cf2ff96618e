"""Which words of a text are a value of which field: the language model with a tagging head, taught by records."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from recsynth.apps.text_settings import TaggerSettings
from recsynth.model.encoders import load_encoder
from recsynth.model.folder import CARD, ENCODER, check_folder, device, read_card, write_manifest
from recsynth.model.precision import half_precision
from recsynth.model.towers import TextTower

log = logging.getLogger(__name__)
WEIGHTS = "tagger.safetensors"
OUTSIDE, UNTAUGHT = 0, -100


class Span(NamedTuple):
    """Letters start to end (exclusive) of a text that are a value of a field; chance is the model's, 1 where taught."""

    field: str
    start: int
    end: int
    chance: float = 1.0


class Marked(NamedTuple):
    """Texts and the spans of each."""

    texts: Sequence[str]
    spans: Sequence[Sequence[Span]]

    def at(self, rows: np.ndarray) -> Marked:
        """Those at some places, in their order."""
        return Marked([self.texts[i] for i in rows], [self.spans[i] for i in rows])


class Tagger(nn.Module):
    """The pretrained encoder's token states and a linear head over outside, and beginning and inside of each field."""

    def __init__(self, text: TextTower, fields: Sequence[str], dropout: float = 0.0) -> None:
        super().__init__()
        self.text, self.fields, self.dropout = text, tuple(fields), nn.Dropout(dropout)
        self.head = nn.Linear(text.embedding_size, 1 + 2 * len(self.fields))
        self.temperature = nn.Buffer(torch.ones(()))

    def forward(self, tokens: Mapping[str, Tensor]) -> Tensor:
        """Logits (M, T, C)."""
        logits_MTC: Tensor = self.head(self.dropout(self.text.encoder(**tokens).last_hidden_state))
        return logits_MTC

    @torch.no_grad()
    def spans(self, texts: Sequence[str], batch_size: int = 64, least: float | None = None) -> list[list[Span]]:
        """The spans of each text, in its order, with calibrated chances: the least of their tokens'.

        least: chance of all fields together from which a token is in one; None: where one is likelier than none.
        """
        self.eval()
        found: list[list[Span]] = [[] for _ in texts]
        order = np.argsort([len(t) for t in texts], kind="stable")
        for start in range(0, len(texts), batch_size):
            rows = order[start : start + batch_size]
            tokens, places = tokenised(self.text, [texts[i] for i in rows])
            chances = (self(tokens) / self.temperature).softmax(-1).cpu().numpy()
            for row, place, chance in zip(rows, places, chances, strict=True):
                found[row] = whole_words(texts[row], _decoded(place, chance, self.fields, least))
        return found


def tokenised(text: TextTower, texts: Sequence[str]) -> tuple[dict[str, Tensor], list[list[tuple[int, int]]]]:
    """Tokens of texts, and for each text the letters (start, end) of each token; (0, 0) for what is no letter of it."""
    encoded = text.tokenizer(
        list(texts), padding=True, truncation=True, max_length=text.max_tokens, return_tensors="pt",
        return_offsets_mapping=True,
    )  # fmt: skip
    places = encoded.pop("offset_mapping").tolist()
    return {k: v.to(text.mean_D.device) for k, v in encoded.items()}, [[(s, e) for s, e in row] for row in places]


def fit_tagger(
    texts: Sequence[str], spans: Sequence[Sequence[Span]], fields: Sequence[str], settings: TaggerSettings, seed: int
) -> Tagger:
    """Learn fields from texts with spans; a share of the texts is held out to stop at and to calibrate by.

    A share of the spans is hidden from the encoder behind mask
    tokens, so that what stands around a value counts, not only the values that were seen. Raises ValueError where
    there are fewer than two texts. The same input, settings and seed give the same tagger on the same machine.
    """
    if len(texts) < 2:
        raise ValueError(f"expected two texts or more, found {len(texts)}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        where = device()
        tower = TextTower(*load_encoder(settings.encoder, plain_attention=where.type == "cpu"), settings.max_tokens)
        model = Tagger(tower, fields, settings.dropout).to(where)
        order, held = rng.permutation(len(texts)), max(1, round(settings.validation_share * len(texts)))
        checked, learned = (Marked(texts, spans).at(rows) for rows in (order[:held], order[held:]))
        _train(model, learned, checked, settings, rng)
        _calibrate(model, checked, settings.batch_size)
    return model.eval().cpu()


def _train(model: Tagger, learned: Marked, checked: Marked, settings: TaggerSettings, rng: np.random.Generator) -> None:
    """Cross-entropy over the tokens; the epoch that is best on the held-out texts is kept."""
    head = {"params": list(model.head.parameters()), "lr": settings.head_learning_rate}
    body = {"params": list(model.text.encoder.parameters()), "lr": settings.learning_rate}
    optimizer = torch.optim.AdamW([head, body], weight_decay=settings.weight_decay, fused=True)
    size = settings.batch_size
    total = settings.epochs * math.ceil(len(learned.texts) / size)
    warm = max(1, round(settings.warmup * total))
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, max(0.0, (total - step) / max(1, total - warm)))
    )
    best, kept = math.inf, None
    for epoch in range(settings.epochs):
        model.train()
        # Texts of like length side by side: little of a batch is padding.
        lengths = np.array([len(t) for t in learned.texts]) * rng.uniform(0.8, 1.25, len(learned.texts))
        batches = np.array_split(np.argsort(lengths, kind="stable"), math.ceil(len(lengths) / size))
        for rows in (batches[i] for i in rng.permutation(len(batches))):
            with half_precision(model.head.weight.device, settings.mixed_precision):
                loss = _loss(model, learned.at(rows), settings.hidden_share, rng)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            rate.step()
        held_out = _held_out_loss(model, checked, size, rng)
        log.info("epoch %d of %d: held-out loss %.4f", epoch + 1, settings.epochs, held_out)
        if held_out < best:
            best, kept = held_out, {k: v.detach().clone() for k, v in model.state_dict().items()}
    if kept is not None:
        model.load_state_dict(kept)


def _loss(model: Tagger, marked: Marked, hidden: float, rng: np.random.Generator) -> Tensor:
    tokens, places = tokenised(model.text, marked.texts)
    taught = [tags(place, spans, model.fields) for place, spans in zip(places, marked.spans, strict=True)]
    mask = model.text.tokenizer.mask_token_id
    if hidden and mask is not None:
        for n, (place, spans) in enumerate(zip(places, marked.spans, strict=True)):
            for span in (s for s in spans if rng.random() < hidden):
                inside = [t for t, (start, end) in enumerate(place) if end > start and _overlaps(start, end, span)]
                tokens["input_ids"][n, inside] = mask
    target = torch.tensor(taught, device=model.head.weight.device)
    return F.cross_entropy(model(tokens).flatten(0, 1).float(), target.flatten(), ignore_index=UNTAUGHT)


@torch.no_grad()
def _held_out_loss(model: Tagger, checked: Marked, size: int, rng: np.random.Generator) -> float:
    model.eval()
    rows = np.arange(len(checked.texts))
    pieces = [rows[i : i + size] for i in range(0, len(rows), size)]
    return float(np.mean([_loss(model, checked.at(piece), 0.0, rng).item() for piece in pieces]))


@torch.no_grad()
def _calibrate(model: Tagger, checked: Marked, size: int) -> None:
    """One temperature for all tokens, of least log loss on held-out texts (Guo et al., ICML 2017)."""
    model.eval()
    logits, targets = [], []
    for start in range(0, len(checked.texts), size):
        piece = slice(start, start + size)
        tokens, places = tokenised(model.text, checked.texts[piece])
        taught = [tags(place, of, model.fields) for place, of in zip(places, checked.spans[piece], strict=True)]
        logits.append(model(tokens).flatten(0, 1))
        targets.append(torch.tensor(taught, device=model.head.weight.device).flatten())
    said, true = torch.cat(logits), torch.cat(targets)
    grid = torch.linspace(0.5, 4.0, 36)
    losses = [F.cross_entropy(said / t, true, ignore_index=UNTAUGHT).item() for t in grid.tolist()]
    model.temperature.fill_(grid[int(np.argmin(losses))])


def tags(places: Sequence[tuple[int, int]], spans: Sequence[Span], fields: Sequence[str]) -> list[int]:
    """The class of each token: 0 outside, 1 + 2f the beginning of field f, 2 + 2f inside; -100: teaches nothing.

    What lies in spans of two fields, or of a field that is none of these, teaches nothing.

    >>> tags([(0, 0), (0, 3), (4, 7), (8, 11)], [Span("colour", 0, 7)], ["brand", "colour"])
    [-100, 3, 4, 0]
    """
    number = {name: f for f, name in enumerate(fields)}
    found = []
    for start, end in places:
        over = [s for s in spans if _overlaps(start, end, s)] if end > start else []
        if end <= start or len({s.field for s in over}) > 1 or any(s.field not in number for s in over):
            found.append(UNTAUGHT)
        elif over:
            found.append(1 + 2 * number[over[0].field] + (start > over[0].start))
        else:
            found.append(OUTSIDE)
    return found


def _overlaps(start: int, end: int, span: Span) -> bool:
    return start < span.end and end > span.start


def _decoded(
    places: Sequence[tuple[int, int]], chance_TC: np.ndarray, fields: Sequence[str], least: float | None
) -> list[Span]:
    """Runs of tokens of one field; a beginning starts a new one, an inside without one does too."""
    found: list[Span] = []
    run: Span | None = None
    for (start, end), chance in zip(places, chance_TC, strict=True):
        if end <= start:
            continue
        best = int(chance.argmax())
        if least is not None:
            best = 1 + int(chance[1:].argmax()) if 1 - chance[OUTSIDE] >= least else OUTSIDE
        field = fields[(best - 1) // 2] if best else None
        if run is not None and (field != run.field or best % 2 == 1):
            found.append(run)
            run = None
        if field is not None:
            run = Span(field, run.start if run else start, end, min(run.chance if run else 1.0, float(chance[best])))
    return [*found, run] if run is not None else found


def whole_words(text: str, spans: Sequence[Span]) -> list[Span]:
    """Spans made as long as the words that they touch, where words have spaces between them; each letter in one span.

    >>> whole_words("a redwood mug", [Span("material", 2, 5), Span("material", 5, 9, 0.5)])
    [Span(field='material', start=2, end=9, chance=1.0)]
    """
    found: list[Span] = []
    for span in spans:
        start, end = span.start, span.end
        while start and _is_within(text[start - 1]) and _is_within(text[start]):
            start -= 1
        while end < len(text) and _is_within(text[end]) and _is_within(text[end - 1]):
            end += 1
        if not found or start >= found[-1].end:
            found.append(span._replace(start=start, end=end))
    return found


def _is_within(letter: str) -> bool:
    return letter.isascii() and letter.isalnum()


def write_tagger(tagger: Tagger, folder: Path, card: dict[str, Any]) -> str:
    """Write the tagger and return its version, as `write_model` does: safetensors and JSON, nothing that runs."""
    folder.mkdir(parents=True, exist_ok=True)
    tagger.text.encoder.save_pretrained(folder / ENCODER, safe_serialization=True)
    tagger.text.tokenizer.save_pretrained(folder / ENCODER)
    kept = {"head": tagger.head.weight, "bias": tagger.head.bias, "temperature": tagger.temperature}
    save_file({k: v.detach().cpu().contiguous() for k, v in kept.items()}, folder / WEIGHTS)
    known: dict[str, object] = {"fields": tagger.fields, "max_tokens": tagger.text.max_tokens}
    (folder / CARD).write_text(json.dumps(card | known, sort_keys=True, indent=1))
    return write_manifest(folder)


def read_tagger(folder: Path) -> Tagger:
    """Read a tagger. Raises ModelError where the folder is not what its manifest says."""
    check_folder(folder)
    card, kept = read_card(folder), load_file(folder / WEIGHTS)
    tagger = Tagger(TextTower(*load_encoder(str(folder / ENCODER)), int(card["max_tokens"])), card["fields"])
    with torch.no_grad():
        tagger.head.weight.copy_(kept["head"])
        tagger.head.bias.copy_(kept["bias"])
        tagger.temperature.copy_(kept["temperature"])
    return tagger.eval()
