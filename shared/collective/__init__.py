"""Pure rules of the collective: how delegations change, how memories score, who is asked."""
