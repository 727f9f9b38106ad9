/** Ids are made here, so that a repeated request is never a second question. */
import { v7 } from "uuid";

export const newId = (): string => v7();
