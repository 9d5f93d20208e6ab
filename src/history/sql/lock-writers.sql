-- The first statement of a batch without positions: such a writer queues with all others.
LOCK TABLE history_positions IN EXCLUSIVE MODE
