"""What a store's own tests need; ships with the package so that a new store can be held to the same promises."""
