"""The model that training writes and inference reads: towers, folder, vectors, top-k. Part of the foundation,
because two rooms share it."""
