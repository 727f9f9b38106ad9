/** How much of a budget is used, and from when on one speaks of it unasked: the page’s, and a key’s. Pure. */
export const WARN_FROM = 0.8;

/** 1 where nothing is left, also of a budget of nothing. */
export const shareOf = (spent: number, limit: number): number => (limit > 0 ? spent / limit : 1);
