"""Settings of the training room."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from recsynth.section import Section


class TrainingSettings(Section):
    """Fine-tuning."""

    enabled: bool = Field(
        True, description="Fine-tune tonight; off: the champion, or the encoder as it comes, is used."
    )
    encoder: str = Field(
        "minilm", description="`minilm` (ships with the package), a folder, or a cached Hugging Face name."
    )
    dimensions: int = Field(
        0,
        ge=0,
        description="Numbers of a vector: 0, the encoder's own; fewer begin as the catalogue's principal components, "
        "save memory and time of everything that reads vectors, and cost what tests/benchmarks/README.md says. A "
        "champion has its own built in.",
    )
    loss: Literal["sampled_softmax", "binary_cross_entropy", "mean_squared_error", "linear_autoencoder"] = Field(
        "sampled_softmax",
        description="What is minimised over users and sampled items, see recsynth/training/losses.py. "
        "linear_autoencoder (beeFormer) moves the encoder alone; the towers' heads then learn by sampled_softmax.",
    )
    trainable_layers: int = Field(
        6, ge=0, description="Encoder layers that learn, counted from the top; 0: the towers' heads alone."
    )
    adaptation: Literal["full", "lora", "adalora", "ia3"] = Field(
        "full",
        description="What learns in those layers: all their weights, or adapters of peft, which are merged into the "
        "weights when training ends. Adapters want a learning rate some ten times that of full.",
    )
    adapter_rank: int = Field(8, ge=1, description="Rank of lora; the mean rank that adalora ends with.")
    adapter_alpha: int = Field(16, ge=1, description="What lora and adalora add is scaled by this over the rank.")
    adapter_dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on what lora and adalora read.")
    optimizer: Literal["adamw", "adafactor"] = Field(
        "adamw",
        description="What moves the weights; "
        "adafactor keeps a row and a column in place of a matrix of second moments, and takes a learning "
        "rate relative to the weights' size.",
    )
    learning_rate: float = Field(1e-4, gt=0, description="Peak learning rate of the encoder's top layer.")
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="The learning rate of each layer, as a share of that of the layer above it."
    )
    # Gentle steps rank as well as steep ones and tell half as much of whom they learned from (bench-membership).
    head_learning_rate: float = Field(2e-4, gt=0, description="Peak learning rate of all that is not the encoder.")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay.")
    head_steps: int = Field(
        150,
        ge=0,
        description="Steps first in which the towers' heads alone learn, on the encoder's vectors as they are.",
    )
    head_items_per_step: int = Field(300, ge=2, description="Items sampled for such a step; no text is encoded in it.")
    masked_steps: int = Field(
        0,
        ge=0,
        description="Steps before all others in which the encoder guesses masked words of the shop's own texts; "
        "what they learned is kept unless validation falls by it. They are taken anew each night.",
    )
    masked_learning_rate: float = Field(5e-5, gt=0, description="Peak learning rate of the encoder in those steps.")
    masked_head_learning_rate: float = Field(
        1e-3, gt=0, description="Peak learning rate of the head that guesses words, which begins with nothing."
    )
    warmup_steps: int = Field(5, ge=0, description="Steps of linear warm-up before the schedule.")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="The learning rate after warm-up: down to zero at the last step, or constant."
    )
    max_steps: int = Field(40, ge=1, description="Most steps of encoder and heads together; the schedule ends there.")
    max_minutes: float = Field(
        60.0,
        gt=0,
        description="Wall time after which training stops and keeps its best: a guard, for where it ends a night "
        "the same seed no longer gives the same tables; `max_steps` is the budget.",
    )
    users_per_step: int = Field(512, ge=2, description="Users in a step of one process.")
    items_per_step: int = Field(
        192, ge=2, description="Items sampled for a step of one process: positives and negatives."
    )
    popularity_power: float = Field(
        0.5, ge=0, le=1, description="Items are sampled in proportion to popularity to this power."
    )
    sampling: Literal["catalogue", "in_batch"] = Field(
        "catalogue",
        description="Where a step's items come from, catalogue: all items, by popularity; "
        "in_batch: the histories of the step's own users, each one's items the others' negatives.",
    )
    hard_items: int = Field(
        0,
        ge=0,
        description="So many of a step's items are those that the model ranks first for users who do not have them.",
    )
    history_length: int = Field(50, ge=1, description="Last events of a user that the tower reads.")
    user_layers: int = Field(
        0,
        ge=0,
        description="Layers of self-attention by which each event of a history sees the others, their types, ages and "
        "order, before they are pooled; 0: the pool alone. A champion has its own built in.",
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout on the pooled user vector.")
    adversarial: Literal["none", "fgm", "awp"] = Field(
        "none",
        description="Steps from a worse place, "
        "fgm: also learn with the word embeddings pushed where the loss is worst; awp: learn with all "
        "matrices pushed so. Either doubles the cost of a step.",
    )
    adversarial_epsilon: float = Field(
        0.1, ge=0, description="Length of the push: for fgm of itself, for awp as a share of each matrix's length."
    )
    accumulate_steps: int = Field(1, ge=1, description="Batches whose mean gradient makes one step.")
    gradient_chunk: int = Field(
        0,
        ge=0,
        description="Texts encoded at a time, where `items_per_step` do not fit the memory: the same gradients for "
        "half as much time again; 0: all at once.",
    )
    gradient_checkpointing: bool = Field(
        False, description="Compute the layers' states again in the backward pass, which saves their memory."
    )
    mixed_precision: bool = Field(False, description="In bfloat16 where it is safe, on a GPU or a CPU that has it.")
    max_bad_steps: int = Field(
        3,
        ge=1,
        description="Steps in a row without a finite loss and gradient, each skipped, before training goes back to "
        "its last checkpoint at half the learning rate. The second time it stops and keeps its best.",
    )
    gradient_clip: float = Field(1.0, gt=0, description="Greatest norm of the gradient.")
    max_tokens: int = Field(64, ge=4, description="Tokens of a text that are read; what is beyond is cut.")
    validate_steps: int = Field(20, ge=1, description="Steps between validations, each also a checkpoint.")
    patience: int = Field(3, ge=1, description="Validations without a better NDCG@10 before training stops.")
    soup: int = Field(
        0,
        ge=0,
        description="So many of the best checkpoints are averaged, one after the other, as long as validation gets "
        "better by it; 0 or 1: the best alone.",
    )
    distil_layers: int = Field(
        0,
        ge=0,
        description="At the end a copy of the encoder with so many layers learns to give the same vectors, and takes "
        "its place; 0: none.",
    )
    distil_steps: int = Field(200, ge=1, description="Steps of `items_per_step` texts in which it learns.")
    distil_least: float = Field(
        0.95, ge=0, le=1, description="It takes the place only with this share of the NDCG@10 of validation, or more."
    )
    min_users: int = Field(50, ge=2, description="With fewer users with a history nothing is trained.")
    processes: int = Field(2, ge=1, description="Processes of the TorchDistributor.")
    local_mode: bool = Field(
        True, description="Processes on the driver's machine; off: one a Spark task on the executors."
    )
    hang_seconds: float = Field(
        30.0,
        ge=5,
        description="A process that comes to a step so much later than the others hangs: training ends, says which, "
        "and the next run goes on from its checkpoint. More where a tracking server may keep the first one waiting.",
    )
    use_gpu: bool = Field(False, description="NCCL and one GPU a process; off: gloo on CPUs.")
    tracking: list[Literal["tensorboard", "mlflow", "wandb"]] = Field(
        ["tensorboard"],
        description="Where curves go besides the page and `ops.metrics`: below the lake in `_experiments`, nothing is "
        "sent anywhere. mlflow and wandb are extras of the package.",
    )
