"""Ten lines from a home to NumPy, pandas and a network: `python read_features.py HOME [FAMILY]`."""

# ruff: noqa: INP001 - a script

import sys

from storage import open_features

features = open_features(sys.argv[1])  # the folder that `chordal run --home` filled
family = sys.argv[2] if len(sys.argv) > 2 else features.specs[0].name
spec = features.spec(family)
print(", ".join(f"{column} in {unit}" for column, unit in zip(spec.columns, spec.units, strict=True)))

rows = features.rows(family)  # NumPy: rows.values, rows.labels, rows.groups, rows.start_s, rows.channel
print(f"{len(rows)} rows of {len(rows.tracks)} tracks, labels {features.classes}, values {rows.values.shape}")

table = features.table(family)  # Arrow: table.to_pandas(), or polars.from_arrow(table)
print(table.select(["path", "label", "group", "start_s"]).slice(0, 3))

batches = features.batches(family, batch=32, seed=1)  # streamed: the store may be larger than the memory
import keras  # noqa: E402 - after `batches`, which sets Keras up

network = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(len(batches.classes), activation="softmax")])
network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = network.fit(batches, epochs=2, verbose=0)
print("accuracy on the rows it learned from:", history.history["accuracy"][-1])
