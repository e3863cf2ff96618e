"""A writer of short texts: the pretrained language model reads, a small decoder that may copy what was read writes.

The encoder rests. A token is drawn from g * softmax over the words of the shop's own texts + (1 - g) * attention over
the tokens that were read (pointer-generator, See et al., ACL 2017): with a few thousand examples a decoder learns how
people ask long before it has learned what each thing is called, and a brand that nobody ever typed can be copied.

Shapes: B texts, T tokens written, S tokens read, D = embedding_size, V words of the vocabulary.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from recsynth.model.encoders import load_encoder
from recsynth.model.folder import CARD, check_folder, read_card, write_manifest
from recsynth.model.towers import TextTower
from recsynth.synthesis.text_settings import WriterSettings

log = logging.getLogger(__name__)

WEIGHTS, VOCABULARY = "writer.safetensors", "vocabulary.json"
# What is likelier to be drawn than one of the 64 likeliest is no word of anybody's.
_LIKELIEST = 64
_BETWEEN_CJK = re.compile(r"(?<=[\u3040-\u30ff\u3400-\u9fff]) (?=[\u3040-\u30ff\u3400-\u9fff])")


class Example(NamedTuple):
    """What is read, and what is to be written of it."""

    source: str
    text: str


@dataclass(frozen=True)
class Reading:
    """Sources as the encoder read them: states (B, S, D), token ids (B, S), True where there is a token (B, S)."""

    states_BSD: Tensor
    ids_BS: Tensor
    mask_BS: Tensor


class Decoder(nn.Module):
    """Layers of causal attention to what was written and of attention to what was read; nothing of the encoder's."""

    def __init__(self, embedding_size: int, vocabulary: int, settings: WriterSettings) -> None:
        super().__init__()
        heads = max(1, embedding_size // 64) if embedding_size % max(1, embedding_size // 64) == 0 else 1
        layer = nn.TransformerDecoderLayer(
            embedding_size, heads, 2 * embedding_size, settings.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.into = nn.Linear(embedding_size, embedding_size)
        self.places = nn.Parameter(0.02 * torch.randn(settings.most_tokens + 1, embedding_size))
        self.layers = nn.TransformerDecoder(layer, settings.layers, nn.LayerNorm(embedding_size))
        self.out = nn.Linear(embedding_size, embedding_size)
        self.bias_V = nn.Parameter(torch.zeros(vocabulary))
        self.asked, self.state_key, self.word_key = (nn.Linear(embedding_size, embedding_size) for _ in range(3))
        self.gate = nn.Linear(embedding_size, 1)

    def forward(
        self, written_BTD: Tensor, reading: Reading, read_words_BSD: Tensor, words_VD: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Shares of the vocabulary (B, T, V), of what was read (B, T, S), and the gate between them (B, T, 1)."""
        places = written_BTD.shape[1]
        ahead_TT = torch.ones(places, places, dtype=torch.bool, device=written_BTD.device).triu(1)
        hidden_BTD = self.layers(
            self.into(written_BTD) + self.places[:places], reading.states_BSD, tgt_mask=ahead_TT,
            memory_key_padding_mask=~reading.mask_BS,
        )  # fmt: skip
        vocabulary_BTV = (self.out(hidden_BTD) @ words_VD.T + self.bias_V).softmax(-1)
        keys_BSD = self.state_key(reading.states_BSD) + self.word_key(read_words_BSD)
        likeness_BTS = self.asked(hidden_BTD) @ keys_BSD.transpose(1, 2) / math.sqrt(keys_BSD.shape[-1])
        copied_BTS = likeness_BTS.masked_fill(~reading.mask_BS[:, None], -1e9).softmax(-1)
        return vocabulary_BTV, copied_BTS, self.gate(hidden_BTD).sigmoid()


class Writer:
    """The encoder, the decoder and the vocabulary (token ids, ascending)."""

    def __init__(self, tower: TextTower, vocabulary: Collection[int], settings: WriterSettings) -> None:
        self.tower, self.settings = tower.eval(), settings
        self.vocabulary_V = torch.tensor(sorted(vocabulary))
        encoder: Any = tower.encoder
        self.words_ID: Tensor = encoder.get_input_embeddings().weight.detach()
        self.decoder = Decoder(tower.embedding_size, len(self.vocabulary_V), settings)
        marks = tower.tokenizer
        self.start, self.end = _first(marks.cls_token_id, marks.bos_token_id, marks.eos_token_id), end_of(tower)

    @torch.no_grad()
    def read(self, sources: Sequence[str]) -> list[Reading]:
        """Each source as the encoder reads it, by itself: no padding, so that its company changes nothing."""
        return [self._read([source]) for source in sources]

    def _read(self, sources: list[str]) -> Reading:
        tokens = self.tower.tokenizer(
            sources, padding=True, truncation=True, max_length=self.tower.max_tokens, return_tensors="pt"
        )
        states_BSD = self.tower.encoder(**tokens).last_hidden_state
        return Reading(states_BSD, tokens["input_ids"], tokens["attention_mask"].bool())

    @torch.no_grad()
    def write(self, reading: Reading, count: int, seed: int) -> list[str]:
        """`count` draws of one source's text, not all distinct; what is no whole text is left out."""
        self.decoder.eval()
        dice = torch.Generator().manual_seed(seed)
        many = Reading(*(x.expand(count, *x.shape[1:]) for x in (reading.states_BSD, reading.ids_BS, reading.mask_BS)))
        written_BT = torch.full((count, 1), self.start)
        has_ended_B = torch.zeros(count, dtype=torch.bool)
        for _ in range(self.settings.most_tokens):
            chances_BI = self._next(written_BT, many)
            likely_BN, ids_BN = chances_BI.topk(min(_LIKELIEST, chances_BI.shape[1]), dim=-1)
            likely_BN = likely_BN * ((likely_BN.cumsum(-1) - likely_BN) < self.settings.top_p)
            drawn_B = ids_BN.gather(1, torch.multinomial(likely_BN, 1, generator=dice))[:, 0]
            drawn_B = torch.where(has_ended_B, torch.tensor(self.end), drawn_B)
            written_BT = torch.cat([written_BT, drawn_B[:, None]], 1)
            has_ended_B |= drawn_B == self.end
            if has_ended_B.all():
                break
        whole = written_BT[has_ended_B, 1:].tolist()
        return [text for text in map(self._text, whole) if text]

    def _next(self, written_BT: Tensor, reading: Reading) -> Tensor:
        """Chances (B, I) of the next token over all token ids."""
        vocabulary_BTV, copied_BTS, gate_BT1 = self.shares(written_BT, reading)
        chances_BI = torch.zeros(len(written_BT), len(self.words_ID))
        chances_BI.index_add_(1, self.vocabulary_V, (gate_BT1 * vocabulary_BTV)[:, -1])
        chances_BI.scatter_add_(1, reading.ids_BS, ((1 - gate_BT1) * copied_BTS)[:, -1])
        return chances_BI

    def shares(self, written_BT: Tensor, reading: Reading) -> tuple[Tensor, Tensor, Tensor]:
        """What `Decoder` gives for the token ids written so far."""
        result: tuple[Tensor, Tensor, Tensor] = self.decoder(
            self.words_ID[written_BT], reading, self.words_ID[reading.ids_BS], self.words_ID[self.vocabulary_V]
        )
        return result

    def _text(self, ids: list[int]) -> str:
        """A text of token ids; empty where they are none: an unknown token, or half a word at the beginning."""
        marks = self.tower.tokenizer
        kept = [i for i in ids if i not in marks.all_special_ids or i == marks.unk_token_id]
        text = str(marks.decode(kept, clean_up_tokenization_spaces=True))
        if marks.unk_token_id in kept or text.startswith("##"):
            return ""
        return _BETWEEN_CJK.sub("", " ".join(text.split()))


def fit_writer(examples: Sequence[Example], tower: TextTower, settings: WriterSettings, seed: int) -> Writer:
    """A writer taught by examples, plain torch in this process; the same for the same examples and seed.

    Bound: the states of max_sources distinct sources in 16 bits; examples of further sources are not learned from.
    """
    torch.manual_seed(seed)
    sources = sorted({e.source for e in examples})[: settings.max_sources]
    place = {source: n for n, source in enumerate(sources)}
    examples = [e for e in examples if e.source in place]
    tokens = tower.tokenizer([e.text for e in examples], add_special_tokens=False)["input_ids"]
    read = tower.tokenizer(sources, truncation=True, max_length=tower.max_tokens)["input_ids"]
    writer = Writer(tower, {i for ids in (*tokens, *read) for i in ids} | {end_of(tower)}, settings)
    readings = [Reading(r.states_BSD[0].half(), r.ids_BS[0], r.mask_BS[0]) for r in writer.read(sources)]
    targets = [ids[: settings.most_tokens - 1] for ids in tokens]
    optimizer = torch.optim.AdamW(writer.decoder.parameters(), lr=settings.learning_rate, weight_decay=0.01)
    rng = np.random.default_rng(seed)
    writer.decoder.train()
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * min(1.0, (step + 1) / 20) * (1 - step / settings.steps)
        rows = rng.integers(0, len(examples), settings.batch_size)
        loss = _loss(writer, _padded([readings[place[examples[n].source]] for n in rows]), [targets[n] for n in rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(writer.decoder.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0:
            log.info("writer: step %d of %d, loss %.3f", step, settings.steps, loss.item())
    return writer


def _loss(writer: Writer, reading: Reading, targets: Sequence[list[int]]) -> Tensor:
    """Mean of -log p of the tokens of each text and of its end."""
    longest = max(map(len, targets)) + 1
    inputs_BT = torch.full((len(targets), longest), writer.end)
    wanted_BT, is_wanted_BT = inputs_BT.clone(), torch.zeros(len(targets), longest, dtype=torch.bool)
    for row, ids in enumerate(targets):
        inputs_BT[row, : len(ids) + 1] = torch.tensor([writer.start, *ids])
        wanted_BT[row, : len(ids)] = torch.tensor(ids, dtype=torch.long)
        is_wanted_BT[row, : len(ids) + 1] = True
    vocabulary_BTV, copied_BTS, gate_BT1 = writer.shares(inputs_BT, reading)
    at_BT1 = torch.searchsorted(writer.vocabulary_V, wanted_BT).unsqueeze(-1)
    is_read_BTS = (wanted_BT.unsqueeze(-1) == reading.ids_BS[:, None]) & reading.mask_BS[:, None]
    said_BT = vocabulary_BTV.gather(-1, at_BT1).squeeze(-1)
    chance_BT = gate_BT1[..., 0] * said_BT + (1 - gate_BT1[..., 0]) * (copied_BTS * is_read_BTS).sum(-1)
    return -(chance_BT.clamp(min=1e-9).log() * is_wanted_BT).sum() / is_wanted_BT.sum()


def _padded(readings: Sequence[Reading]) -> Reading:
    def pad(rows: Sequence[Tensor]) -> Tensor:
        return nn.utils.rnn.pad_sequence(list(rows), batch_first=True)

    return Reading(pad([r.states_BSD for r in readings]).float(), pad([r.ids_BS for r in readings]),
                   pad([r.mask_BS for r in readings]))  # fmt: skip


def write_writer(writer: Writer, folder: Path, card: dict[str, Any]) -> str:
    """Write decoder, vocabulary and card, the manifest last; returns its digest. The encoder is named, not copied."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in writer.decoder.state_dict().items()}, folder / WEIGHTS)
    (folder / VOCABULARY).write_text(json.dumps(writer.vocabulary_V.tolist()))
    (folder / CARD).write_text(json.dumps(card, sort_keys=True, indent=1))
    return write_manifest(folder)


def read_writer(folder: Path) -> Writer:
    """Read a writer whose card has `settings`, `encoder` and `max_tokens`.

    Raises ModelError where the folder is not what its manifest says.
    """
    check_folder(folder)
    card = read_card(folder)
    tower = tower_of(card["encoder"], card["max_tokens"])
    settings = WriterSettings.model_validate(card["settings"])
    writer = Writer(tower, json.loads((folder / VOCABULARY).read_text()), settings)
    writer.decoder.load_state_dict(load_file(folder / WEIGHTS))
    writer.decoder.eval()
    return writer


def tower_of(encoder: str, max_tokens: int) -> TextTower:
    """The pretrained language model as it comes."""
    return TextTower(*load_encoder(encoder), max_tokens).eval()


def unit(vectors_MD: np.ndarray, mean_D: np.ndarray) -> np.ndarray:
    """Vectors centred on a mean and brought to unit length."""
    found: np.ndarray = F.normalize(torch.from_numpy(vectors_MD - mean_D), dim=-1).numpy()
    return found


def end_of(tower: TextTower) -> int:
    """The token that ends a text."""
    return _first(tower.tokenizer.sep_token_id, tower.tokenizer.eos_token_id, tower.tokenizer.pad_token_id)


def _first(*ids: int | None) -> int:
    return next(i for i in ids if i is not None)
