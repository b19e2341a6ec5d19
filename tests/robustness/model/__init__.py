"""What may be so after a history of writes and reads. Pure: no clock, no network, no product code."""
