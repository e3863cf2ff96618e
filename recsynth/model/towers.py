"""The towers of p_ij = sigmoid(scale * <u_i, v_j> + bias).

Shapes: B users, L history places, M texts, T tokens, H the encoder's hidden_size, D = embedding_size, which is H
unless the model was made with fewer dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from recsynth.errors import ModelError

EVENT_TYPES = ("padding", "search", "view", "click", "cart", "purchase", "rating", "comment", "share")
# What an event says before anything is learned: about as R weighs it, on the scale of attention logits.
_TYPE_LOGITS = (0.0, -0.5, -1.5, -1.0, -0.3, 0.0, -0.5, -0.5, -0.5)
_HALF_LIFE_DAYS = 90.0


class TextTower(nn.Module):
    """A text through the pretrained encoder: mean of its token states, centred, of unit length.

    dimensions: so many numbers a vector instead of the encoder's own, by a projection that `centre_on` begins with the
    principal components of the catalogue and that learns with the encoder; 0: the encoder's own. Raises ModelError for
    more than the encoder has.
    """

    def __init__(
        self, encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_tokens: int, dimensions: int = 0
    ) -> None:
        super().__init__()
        self.encoder, self.tokenizer, self.max_tokens = encoder, tokenizer, max_tokens
        self.hidden_size = int(encoder.config.hidden_size)
        if dimensions > self.hidden_size:
            raise ModelError(f"dimensions: expected at most the encoder's {self.hidden_size}, found {dimensions}")
        self.embedding_size = dimensions or self.hidden_size
        # Sentence encoders put all of a shop's texts into one corner; what they share tells nothing apart.
        self.remembered: dict[str, np.ndarray] | None = None
        # Named by what it was before there was a projection: folders of earlier nights hold it.
        self.mean_D = nn.Buffer(torch.zeros(self.hidden_size))
        self.projection_HD = nn.Parameter(torch.eye(self.hidden_size, dimensions)) if dimensions else None

    def pooled(self, texts: Sequence[str]) -> Tensor:
        """Mean token states (M, H), neither centred nor normalised."""
        tokens = self._tokens(texts) if self.remembered is None else self._known_tokens(texts, self.remembered)
        states_MTH = self.encoder(**tokens).last_hidden_state
        mask_MT1 = tokens["attention_mask"].unsqueeze(-1).to(states_MTH.dtype)
        pooled_MH: Tensor = (states_MTH * mask_MT1).sum(1) / mask_MT1.sum(1)
        return pooled_MH

    def remember_tokens(self) -> None:
        """From now on split each text into tokens once: for training, which reads the same texts again and again."""
        self.remembered = {}

    def _tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        tokens = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )
        return {name: value.to(self.mean_D.device) for name, value in tokens.items()}

    def _known_tokens(self, texts: Sequence[str], remembered: dict[str, np.ndarray]) -> dict[str, Tensor]:
        """As `_tokens`, of texts that were split before but for the new ones, which are remembered now."""
        new = [t for t in dict.fromkeys(texts) if t not in remembered]
        if new:
            found = self.tokenizer(new, truncation=True, max_length=self.max_tokens)["input_ids"]
            remembered.update((text, np.array(ids, np.int32)) for text, ids in zip(new, found, strict=True))
        rows = [remembered[t] for t in texts]
        ids_MT = np.full((len(rows), max(map(len, rows))), self.tokenizer.pad_token_id, np.int64)
        mask_MT = np.zeros(ids_MT.shape, np.int64)
        for number, ids in enumerate(rows):
            start = ids_MT.shape[1] - len(ids) if self.tokenizer.padding_side == "left" else 0
            place = slice(start, start + len(ids))
            ids_MT[number, place], mask_MT[number, place] = ids, 1
        # Types of tokens are left out: those of a single text are what an encoder takes without them.
        tokens = {"input_ids": ids_MT, "attention_mask": mask_MT}
        return {name: torch.from_numpy(value).to(self.mean_D.device) for name, value in tokens.items()}

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (M, D)."""
        centred_MH = self.pooled(texts) - self.mean_D
        return F.normalize(centred_MH if self.projection_HD is None else centred_MH @ self.projection_HD, dim=-1)

    @torch.no_grad()
    def encode(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """Unit vectors (M, D) in evaluation mode; batches are sorted by length, the result is not."""
        return self._in_batches(texts, batch_size, self.forward, self.embedding_size)

    @torch.no_grad()
    def encode_plain(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """`pooled` of any number of texts (M, H) in evaluation mode."""
        return self._in_batches(texts, batch_size, self.pooled, self.hidden_size)

    @torch.no_grad()
    def centre_on(self, plain_MH: np.ndarray) -> None:
        """Take the mean of these texts' `encode_plain` as the centre, and their principal components as projection."""
        self.recentre_on(plain_MH)
        if self.projection_HD is not None:
            # Of unit vectors: cosines are what must survive.
            units_MH = F.normalize(torch.from_numpy(plain_MH).to(self.mean_D) - self.mean_D, dim=-1).double()
            axes_HH = torch.linalg.eigh(units_MH.T @ units_MH).eigenvectors.flip(1)
            axes_HD = axes_HH[:, : self.embedding_size]
            # An eigenvector has no sign of its own: the greatest entry is positive.
            signs_D = axes_HD.gather(0, axes_HD.abs().argmax(0, keepdim=True)).sign()
            self.projection_HD.copy_(axes_HD * signs_D)

    @torch.no_grad()
    def recentre_on(self, plain_MH: np.ndarray) -> None:
        """Take the mean of these texts' `encode_plain` as the centre, and leave what the projection has learned."""
        self.mean_D.copy_(torch.from_numpy(plain_MH.mean(0)))

    def _in_batches(
        self, texts: Sequence[str], batch_size: int, function: Callable[[Sequence[str]], Tensor], size: int
    ) -> np.ndarray:
        was_training = self.training
        self.eval()
        vectors_MD = np.empty((len(texts), size), np.float32)
        order = np.argsort([len(t) for t in texts], kind="stable")
        for start in range(0, len(texts), batch_size):
            rows = order[start : start + batch_size]
            vectors_MD[rows] = function([texts[i] for i in rows]).float().cpu().numpy()
        self.train(was_training)
        return vectors_MD


class UserTower(nn.Module):
    """A user as an attention pool over the vectors of the last items and searches.

    Attention logit of a place = type weight - rate * age + <query, vector>; the pooled vector passes a
    residual map. Untrained, it is the mean of the history weighed by event type and halved every 90 days.
    layers: so many layers of self-attention first, in which each place sees the others, their event types, ages and
    order; `length` is then the longest history. Untrained they change nothing.
    """

    def __init__(self, embedding_size: int, dropout: float = 0.0, layers: int = 0, length: int = 50) -> None:
        super().__init__()
        self.type_logits = nn.Parameter(torch.tensor(_TYPE_LOGITS))
        self.log_rate = nn.Parameter(torch.tensor(float(np.log(np.log(2) / _HALF_LIFE_DAYS))))
        self.query_D = nn.Parameter(torch.zeros(embedding_size))
        self.residual = nn.Linear(embedding_size, embedding_size)
        nn.init.zeros_(self.residual.weight)
        nn.init.zeros_(self.residual.bias)
        self.dropout = nn.Dropout(dropout)
        self.context = Context(embedding_size, dropout, layers, length) if layers else None

    def forward(self, vectors_BLD: Tensor, types_BL: Tensor, ages_BL: Tensor) -> Tensor:
        """Unit vectors (B, D); places of type 0 are padding, padding alone is pooled to the residual's bias."""
        is_event_BL = types_BL > 0
        if self.context is not None:
            vectors_BLD = self.context(vectors_BLD, types_BL, ages_BL)
        logits_BL = self.type_logits[types_BL] - self.log_rate.exp() * ages_BL + vectors_BLD @ self.query_D
        weights_BL = logits_BL.masked_fill(~is_event_BL, -1e9).softmax(-1) * is_event_BL
        pooled_BD = self.dropout(torch.einsum("bl,bld->bd", weights_BL, vectors_BLD))
        return F.normalize(pooled_BD + self.residual(pooled_BD), dim=-1, eps=1e-6)


class Context(nn.Module):
    """Layers of self-attention over a history: each place's vector plus what the other places say of it.

    Order is the place counted from the latest event, so that a longer history shifts nothing; events before the
    longest history share the last place. What is added is scaled by a gate that begins at zero (ReZero, Bachlechner
    et al., UAI 2021).
    """

    def __init__(self, embedding_size: int, dropout: float, layers: int, length: int) -> None:
        super().__init__()
        heads = max(1, embedding_size // 64) if embedding_size % max(1, embedding_size // 64) == 0 else 1
        layer = nn.TransformerEncoderLayer(
            embedding_size, heads, 2 * embedding_size, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.places = nn.Embedding(length, embedding_size)
        self.types = nn.Embedding(len(EVENT_TYPES), embedding_size)
        self.age = nn.Linear(1, embedding_size)
        # On the scale of a unit vector's entries: larger ones would drown the texts.
        for embedding in (self.places, self.types):
            nn.init.normal_(embedding.weight, std=embedding_size**-0.5)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, vectors_BLD: Tensor, types_BL: Tensor, ages_BL: Tensor) -> Tensor:
        """Vectors (B, L, D) of the places in their context; those of padding mean nothing."""
        is_event_BL = types_BL > 0
        # Hidden places in between are no events either: order is counted over what is seen.
        from_end_BL = (is_event_BL.flip(1).cumsum(1).flip(1) - 1).clamp(0, self.places.num_embeddings - 1)
        told_BLD = self.places(from_end_BL) + self.types(types_BL) + self.age(ages_BL.clamp(min=0).log1p()[..., None])
        # A row of padding alone would be a softmax over nothing.
        is_hidden_BL = ~is_event_BL & is_event_BL.any(1, keepdim=True)
        said_BLD: Tensor = self.layers(vectors_BLD + told_BLD, src_key_padding_mask=is_hidden_BL)
        return vectors_BLD + self.gate * said_BLD


class ImageMap(nn.Module):
    """What an item's picture adds to the unit vector of its text: W (x - mean) / |x - mean|, nothing without a picture.

    x: what a picture encoder of the shop's made of it, `image_size` numbers. W begins at zero, so that untrained an
    item is its text, and learns with the heads.
    """

    def __init__(self, image_size: int, embedding_size: int) -> None:
        super().__init__()
        self.mean_I = nn.Buffer(torch.zeros(image_size))
        self.weight_DI = nn.Parameter(torch.zeros(embedding_size, image_size))

    def forward(self, images_MI: Tensor) -> Tensor:
        """(M, D) of pictures; a row of zeros is none."""
        is_there_M1 = (images_MI != 0).any(-1, keepdim=True)
        units_MI = F.normalize(images_MI - self.mean_I, dim=-1) * is_there_M1
        return units_MI @ self.weight_DI.T

    @torch.no_grad()
    def centre_on(self, images_MI: np.ndarray) -> None:
        """Take the mean of the pictures that are there as the centre."""
        there_MI = images_MI[images_MI.any(1)]
        if len(there_MI):
            self.mean_I.copy_(torch.from_numpy(there_MI.mean(0)))


class MatchModel(nn.Module):
    """Both towers and the logistic link; image: where the catalogue has pictures."""

    def __init__(self, text: TextTower, user: UserTower, image: ImageMap | None = None) -> None:
        super().__init__()
        self.text, self.user, self.image = text, user, image
        self.log_scale = nn.Parameter(torch.tensor(float(np.log(10.0))))
        self.bias = nn.Parameter(torch.tensor(-4.0))

    @property
    def image_size(self) -> int:
        """Numbers of a picture that it reads, 0 for none."""
        return 0 if self.image is None else len(self.image.mean_I)

    def items(self, texts_MD: Tensor, images_MI: Tensor) -> Tensor:
        """Unit vectors (M, D) of texts with their pictures, a row of zeros being none; without an image map, texts."""
        return texts_MD if self.image is None else F.normalize(texts_MD + self.image(images_MI), dim=-1)

    @torch.no_grad()
    def encode(self, texts: Sequence[str], images: Sequence[np.ndarray | None], batch_size: int = 64) -> np.ndarray:
        """Unit vectors (M, D) in evaluation mode; a picture of another size than it was taught by is none."""
        vectors_MD = self.text.encode(texts, batch_size)
        if self.image is None:
            return vectors_MD
        images_MI = np.zeros((len(texts), self.image_size), np.float32)
        for row, picture in enumerate(images):
            if picture is not None and len(picture) == self.image_size:
                images_MI[row] = picture
        both = (torch.from_numpy(x).to(self.image.mean_I.device) for x in (vectors_MD, images_MI))
        shown_MD: np.ndarray = self.items(*both).cpu().numpy()
        return shown_MD

    def logits(self, users_BD: Tensor, items_MD: Tensor) -> Tensor:
        """scale * <u_i, v_j> + bias, (B, M)."""
        return self.log_scale.exp() * users_BD @ items_MD.T + self.bias
