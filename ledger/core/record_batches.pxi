# record_batches: what it owns and what it uses
