"""Reading stored features: rows, tables, shuffled batches, and a summary of what is stored."""
