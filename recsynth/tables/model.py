"""Model: versions of the language model and the vectors that they gave."""

from __future__ import annotations

from recsynth.tables.table import Table, column

MODELS = Table(
    name="model.models",
    grain="one row per model version, written the night it was made; files lie beside as safetensors",
    writer="train",
    key=("model_version",),
    columns=(
        column("model_version", "string", "sha256 over its manifest, shortened"),
        column("path", "string", "folder below the lake, manifest.json written last"),
        column("base", "string", "pretrained encoder it began from"),
        column("parent", "string?", "champion that it was fine-tuned from"),
        column("method", "string", "loss and way of adapting; `frozen` where nothing was trained"),
        column("data_versions", "map<string,bigint>", "Delta version of each table it learned from"),
        column("metrics", "map<string,double>", "validation figures before and after"),
        column("sha256", "string", "of the safetensors file"),
        column("is_champion", "boolean", "used from this night on"),
    ),
)

ITEM_EMBEDDINGS = Table(
    name="model.item_embeddings",
    grain="one row per (model version, text): an item text or query is encoded once for each model",
    writer="embed_texts",
    key=("model_version", "kind", "content_hash"),
    nightly=False,
    write="merge",
    columns=(
        column("model_version", "string", "the model"),
        column("kind", "string", "`item` or `query`: the tower's prefix", "kind in ('item', 'query')"),
        column("content_hash", "string", "sha256 of the text"),
        column("vector", "array<float>", "embedding_size numbers, of unit length but for inference.vector_levels"),
    ),
)

USER_EMBEDDINGS = Table(
    name="model.user_embeddings",
    grain="one row per (cutoff, user) under tonight's model; the latest cutoff is the as-of date itself",
    writer="embed_users",
    key=("cutoff", "user_id"),
    columns=(
        column("cutoff", "timestamp", "only events before this instant are in the vector, UTC"),
        column("user_id", "string", "the user"),
        column("model_version", "string", "the model"),
        column("vector", "array<float>", "p_ij = sigmoid(scale * <vector, item vector> + bias)"),
    ),
)

TRIALS = Table(
    name="model.trials",
    grain="one row per (study, trial) that ended: settings of training that jobs/tune.py tried",
    writer="tune",
    key=("study", "trial"),
    nightly=False,
    write="merge",
    columns=(
        column("study", "string", "as-of date and sha256 of the space, the other settings, the start and the data"),
        column("trial", "bigint", "number within the study, from 0; one that was killed has a number but no row"),
        column(
            "state",
            "string",
            "complete, or pruned: stopped for being below the median",
            "state in ('complete', 'pruned')",
        ),
        column("value", "double", "best NDCG@10 on the validation window that it reached"),
        column("params", "map<string,string>", "field of [training] to its value as TOML writes it"),
        column("seconds", "double", "wall time"),
        column("seed", "bigint", "of the training, the same for every trial of a study"),
    ),
)

CLASSIFIERS = Table(
    name="model.classifiers",
    grain="one row per (task, text classifier), written the night it was made; files lie beside as safetensors",
    writer="teach_texts",
    key=("task", "model_version"),
    columns=(
        column(
            "task",
            "string",
            "`sentiment` or `aspects` of a review, `intent` of a question, `item_category`, `item_fields` and so on",
        ),
        column("model_version", "string", "sha256 over its manifest, shortened"),
        column("path", "string", "folder below the lake, manifest.json written last"),
        column("base", "string", "pretrained encoder it began from; `words` where no language model took part"),
        column(
            "classes",
            "array<string>",
            "labels or fields that it knows, in the order of its probabilities; aspects that it found",
        ),
        column("texts", "bigint", "labelled texts that it learned from"),
        column(
            "metrics",
            "map<string,double>",
            "macro-F1, of `item_fields` span F1, on texts that no night's model learns from; of these one in twenty "
            "gets a chance below `low_chance`",
        ),
        column("is_champion", "boolean", "used from this night on"),
    ),
)

TEXT_LABELS = Table(
    name="model.text_labels",
    grain="one row per (classifier, text): a text is classified once by each",
    writer="label_texts",
    key=("model_version", "content_hash"),
    nightly=False,
    write="merge",
    columns=(
        column("model_version", "string", "the classifier"),
        column("content_hash", "string", "sha256 of the text"),
        column("label", "string", "the likeliest class"),
        column("probabilities", "map<string,double>", "calibrated chance of each class"),
        column("words", "array<string>", "words of the text that speak most for the label, strongest first"),
    ),
)

TABLES = (MODELS, ITEM_EMBEDDINGS, USER_EMBEDDINGS, TRIALS, CLASSIFIERS, TEXT_LABELS)
