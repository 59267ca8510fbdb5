"""Reading stored features: rows, tables, shuffled batches and summaries of a snapshot."""
