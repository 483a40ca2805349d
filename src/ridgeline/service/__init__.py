"""How requests share an engine: from times of steps to TTFT, TPOT, rates and money. Only here."""
