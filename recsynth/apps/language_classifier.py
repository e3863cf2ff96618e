"""The language model with a head over classes, and how it is fine-tuned on labelled texts."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsynth.apps.text_settings import ClassifierSettings
from recsynth.model.encoders import layers_of, load_encoder
from recsynth.model.folder import device
from recsynth.model.precision import half_precision
from recsynth.model.towers import TextTower

log = logging.getLogger(__name__)
FIRST_SCALE, BEGIN_WITH = 20.0, 32
_NO_LETTER = re.compile(r"[\W\d_]+")


class Labelled(NamedTuple):
    """Texts and the number of each one's class."""

    texts: Sequence[str]
    y: np.ndarray


class CosineHead(nn.Module):
    """Logits scale * cos(text, class) (B, C): a class is a vector among the texts', and begins as some of them mean.

    So the head does not begin by chance, and what the encoder knows of the texts is not undone while it is learned:
    more is right than by a linear head, of few texts much more (tests/benchmarks/README.md).
    """

    def __init__(self, classes: int, size: int, scale: float = FIRST_SCALE) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(classes, size))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def forward(self, pooled_BD: Tensor) -> Tensor:
        """Logits (B, C) in float32."""
        texts_BD, classes_CD = F.normalize(pooled_BD.float(), dim=-1), F.normalize(self.weight, dim=-1)
        logits_BC: Tensor = self.log_scale.exp() * (texts_BD @ classes_CD.T)
        return logits_BC

    @torch.no_grad()
    def begin(self, pooled_MD: np.ndarray, y: np.ndarray, named_CD: np.ndarray | None) -> None:
        """Take the mean direction of each class's texts, and that of its name beside it where names mean something."""
        texts_MD = F.normalize(torch.from_numpy(pooled_MD), dim=-1)
        means_CD = torch.zeros(self.weight.shape).index_add_(0, torch.from_numpy(y), texts_MD)
        start_CD = F.normalize(means_CD, dim=-1)
        if named_CD is not None:
            start_CD = start_CD + F.normalize(torch.from_numpy(named_CD), dim=-1)
        self.weight.copy_(F.normalize(start_CD, dim=-1))


class LanguageClassifier(nn.Module):
    """The pretrained encoder, the mean of its token states, and a head over the classes.

    head: classes as vectors; a linear one is of folders from before.
    """

    def __init__(self, text: TextTower, head: CosineHead | nn.Linear, dropout: float = 0.0) -> None:
        super().__init__()
        self.text, self.dropout, self.head = text, nn.Dropout(dropout), head

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Logits (B, C)."""
        logits_BC: Tensor = self.head(self.dropout(self.text.pooled(texts)))
        return logits_BC

    @torch.no_grad()
    def log_probabilities(self, texts: Sequence[str], batch_size: int) -> np.ndarray:
        """Log-probabilities (M, C) in evaluation mode."""
        vectors_MD = torch.from_numpy(self.text.encode_plain(texts, batch_size)).to(self.head.weight.device)
        logits_MC: np.ndarray = self.head(vectors_MD).log_softmax(-1).cpu().numpy()
        return logits_MC


def fine_tuned(
    learned: Labelled, held: Labelled, classes: Sequence[str], settings: ClassifierSettings, seed: int
) -> LanguageClassifier:
    """Learn by cross-entropy over batches of like length; the pass that is best on the held-out texts is kept.

    Random numbers are torch's own: whoever calls keeps them apart.
    """
    torch.manual_seed(seed)
    where = device()
    tower = TextTower(*load_encoder(settings.encoder, plain_attention=where.type == "cpu"), settings.max_tokens)
    tower.remember_tokens()
    head = CosineHead(len(classes), tower.embedding_size)
    names = [" ".join(_NO_LETTER.split(name)).strip() for name in classes]
    # Numbers name nothing: only where every class has a word or so is what the names mean a beginning.
    named_CD = tower.encode_plain(names, settings.batch_size) if min(map(len, names)) > 1 else None
    some = np.concatenate([np.flatnonzero(learned.y == c)[:BEGIN_WITH] for c in range(len(classes))])
    head.begin(tower.encode_plain([learned.texts[i] for i in some], settings.batch_size), learned.y[some], named_CD)
    model = LanguageClassifier(tower, head, settings.dropout).to(where)
    optimizer = _optimizer(model, settings)
    a_pass = math.ceil(len(learned.texts) / settings.batch_size)
    passes = max(settings.epochs, math.ceil(settings.least_steps / a_pass))
    batches = [_batches(learned.texts, settings.batch_size, np.random.default_rng((seed, e))) for e in range(passes)]
    total, step = sum(map(len, batches)), 0
    warm = max(1, round(settings.warmup * total))
    best, kept = math.inf, _weights(model)
    for epoch, ordered in enumerate(batches):
        model.train()
        for rows in ordered:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * min((step + 1) / warm, (total - step) / max(1, total - warm))
            target = torch.from_numpy(learned.y[rows]).to(where)
            with half_precision(where, settings.mixed_precision):
                logits = model([learned.texts[i] for i in rows])
            loss = F.cross_entropy(logits.float(), target, label_smoothing=settings.label_smoothing)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step += 1
        model.eval()
        heard = model.log_probabilities(held.texts, settings.batch_size)
        loss_held, right = -heard[np.arange(len(held.y)), held.y].mean(), (heard.argmax(1) == held.y).mean()
        log.info("epoch %d of %d: held-out loss %.4f, accuracy %.4f", epoch + 1, passes, loss_held, right)
        if loss_held < best:
            best, kept = loss_held, _weights(model)
    model.load_state_dict(kept)
    tower.remembered = None
    return model.eval().cpu()


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in model.state_dict().items()}


def _optimizer(model: LanguageClassifier, settings: ClassifierSettings) -> torch.optim.Optimizer:
    """AdamW; a layer of the encoder learns slower the deeper it lies, the head has a rate of its own."""
    layers = layers_of(model.text.encoder)
    groups = [{"params": list(model.head.parameters()), "peak": settings.head_learning_rate}]
    seen: set[int] = set()
    for below, layer in enumerate(reversed(layers)):
        parameters = list(layer.parameters())
        seen |= set(map(id, parameters))
        groups.append({"params": parameters, "peak": settings.learning_rate * settings.layer_decay**below})
    rest = [p for p in model.text.encoder.parameters() if id(p) not in seen]
    groups.append({"params": rest, "peak": settings.learning_rate * settings.layer_decay ** len(layers)})
    return torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)


def _batches(texts: Sequence[str], size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """All rows in batches of texts of like length, in a random order: little of a batch is padding."""
    lengths = np.array([len(t) for t in texts]) * rng.uniform(0.8, 1.25, len(texts))
    order = np.argsort(lengths, kind="stable")
    pieces = [order[i : i + size] for i in range(0, len(order), size)]
    return [pieces[i] for i in rng.permutation(len(pieces))]
