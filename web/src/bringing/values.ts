/** What JSON may hold, whatever was meant to stand there. Pure. */
export type Value = Record<string, unknown>;

export const isObject = (value: unknown): value is Value => typeof value === "object" && value !== null && !Array.isArray(value);
export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
